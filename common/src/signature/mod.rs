//! Signing what is sent and verifying what was received: Meeva's own scheme and Standard Webhooks v1.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::ids::EventId;
use crate::secret::Secret;

type HmacSha256 = Hmac<Sha256>;

/// How far a timestamp may lie from the verifier's clock, in seconds (Standard Webhooks' libraries).
pub const TOLERANCE_SECONDS: i64 = 300;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// An endpoint's keys, prepared once so that a request pays for its body alone.
#[derive(Clone)]
pub struct SigningKeys {
    meeva: HmacSha256,
    /// The new key first. Secrets that are no Standard Webhooks keys are left out.
    standard: Box<[HmacSha256]>,
}

impl SigningKeys {
    /// The keys of an endpoint whose secret is `current`; `previous` is there until a rotation is completed.
    #[must_use]
    pub fn new(current: &Secret, previous: Option<&Secret>) -> Self {
        let secrets = [Some(current), previous];
        Self {
            // A receiver of this scheme compares with one signature only, and has the old secret until its
            // owner says otherwise.
            meeva: keyed(previous.unwrap_or(current).expose().as_bytes()),
            standard: secrets.into_iter().flatten().filter_map(standard_state).collect(),
        }
    }

    /// The value of `Meeva-Signature`: `sha256=` and the lower-case hex HMAC-SHA256 of `body` under the whole
    /// secret text. While a rotation is not completed it is made with the previous secret.
    ///
    /// It signs neither id nor time: it proves who sent the body, not when.
    #[must_use]
    pub fn meeva(&self, body: &[u8]) -> String {
        meeva_value(self.meeva.clone(), body)
    }

    /// The value of `webhook-signature`: one `v1,<base64>` for each key over `id.timestamp.body`, separated
    /// by spaces, the new key's first; nothing if no secret is a Standard Webhooks key. `timestamp` is the
    /// attempt's time in seconds since the epoch.
    #[must_use]
    pub fn standard(&self, id: &EventId, timestamp: i64, body: &[u8]) -> Option<String> {
        let prefix = signed_prefix(id.as_str(), &timestamp.to_string());
        let mut values = String::with_capacity(self.standard.len() * (" ".len() + STANDARD_VALUE));
        for state in &self.standard {
            if !values.is_empty() {
                values.push(' ');
            }
            push_standard_value(&mut values, state.clone(), &prefix, body);
        }
        (!values.is_empty()).then_some(values)
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys(***)")
    }
}

/// Why a request's signature does not hold. Header values are left out of the texts: they come from
/// strangers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header is not there or empty.
    #[error("the header {header} is missing; send the request with it")]
    Missing {
        /// Its name.
        header: &'static str,
    },
    /// A header is not written as it must be.
    #[error("the header {header} is malformed; it must be {allowed}")]
    Malformed {
        /// Its name.
        header: &'static str,
        /// How it is written.
        allowed: &'static str,
    },
    /// The timestamp lies too far in the past: an old request repeated, or a clock that is wrong.
    #[error(
        "the timestamp is {seconds} s old; at most {TOLERANCE_SECONDS} s are allowed: compare the clocks"
    )]
    TooOld {
        /// How far it lies back.
        seconds: u64,
    },
    /// The timestamp lies too far in the future.
    #[error(
        "the timestamp is {seconds} s ahead; at most {TOLERANCE_SECONDS} s are allowed: compare the clocks"
    )]
    TooNew {
        /// How far it lies ahead.
        seconds: u64,
    },
    /// No secret was given that this scheme can use.
    #[error(
        "no secret can verify webhook-signature; give one that is whsec_ and padded base64 of 24 to 64 bytes"
    )]
    NoKey,
    /// No signature is that of these bytes under any of the secrets.
    #[error("no signature matches; compare the secret, and verify the raw body before anything parses it")]
    NoMatch,
}

/// Verifies the value of `Meeva-Signature` against the raw `body`, with any of `secrets`, in constant time.
///
/// # Errors
/// [`VerifyError`]: missing, malformed, or no match.
pub fn verify_meeva(secrets: &[Secret], header: &str, body: &[u8]) -> Result<(), VerifyError> {
    const HEADER: &str = "Meeva-Signature";
    if header.is_empty() {
        return Err(VerifyError::Missing { header: HEADER });
    }
    let is_lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    // Receivers compare the text, so upper-case digits would fail with them and fail here.
    if !header
        .strip_prefix("sha256=")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(is_lower_hex))
    {
        return Err(VerifyError::Malformed {
            header: HEADER,
            allowed: "sha256= and 64 lower-case hex digits",
        });
    }
    let matches = |secret: &Secret| {
        meeva_value(keyed(secret.expose().as_bytes()), body)
            .as_bytes()
            .ct_eq(header.as_bytes())
    };
    verdict(any_of(secrets.iter().map(matches)))
}

/// Verifies a request of Standard Webhooks v1 with any of `secrets`, in constant time: `id`, `timestamp`
/// and `signatures` are the values of `webhook-id`, `webhook-timestamp` and `webhook-signature`, `body` the
/// raw body and `now` the verifier's clock in seconds since the epoch. Signatures of unknown versions are
/// skipped.
///
/// # Errors
/// [`VerifyError`]: missing, malformed, too old, too new, no key, or no match.
pub fn verify_standard(
    secrets: &[Secret],
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now: i64,
) -> Result<(), VerifyError> {
    for (header, value) in [
        ("webhook-id", id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signatures),
    ] {
        if value.is_empty() {
            return Err(VerifyError::Missing { header });
        }
    }
    // A dot in the id would let the same bytes be read as another id, timestamp and body.
    if EventId::parse(id).is_err() {
        return Err(VerifyError::Malformed {
            header: "webhook-id",
            allowed: "1 to 64 characters of A-Z a-z 0-9 _ -",
        });
    }
    check_time(timestamp, now)?;
    let prefix = signed_prefix(id, timestamp);
    let keys: Vec<HmacSha256> = secrets.iter().filter_map(standard_state).collect();
    if keys.is_empty() {
        return Err(VerifyError::NoKey);
    }
    let expected: Vec<String> = keys
        .into_iter()
        .map(|state| {
            let mut value = String::with_capacity(STANDARD_VALUE);
            push_standard_value(&mut value, state, &prefix, body);
            value
        })
        .collect();
    let given = || signatures.split(' ').map(str::as_bytes);
    verdict(any_of(expected.iter().flat_map(|wanted| {
        given().map(|value| value.ct_eq(wanted.as_bytes()))
    })))
}

fn check_time(timestamp: &str, now: i64) -> Result<(), VerifyError> {
    let sent: i64 = Some(timestamp)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or(VerifyError::Malformed {
            header: "webhook-timestamp",
            allowed: "whole seconds since the epoch, digits only",
        })?;
    let seconds = now.abs_diff(sent);
    match (seconds <= TOLERANCE_SECONDS.unsigned_abs(), sent < now) {
        (true, _) => Ok(()),
        (false, true) => Err(VerifyError::TooOld { seconds }),
        (false, false) => Err(VerifyError::TooNew { seconds }),
    }
}

/// Looks at every answer, so that the time taken does not tell which of them was the right one.
fn any_of(answers: impl Iterator<Item = Choice>) -> Choice {
    answers.fold(Choice::from(0), |found, answer| found | answer)
}

fn verdict(found: Choice) -> Result<(), VerifyError> {
    if bool::from(found) {
        Ok(())
    } else {
        Err(VerifyError::NoMatch)
    }
}

fn standard_state(secret: &Secret) -> Option<HmacSha256> {
    secret.standard_key().map(|key| keyed(key.expose_secret()))
}

/// What stands before the body in the text that Standard Webhooks signs. Neither part holds a dot, so no
/// other id, timestamp and body give the same text.
fn signed_prefix(id: &str, timestamp: &str) -> String {
    [id, ".", timestamp, "."].concat()
}

/// How many bytes a signature of Standard Webhooks takes: `v1,` and the base64 of the 32 bytes of a SHA-256.
const STANDARD_VALUE: usize = 3 + 44;

fn push_standard_value(values: &mut String, mut state: HmacSha256, prefix: &str, body: &[u8]) {
    state.update(prefix.as_bytes());
    state.update(body);
    values.push_str("v1,");
    STANDARD.encode_string(state.finalize().into_bytes(), values);
}

fn meeva_value(mut state: HmacSha256, body: &[u8]) -> String {
    state.update(body);
    const PREFIX: &str = "sha256=";
    // Two digits for each of the 32 bytes of a SHA-256.
    let mut value = String::with_capacity(PREFIX.len() + 64);
    value.push_str(PREFIX);
    for byte in state.finalize().into_bytes() {
        value.extend([byte >> 4, byte & 0xf].map(|digit| char::from(HEX[usize::from(digit)])));
    }
    value
}

/// HMAC's state after its key: a key longer than a block is hashed first, a shorter one filled up with
/// zeros (RFC 2104 §2). Done here because the library's way for keys of any length returns a fault that
/// cannot happen.
fn keyed(key: &[u8]) -> HmacSha256 {
    // SHA-256 works in blocks of 64 bytes.
    let mut block = [0_u8; 64];
    let hashed = Sha256::digest(key);
    let key = if key.len() > block.len() {
        hashed.as_slice()
    } else {
        key
    };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    HmacSha256::new(&block.into())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
