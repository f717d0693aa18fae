//! What must not be guessed, from the system's own random numbers, and ids.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookline_common::ids::EndpointId;
use hookline_common::secret::Secret;
use uuid::Uuid;

use crate::error::StoreError;

/// So many random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::Unavailable(format!("the system gives no random numbers: {error}")))?;
    Ok(bytes)
}

/// A new secret: `whsec_` and 32 random bytes in base64, which is a Standard Webhooks key.
///
/// # Errors
/// [`StoreError::Unavailable`] where the system has no random numbers to give.
pub fn new_secret() -> Result<Secret, StoreError> {
    let text = format!("whsec_{}", STANDARD.encode(bytes::<32>()?));
    Secret::parse(&text).map_err(|_| StoreError::Corrupt("new secret"))
}

/// A new id: `ep_` and the 32 hex digits of a `UUIDv7`.
///
/// # Errors
/// None that can happen.
pub fn new_endpoint_id() -> Result<EndpointId, StoreError> {
    EndpointId::parse(&new_id("ep")).map_err(|_| StoreError::Corrupt("new id"))
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
        for _ in 0..10_000 {
            let secret = new_secret().unwrap();
            assert!(secret.standard_key().is_some());
            assert!(seen.insert(secret.expose().to_owned()));
        }
    }
}
