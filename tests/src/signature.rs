//! Both signatures computed anew, as a receiver does who read the specification and not our code.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// Standard Webhooks' signature: over id, time and body, with what the secret decodes to.
///
/// # Panics
/// When the secret is none of that scheme.
#[must_use]
pub fn standard(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").expect("whsec_"))
        .expect("base64");
    let mac = hmac(&key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
    format!("v1,{}", STANDARD.encode(mac))
}

/// Meeva's signature: over the body, with the whole secret as it is written.
#[must_use]
pub fn meeva(secret: &str, body: &[u8]) -> String {
    let hex: String = hmac(secret.as_bytes(), &[body])
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256={hex}")
}
