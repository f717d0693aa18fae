//! The endpoints file: endpoints from a TOML text instead of a database. Read at start and whenever it
//! changes; its faults are told at once.

use std::collections::{HashMap, HashSet};

use crate::endpoint::{Endpoint, EventFilter, EventPattern, Format, Rate, StaticHeader};
use crate::guard::{Policy, check_header};
use crate::ids::{CompanyId, EndpointId};
use crate::secret::Secret;
use crate::signature::SigningKeys;
use crate::toml_file::{self, Entry, FileFaults, Kind};

/// The longest file that is read, in bytes: room for some 250,000 endpoints, several times what one installation has, and
/// little enough that whatever else stands at the path cannot fill the memory.
pub const MAX_BYTES: u64 = 64 << 20;

/// Where the file's secrets stand if not in the file itself. The caller reads them, so that this module
/// only decides.
pub trait SecretSource {
    /// The value of an environment variable, if it is set.
    fn env(&self, name: &str) -> Option<String>;

    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read, for people, without the path: the text goes into logs, and a secret may stand
    /// where the path belongs.
    fn file(&self, path: &str) -> Result<String, String>;
}

const ENDPOINTS: Kind = Kind {
    table: "endpoint",
    noun: "endpoint",
    id_key: "id",
    is_id: |text| EndpointId::parse(text).is_ok(),
    // The size bounds them.
    max: usize::MAX,
};

/// What an `[[endpoint]]` may say.
const KEYS: [&str; 14] = [
    "id",
    "company",
    "url",
    "secret",
    "secret_env",
    "secret_file",
    "previous_secret",
    "previous_secret_env",
    "previous_secret_file",
    "format",
    "events",
    "headers",
    "rate",
    "disabled",
];

/// The three ways to give a secret: as text, as the name of an environment variable, as the path of a file.
const CURRENT: [&str; 3] = ["secret", "secret_env", "secret_file"];
const PREVIOUS: [&str; 3] = ["previous_secret", "previous_secret_env", "previous_secret_file"];

/// Reads the endpoints of a file, in its order. A file without endpoints is valid. Where an endpoint names
/// no format it has `default_format`. URLs are taken as they are: the guard checks them at each attempt.
///
/// One newline at the end of a secret's own file is left out, because editors add it; nothing else is
/// trimmed.
///
/// # Errors
/// The faults of the file, in the order of its lines; where it is not TOML, the faults of that alone.
pub fn parse(
    text: &str,
    default_format: Format,
    secrets: &dyn SecretSource,
) -> Result<Vec<Endpoint>, FileFaults> {
    let entries = parse_with_secrets(text, default_format, secrets)?;
    Ok(entries.into_iter().map(|entry| entry.endpoint).collect())
}

/// As [`parse`], for whoever judges a file before it is used: a URL that `policy` refuses is a fault as well.
///
/// # Errors
/// As [`parse`].
pub fn parse_guarded(
    text: &str,
    default_format: Format,
    secrets: &dyn SecretSource,
    policy: &Policy,
) -> Result<Vec<Endpoint>, FileFaults> {
    let entries = read_all(text, default_format, secrets, Some(policy))?;
    Ok(entries.into_iter().map(|entry| entry.endpoint).collect())
}

/// An endpoint of a file with the secrets that its keys were made of.
#[derive(Debug, Clone)]
pub struct WithSecrets {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What its requests are signed with.
    pub secret: Secret,
    /// What they are signed with as well.
    pub previous_secret: Option<Secret>,
}

/// As [`parse`], for whoever keeps the secrets themselves.
///
/// # Errors
/// As [`parse`].
pub fn parse_with_secrets(
    text: &str,
    default_format: Format,
    secrets: &dyn SecretSource,
) -> Result<Vec<WithSecrets>, FileFaults> {
    read_all(text, default_format, secrets, None)
}

fn read_all(
    text: &str,
    default_format: Format,
    secrets: &dyn SecretSource,
    policy: Option<&Policy>,
) -> Result<Vec<WithSecrets>, FileFaults> {
    let mut seen = HashMap::new();
    toml_file::read(text, &ENDPOINTS, |entry| {
        let read = read(entry, default_format, secrets, &mut seen);
        if let Some(policy) = policy {
            refuse_url(entry, policy);
        }
        read
    })
}

/// Each endpoint's id with the line on which it was first.
type Seen = HashMap<(CompanyId, EndpointId), usize>;

fn read(
    entry: &mut Entry<'_>,
    default_format: Format,
    secrets: &dyn SecretSource,
    seen: &mut Seen,
) -> Option<WithSecrets> {
    entry.refuse_other_keys(&KEYS);
    let id = entry.required("id", EndpointId::parse);
    let company = entry.required("company", CompanyId::parse);
    let url = entry.required("url", |text| Ok::<_, &str>(text.to_owned()));
    let format = entry.optional("format", str::parse).unwrap_or(default_format);
    let current = read_secret(entry, CURRENT, secrets);
    if current.is_none() && !CURRENT.iter().any(|key| entry.has(key)) {
        entry.fault(
            "secret",
            "is missing; give one of secret, secret_env, secret_file",
        );
    }
    let previous = read_secret(entry, PREVIOUS, secrets);
    let events = read_events(entry);
    let headers = read_headers(entry);
    let rate = entry.optional("rate", Rate::parse);
    let disabled = entry.flag("disabled");

    let (id, company) = (id?, company?);
    refuse_second(entry, &company, &id, seen);
    let secret = current?;
    let endpoint = Endpoint {
        id,
        company,
        url: url?,
        format,
        events,
        headers,
        rate,
        disabled,
        keys: SigningKeys::new(&secret, previous.as_ref()),
    };
    Some(WithSecrets {
        endpoint,
        secret,
        previous_secret: previous,
    })
}

fn refuse_second(entry: &mut Entry<'_>, company: &CompanyId, id: &EndpointId, seen: &mut Seen) {
    if let Some(line) = seen.insert((company.clone(), id.clone()), entry.line_of("id")) {
        let problem =
            format!("line {line} has the same id; an id must be the only one of its kind within a company");
        entry.fault("id", problem);
    }
}

/// A URL that is no text is a fault already.
fn refuse_url(entry: &mut Entry<'_>, policy: &Policy) {
    if let Some(Err(refusal)) = entry.peek("url").map(|url| policy.check_url(url)) {
        entry.fault("url", format!("{refusal} ({})", refusal.reason()));
    }
}

/// Reads a secret given in one of three ways. Neither the text nor the name nor the path goes into a fault,
/// because any of them may be a secret put in the wrong place.
fn read_secret(entry: &mut Entry<'_>, keys: [&'static str; 3], source: &dyn SecretSource) -> Option<Secret> {
    let given: Vec<&'static str> = keys.into_iter().filter(|key| entry.has(key)).collect();
    let key = match given.as_slice() {
        [] => return None,
        [key] => *key,
        [_, second, ..] => {
            entry.fault(second, format!("give only one of {}", keys.join(", ")));
            return None;
        }
    };
    let given = entry.text(key)?.to_owned();
    let [_, env, file] = keys;
    let read = if key == env {
        from_env(&given, source)
    } else if key == file {
        source
            .file(&given)
            .map(without_last_newline)
            .map_err(|why| format!("the file cannot be read: {why}"))
    } else {
        Ok(given)
    };
    let secret = read.and_then(|text| Secret::parse(&text).map_err(|fault| fault.to_string()));
    secret.map_err(|problem| entry.fault(key, problem)).ok()
}

fn from_env(name: &str, source: &dyn SecretSource) -> Result<String, String> {
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(is_letter) {
        return Err("it must be the name of an environment variable: letters, digits and _".to_owned());
    }
    source
        .env(name)
        .ok_or_else(|| "the environment variable that it names is not set".to_owned())
}

fn without_last_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn read_events(entry: &mut Entry<'_>) -> EventFilter {
    let patterns = entry.texts("events").into_iter().filter_map(|(text, span)| {
        EventPattern::parse(text)
            .map_err(|fault| entry.fault_at(span, "events", fault.to_string()))
            .ok()
    });
    EventFilter::new(patterns.collect())
}

fn read_headers(entry: &mut Entry<'_>) -> Vec<StaticHeader> {
    let mut headers: Vec<StaticHeader> = Vec::new();
    let mut seen = HashSet::new();
    for (name, value, span) in entry.pairs("headers") {
        if let Err(refusal) = check_header(name, value) {
            entry.fault_at(span, "headers", refusal.to_string());
        } else if !seen.insert(name.to_ascii_lowercase()) {
            entry.fault_at(
                span,
                "headers",
                format!("the header {name} stands here twice; give it once"),
            );
        } else {
            headers.push(StaticHeader {
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
    }
    if headers.len() > StaticHeader::MAX_PER_ENDPOINT {
        entry.fault(
            "headers",
            format!("at most {} headers are allowed", StaticHeader::MAX_PER_ENDPOINT),
        );
    }
    headers
}

#[cfg(test)]
mod tests;
