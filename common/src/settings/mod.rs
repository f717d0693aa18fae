//! Settings: environment variables, each with a flag of the same name, read whole before anything starts.
//!
//! Every fault is collected, so that an operator mends all of them in one go. A variable that is set to nothing counts as not
//! set; a file that is named for its secret, and holds nothing, is a fault.

pub mod otel;
pub mod parse;
pub mod variables;

#[cfg(feature = "endpoints")]
mod policy;
mod source;
mod unknown;
mod variable;

#[cfg(feature = "service")]
pub mod flags;

use std::fmt;

use self::source::MAX_SECRET_FILE_BYTES;
use crate::broker::{BrokerUrl, LinkSettings};
use crate::text_file;
use crate::topology::Namespace;

#[cfg(feature = "endpoints")]
pub use self::policy::read_policy;
#[cfg(feature = "endpoints")]
pub use self::source::read_secret_file;
pub use self::source::{Environment, NotText, SettingSource};
pub use self::unknown::{UnknownVariable, is_known, nearest_of_opentelemetry, unknown_variables};
pub use self::variable::Variable;

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    variable: &'static str,
    /// `None` for secrets.
    value: Option<String>,
    allowed: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value:?}: {}", self.variable, self.allowed),
            None => write!(f, "{}: {}", self.variable, self.allowed),
        }
    }
}

/// Everything that is wrong with the settings, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} wrong",
            if self.0.len() == 1 {
                "a setting is"
            } else {
                "settings are"
            }
        )?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// Reads settings from a source and collects every fault.
pub struct Reader<'a> {
    source: &'a dyn SettingSource,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// A reader without faults yet.
    #[must_use]
    pub fn new(source: &'a dyn SettingSource) -> Self {
        Self {
            source,
            faults: Vec::new(),
        }
    }

    /// The setting, or its default; `None` after a fault, or where it is not set and has no default.
    pub fn read<T, E: fmt::Display>(
        &mut self,
        variable: &Variable,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self
            .text(variable)
            .or_else(|| variable.default.map(str::to_owned))?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(allowed) => {
                let value = (!variable.is_secret).then_some(text);
                self.fault(variable, value, allowed.to_string());
                None
            }
        }
    }

    /// The contents of the file that the setting names, if it is set.
    pub fn read_file(&mut self, variable: &Variable) -> Option<String> {
        /// The roots of all authorities that systems trust take a quarter of a megabyte.
        const MAX_BYTES: u64 = 4 << 20;
        self.read(variable, |path| {
            text_file::read(path.as_ref(), MAX_BYTES).map_err(|error| error.problem())
        })
    }

    /// Adds a fault that only the reader of several settings can see.
    pub fn fault(&mut self, variable: &Variable, value: Option<String>, allowed: impl Into<String>) {
        let fault = Fault {
            variable: variable.name,
            value: value.map(|value| shortened(&value)),
            allowed: on_one_line(&allowed.into()),
        };
        // Several may read the same variable.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// As [`Self::read`], of a setting without a default that must be there; `missing` says so, and what is allowed.
    pub fn required<T, E: fmt::Display>(
        &mut self,
        variable: &Variable,
        parse: impl Fn(&str) -> Result<T, E>,
        missing: &str,
    ) -> Option<T> {
        if !self.is_set(variable) {
            // Where it is set to what cannot be had, that has been told.
            if !self.faults.iter().any(|fault| fault.variable == variable.name) {
                self.fault(variable, None, missing);
            }
            return None;
        }
        self.read(variable, parse)
    }

    /// Whether the variable, its flag or its file is set.
    #[must_use]
    pub fn is_set(&mut self, variable: &Variable) -> bool {
        self.text(variable).is_some()
    }

    /// The names of all environment variables that are set to something and begin with `prefix`, sorted.
    #[must_use]
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let mut names = self.source.names();
        // What is no text is set to something.
        let is_set = |name: &str| {
            self.source
                .variable(name)
                .map_or(true, |text| text.is_some_and(|text| !text.is_empty()))
        };
        names.retain(|name| name.starts_with(prefix) && is_set(name));
        names.sort();
        names
    }

    /// The settings, if nothing was wrong with any of them.
    ///
    /// # Errors
    /// [`Faults`] with everything that was.
    pub fn finish<T>(self, settings: impl FnOnce() -> Option<T>) -> Result<T, Faults> {
        if !self.faults.is_empty() {
            return Err(Faults(self.faults));
        }
        // Without a fault every setting that is asked for was read.
        settings().ok_or(Faults(Vec::new()))
    }

    fn text(&mut self, variable: &Variable) -> Option<String> {
        let set = |text: Option<String>| text.filter(|text| !text.is_empty());
        if variable.is_secret {
            return self.secret(variable);
        }
        set(self.source.flag(&variable.flag())).or_else(|| set(self.environment(variable, variable.name)))
    }

    /// A secret comes from `NAME`, or from the file that `NAME_FILE` names, but not from both.
    fn secret(&mut self, variable: &Variable) -> Option<String> {
        let set = |text: Option<String>| text.filter(|text| !text.is_empty());
        let direct = set(self.environment(variable, variable.name));
        let file = set(self.environment(variable, &format!("{}_FILE", variable.name)));
        match (direct, file) {
            (Some(_), Some(_)) => {
                let only_one = format!(
                    "{0} and {0}_FILE are both set; set only one of them",
                    variable.name
                );
                self.fault(variable, None, only_one);
                None
            }
            (direct, None) => direct,
            (None, Some(path)) => match text_file::read(path.as_ref(), MAX_SECRET_FILE_BYTES) {
                // Whoever wrote it failed, and does not want the default: a guest's account, or nothing. What was read is a path.
                Ok(text) if text.trim().is_empty() => {
                    let told = format!("the file that {}_FILE names is empty: {path}", variable.name);
                    self.fault(variable, None, told);
                    None
                }
                // Editors and `echo` end a file with a line break; no secret of ours can hold one.
                Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
                // Without the path: the secret itself may have been put there.
                Err(error) => {
                    let problem = error.problem();
                    let told = format!("the file that {}_FILE names {problem}", variable.name);
                    self.fault(variable, None, told);
                    None
                }
            },
        }
    }

    fn environment(&mut self, variable: &Variable, name: &str) -> Option<String> {
        self.source.variable(name).unwrap_or_else(|NotText| {
            self.fault(variable, None, "its value is not UTF-8 text");
            None
        })
    }
}

/// Enough of a value to recognise it by.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What is said of a value, which may hold a part of it: on one line of a log, whatever stands there, and not for ever.
fn on_one_line(text: &str) -> String {
    const LETTERS: usize = 800;
    let (shown, cut) = match text.char_indices().nth(LETTERS) {
        Some((end, _)) => (&text[..end], "…"),
        None => (text, ""),
    };
    let mut line = String::with_capacity(shown.len());
    for letter in shown.chars() {
        if letter.is_control() {
            line.extend(letter.escape_debug());
        } else {
            line.push(letter);
        }
    }
    line + cut
}

/// What everyone needs who talks to the broker.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// Where the broker is.
    pub url: BrokerUrl,
    /// What every name there starts with.
    pub namespace: Namespace,
    /// Further roots to trust for `amqps://`, in PEM.
    pub ca_pem: Option<String>,
}

impl BrokerSettings {
    /// Reads them; `None` after a fault.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.read(&variables::AMQP_URL, BrokerUrl::parse);
        let namespace = reader.read(&variables::NAMESPACE, Namespace::parse);
        let ca_pem = reader.read_file(&variables::AMQP_CA_FILE);
        Some(Self {
            url: url?,
            namespace: namespace?,
            ca_pem,
        })
    }

    /// How to connect as `name`.
    #[must_use]
    pub fn link(&self, name: &str) -> LinkSettings {
        LinkSettings {
            ca_pem: self.ca_pem.clone(),
            ..LinkSettings::new(self.url.clone(), name)
        }
    }
}

#[cfg(test)]
mod tests;
