//! The API's bearer tokens: how they are written, told from other texts without asking anybody, and kept.
//!
//! `hk_`, 27 characters for 160 random bits, and 6 for a checksum; all of `[0-9A-Za-z]`. The prefix lets scanners find a token
//! that was committed by mistake, and the checksum lets them, and us, tell it from a text that only looks like one.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::crc32::crc32;

const PREFIX: &str = "hk_";
/// 62^27 is more than 2^160.
const RANDOM_LENGTH: usize = 27;
/// 62^6 is more than 2^32.
const CHECK_LENGTH: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A company's bearer token. Shown once, when it is made; what is kept of it is its [`TokenHash`].
#[derive(Clone)]
pub struct ApiToken(SecretString);

impl ApiToken {
    /// How many random bytes make a token.
    pub const RANDOM_BYTES: usize = 20;

    /// The token of these bytes, which must come from the system's source of randomness and be used for nothing else.
    #[must_use]
    pub fn from_random(bytes: [u8; Self::RANDOM_BYTES]) -> Self {
        let random = base62::<RANDOM_LENGTH>(&bytes);
        let mut token = format!("{PREFIX}{random}");
        token.push_str(&check(&token));
        Self(token.into())
    }

    /// Takes a text as a token if it is written as one and its checksum is right. Whether it is anybody's is for whoever keeps
    /// the hashes.
    ///
    /// # Errors
    /// [`InvalidToken`] tells how a token is written; the text itself is left out.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        let is_token = text.starts_with(PREFIX)
            && text.len() == PREFIX.len() + RANDOM_LENGTH + CHECK_LENGTH
            && text
                .bytes()
                .skip(PREFIX.len())
                .all(|byte| byte.is_ascii_alphanumeric());
        let given = text.split_at_checked(PREFIX.len() + RANDOM_LENGTH);
        match given {
            Some((token, given)) if is_token && check(token) == given => Ok(Self(text.into())),
            _ => Err(InvalidToken),
        }
    }

    /// The token itself, for the one answer that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it. A token has 160 random bits, so nobody can try through them, and a plain hash is enough.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.expose())
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(***)")
    }
}

/// The SHA-256 of a token. Two are compared in a time that tells nothing of where they differ.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of any bearer token, the operator's too, which is no [`ApiToken`].
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// A hash as it was kept.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As it is kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

/// Who sees a hash can still look it up where such hashes are kept.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(***)")
    }
}

/// A text that is no [`ApiToken`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an API token is hk_ and 33 letters and digits, the last of which are a checksum; copy it whole, as it was shown when it \
     was made"
)]
pub struct InvalidToken;

fn check(token: &str) -> String {
    base62::<CHECK_LENGTH>(&crc32(token.as_bytes()).to_be_bytes())
}

/// The number that `bytes` are, big end first, in `N` digits; `N` must be enough for it.
fn base62<const N: usize>(bytes: &[u8]) -> String {
    let mut number = bytes.to_vec();
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u16;
        for byte in &mut number {
            let value = remainder * 256 + u16::from(*byte);
            // A remainder is below 62, so this is below 256.
            *byte = u8::try_from(value / 62).unwrap_or_default();
            remainder = value % 62;
        }
        *digit = DIGITS.get(usize::from(remainder)).copied().unwrap_or(b'0');
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_written_in_sixty_two_digits() {
        assert_eq!(base62::<3>(&[0]), "000");
        assert_eq!(base62::<3>(&[61]), "00z");
        assert_eq!(base62::<3>(&[62]), "010");
        assert_eq!(base62::<6>(&[0xff; 4]), "4gfFC3");
        // The largest number has its digits all within.
        let largest = base62::<RANDOM_LENGTH>(&[0xff; ApiToken::RANDOM_BYTES]);
        assert!(
            largest.len() == RANDOM_LENGTH && !largest.starts_with('0'),
            "{largest}"
        );
    }

    #[test]
    fn a_slip_of_the_pen_is_found() {
        let token = ApiToken::from_random([7; 20]);
        let text = token.expose();
        assert_eq!(text.len(), 36);
        for at in 0..text.len() {
            for other in ["0", "z", "_", ""] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert!(changed == text || ApiToken::parse(&changed).is_err(), "{changed}");
            }
        }
        for bad in [
            "",
            "hk_",
            "hk_é",
            &text[..35],
            &format!("{text}0"),
            &format!(" {text}"),
            &text.replace("hk_", "hp_"),
        ] {
            assert_eq!(ApiToken::parse(bad).err(), Some(InvalidToken), "{bad}");
        }
        let many_bytes = "é".repeat(18);
        assert_eq!(many_bytes.len(), 36);
        assert!(ApiToken::parse(&many_bytes).is_err());
    }

    #[test]
    fn nothing_prints_a_token() {
        let token = ApiToken::from_random([7; 20]);
        let printed = format!("{token:?} {:?}", token.hash());
        assert_eq!(printed, "ApiToken(***) TokenHash(***)");
        // The published digest of "abc".
        assert_eq!(TokenHash::of("abc").as_bytes()[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    proptest! {
        #[test]
        fn every_token_is_read_again_and_has_a_hash_of_its_own(one: [u8; 20], other: [u8; 20]) {
            let token = ApiToken::from_random(one);
            let read = ApiToken::parse(token.expose()).unwrap();
            prop_assert_eq!(read.expose(), token.expose());
            let kept = TokenHash::from_bytes(*token.hash().as_bytes());
            prop_assert!(kept == read.hash());
            prop_assert_eq!(ApiToken::from_random(other).hash() == kept, one == other);
        }
    }
}
