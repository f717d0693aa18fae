//! An endpoint's signing secret: checked once where it enters, kept out of everything that is printed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

/// The prefix of a Standard Webhooks key; the key follows in base64.
const STANDARD_PREFIX: &str = "whsec_";

/// What one endpoint's requests are signed with: 16–256 printable ASCII characters, the first and last no
/// space.
///
/// It is never trimmed or changed in case, because one character more or less makes other signatures. It
/// can be neither compared nor printed nor serialised, so that no log, error or timing gives it away.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The fewest characters of a secret: with fewer, somebody who has seen one signed body could guess it.
    pub const MIN_LENGTH: usize = 16;

    /// The most characters of a secret: a 64-byte key in base64 has 94, and what is much longer is a pasted file.
    pub const MAX_LENGTH: usize = 256;

    /// Checks `text` and takes it as it is.
    ///
    /// # Errors
    /// [`InvalidSecret`] says what is wrong, without a character of the text.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        if text.is_empty() {
            return Err(InvalidSecret::Empty);
        }
        if text.trim().len() != text.len() {
            return Err(InvalidSecret::SurroundingWhitespace);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(InvalidSecret::Characters);
        }
        if !(Self::MIN_LENGTH..=Self::MAX_LENGTH).contains(&text.len()) {
            return Err(InvalidSecret::Length {
                characters: text.len(),
            });
        }
        Ok(Self(text.into()))
    }

    /// The secret itself.
    ///
    /// Public for the two places that need the text and not a signature: sealing it for the database, and
    /// showing it to its owner on request. It must go nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The key that Standard Webhooks signs with: what follows `whsec_`, decoded, if that is 24–64 bytes in
    /// the standard alphabet of base64 with its padding.
    ///
    /// Receivers' libraries differ on unpadded and URL-safe base64, so a secret that only some of them can
    /// read counts as none.
    #[must_use]
    pub fn standard_key(&self) -> Option<SecretSlice<u8>> {
        let encoded = self.expose().strip_prefix(STANDARD_PREFIX)?;
        let key = SecretSlice::from(STANDARD.decode(encoded).ok()?);
        (24..=64).contains(&key.expose_secret().len()).then_some(key)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a text is not a secret. None of the texts holds a part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// An empty text.
    #[error("the secret is empty; {ALLOWED}")]
    Empty,
    /// Whitespace before or after it, often a newline that came along when it was copied.
    #[error("the secret has whitespace before or after it, which would change every signature; remove it")]
    SurroundingWhitespace,
    /// A control character (a tab or a newline too) or a character beyond ASCII.
    #[error("the secret has a control character or a character beyond ASCII; {ALLOWED}")]
    Characters,
    /// Too short to be safe, or longer than any secret is.
    #[error("the secret is {characters} characters long; {ALLOWED}")]
    Length {
        /// How long it is.
        characters: usize,
    },
}

const ALLOWED: &str = "16 to 256 printable ASCII characters are allowed";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn key_length(text: &str) -> Option<usize> {
        Secret::parse(text)
            .unwrap()
            .standard_key()
            .map(|key| key.expose_secret().len())
    }

    #[test]
    fn any_printable_text_of_16_to_256_characters_is_a_secret_and_stays_as_it_is() {
        let all: String = ('!'..='~').collect();
        for good in [
            "0123456789abcdef",
            "WHSEC_0123456789",
            "correct horse battery staple",
            all.as_str(),
            &"x".repeat(256),
        ] {
            assert_eq!(Secret::parse(good).unwrap().expose(), good);
        }
    }

    #[test]
    fn a_secret_is_refused_and_never_trimmed() {
        let core = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(Secret::parse("").unwrap_err(), InvalidSecret::Empty);
        for around in ["\n", "\r\n", " ", "\t", "\u{a0}", "\u{85}"] {
            for bad in [format!("{core}{around}"), format!("{around}{core}")] {
                assert_eq!(
                    Secret::parse(&bad).unwrap_err(),
                    InvalidSecret::SurroundingWhitespace,
                    "{bad:?}"
                );
            }
        }
        for inside in ["\n", "\t", "\0", "\u{7f}", "é", "\u{200b}", "\u{feff}"] {
            assert_eq!(
                Secret::parse(&format!("{core}{inside}x")).unwrap_err(),
                InvalidSecret::Characters,
                "{inside:?}"
            );
        }
        for length in [1, 15, 257, 100_000] {
            assert_eq!(
                Secret::parse(&"x".repeat(length)).unwrap_err(),
                InvalidSecret::Length { characters: length }
            );
        }
    }

    #[test]
    fn neither_debug_nor_an_error_shows_the_secret() {
        let text = "whsec_MARKERMARKERMARKER";
        let secret = Secret::parse(text).unwrap();
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
        for bad in [format!("{text} "), format!("{text}\n{text}"), text.repeat(20)] {
            let fault = Secret::parse(&bad).unwrap_err();
            assert!(!format!("{fault} {fault:?}").contains("MARKER"));
        }
    }

    #[test]
    fn a_standard_key_is_24_to_64_bytes_in_padded_standard_base64() {
        for (length, expected) in [
            (23, None),
            (24, Some(24)),
            (32, Some(32)),
            (64, Some(64)),
            (65, None),
            (75, None),
        ] {
            let encoded = STANDARD.encode(vec![0xfb_u8; length]);
            assert_eq!(
                key_length(&format!("whsec_{encoded}")),
                expected,
                "{length} bytes"
            );
            assert_eq!(key_length(&encoded), None, "{length} bytes without the prefix");
            assert_eq!(
                key_length(&format!("WHSEC_{encoded}")),
                None,
                "{length} bytes, other case"
            );
            let url_safe = encoded.replace('+', "-").replace('/', "_");
            assert_eq!(
                key_length(&format!("whsec_{url_safe}")),
                None,
                "{length} bytes, URL-safe"
            );
        }
        let unpadded = STANDARD.encode([7_u8; 32]).replace('=', "");
        assert_eq!(key_length(&format!("whsec_{unpadded}")), None);
        // The last character's unused bits are not zero, so two texts would be one key.
        let encoded = STANDARD.encode([0_u8; 32]);
        let loose = format!("{}B=", &encoded[..encoded.len() - 2]);
        assert_eq!(key_length(&format!("whsec_{loose}")), None);
    }
}
