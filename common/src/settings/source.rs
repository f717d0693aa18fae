//! Where the values of settings come from. The only place that reads the environment.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "endpoints")]
use crate::endpoints_file::SecretSource;
#[cfg(feature = "endpoints")]
use crate::text_file;

/// A variable whose value is not UTF-8 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotText;

/// Where values come from: the process's environment, or a test's.
pub trait SettingSource {
    /// The value of an environment variable, if it is set.
    ///
    /// # Errors
    /// [`NotText`] where it is not UTF-8.
    fn variable(&self, name: &str) -> Result<Option<String>, NotText>;
    /// The value of a command-line flag, if it was given.
    fn flag(&self, _flag: &str) -> Option<String> {
        None
    }
    /// The names of all environment variables that are set, ours or not, in any order.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The environment of this process, without flags.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment;

impl SettingSource for Environment {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
        match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(NotText),
        }
    }

    fn names(&self) -> Vec<String> {
        let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
        names.collect()
    }
}

/// A secret is 256 characters at most; what is longer than this by far is another file.
pub(super) const MAX_SECRET_FILE_BYTES: u64 = 64 << 10;

/// Variables that an endpoints file has named for its secrets by now. They may be called anything, and so like a setting.
static OF_SECRETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Secrets of an endpoints file come from the same environment and disk.
#[cfg(feature = "endpoints")]
impl SecretSource for Environment {
    fn env(&self, name: &str) -> Option<String> {
        // Only what could be taken for a setting matters.
        if name.to_ascii_uppercase().starts_with("HOOK") {
            let mut names = OF_SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
            names.insert(name.to_owned());
        }
        self.variable(name).ok().flatten()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        read_secret_file(path).map_err(|error| error.without_path())
    }
}

/// The text of a secret's file.
///
/// # Errors
/// Why it cannot be read.
#[cfg(feature = "endpoints")]
pub fn read_secret_file(path: &str) -> Result<String, text_file::ReadError> {
    text_file::read(path.as_ref(), MAX_SECRET_FILE_BYTES)
}

/// Whether an endpoints file has named this variable for a secret by now.
pub(super) fn holds_a_secret(name: &str) -> bool {
    let names = OF_SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    names.contains(name)
}
