//! What must not be guessed, from the system's own random numbers, and ids.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookline_common::ids::EndpointId;
use hookline_common::secret::Secret;
use uuid::Uuid;

/// The system gives no random numbers, without which nothing secret can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct NoRandomness(String);

/// So many random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// A new secret: `whsec_` and 32 random bytes in base64, which is a Standard Webhooks key.
///
/// # Errors
/// [`NoRandomness`].
pub fn new_secret() -> Result<Secret, NoRandomness> {
    let text = format!("whsec_{}", STANDARD.encode(bytes::<32>()?));
    Secret::parse(&text).map_err(|error| NoRandomness(error.to_string()))
}

/// A new id: `ep_` and the 32 hex digits of a `UUIDv7`.
///
/// # Errors
/// None that can happen.
pub fn new_endpoint_id() -> Result<EndpointId, NoRandomness> {
    EndpointId::parse(&new_id("ep")).map_err(|error| NoRandomness(error.to_string()))
}

/// `prefix`, `_` and the 32 hex digits of a `UUIDv7`.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::now_v7().simple())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn secrets_are_keys_of_standard_webhooks_and_never_the_same_twice() {
        let mut seen = HashSet::new();
        for _ in 0..100_000 {
            let secret = new_secret().unwrap();
            assert!(secret.standard_key().is_some());
            assert!(seen.insert(secret.expose().to_owned()));
        }
    }
}
