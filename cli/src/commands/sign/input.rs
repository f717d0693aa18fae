//! Secrets and bodies, as `sign` and `verify` are given them.

use std::fs::File;
use std::io::{self, Read as _};

use hookline_common::secret::Secret;

use crate::error::CliError;

/// Far more than Hookline ever sends. What is longer is refused, for a part of it has another signature.
const MAX_BODY_BYTES: u64 = 16 << 20;
/// Far more than any secret has.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// The secret that the flag was given. No part of it goes into the refusal.
pub(crate) fn secret(flag: &str, text: &str) -> Result<Secret, CliError> {
    Secret::parse(text).map_err(|error| CliError::Usage(format!("{flag}: {error}")))
}

/// The secret in a file. One line break at its end is left out, because editors add it; nothing else is.
pub(crate) fn secret_in(flag: &str, path: &str) -> Result<Secret, CliError> {
    let bytes = File::open(path).and_then(|file| read(file, MAX_SECRET_BYTES));
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    let text = text.map_err(|error| {
        // Without what stands in the file: the error's own text tells only where it is no text.
        CliError::Failed(format!(
            "{flag}: {path} cannot be read: {error}; name a file that holds a secret and nothing else"
        ))
    })?;
    let text = text
        .strip_suffix('\n')
        .map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text));
    Secret::parse(text).map_err(|error| CliError::Failed(format!("{flag}: {path}: {error}")))
}

/// The text itself, the bytes of @FILE, or those of stdin for `-`: exactly as they are.
pub(crate) fn body(text: &str) -> Result<Vec<u8>, CliError> {
    let (name, bytes) = match text.strip_prefix('@') {
        _ if text == "-" => ("stdin", read(io::stdin(), MAX_BODY_BYTES)),
        Some(path) => (path, File::open(path).and_then(|file| read(file, MAX_BODY_BYTES))),
        None => return Ok(text.as_bytes().to_vec()),
    };
    bytes.map_err(|error| {
        CliError::Failed(format!(
            "--data: {name} cannot be read: {error}; name a file that holds the raw body"
        ))
    })
}

fn read(source: impl io::Read, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!("it is longer than {max} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_too_long_is_refused_and_never_cut() {
        assert_eq!(read(&b"1234"[..], 4).unwrap(), b"1234");
        assert!(read(&b"12345"[..], 4).is_err());
    }

    #[test]
    fn a_body_is_taken_byte_for_byte() {
        assert_eq!(body(" {\"a\":1}\n").unwrap(), b" {\"a\":1}\n");
    }

    #[test]
    fn a_refused_secret_is_not_repeated() {
        let error = secret("--secret", "MARKER").unwrap_err().to_string();
        assert!(error.contains("--secret") && !error.contains("MARKER"), "{error}");
    }
}
