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
        mistaken(text)?;
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
    /// The prefix of a Standard Webhooks key alone.
    #[error("the secret is `whsec_` with nothing behind it: the key itself is missing")]
    NoKey,
    /// `whsec_` with other text before it: of a signature header (`v1,`), of a line of settings, a quotation mark.
    #[error(
        "the secret has `whsec_` further inside it: give one secret alone, from its `whsec_` to its end, without `v1,`, a name or quotes before it"
    )]
    BeforePrefix,
    /// Quotation marks around it.
    #[error("the secret is in quotes, which would become a part of it; leave them out")]
    Quoted,
    /// The name of something that was to be put in its place.
    #[error(
        "the secret is a placeholder (like ${{NAME}}, {{{{ name }}}} or <secret>) that nothing has replaced; give the secret itself, or in an endpoints file secret_env or secret_file"
    )]
    Placeholder,
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

/// Finds what is no secret, but what people take for one: all these would sign, and no receiver would ever agree.
fn mistaken(text: &str) -> Result<(), InvalidSecret> {
    if text == STANDARD_PREFIX {
        return Err(InvalidSecret::NoKey);
    }
    if is_placeholder(text) || text.strip_prefix(STANDARD_PREFIX).is_some_and(is_placeholder) {
        return Err(InvalidSecret::Placeholder);
    }
    if text.get(1..).is_some_and(|rest| rest.contains(STANDARD_PREFIX)) {
        return Err(InvalidSecret::BeforePrefix);
    }
    if ['"', '\'', '`']
        .iter()
        .any(|quote| around(text, *quote, *quote).is_some())
    {
        return Err(InvalidSecret::Quoted);
    }
    Ok(())
}

/// Whether `text` is written as shells, templates or documents write the name of a value. A secret drawn at random is not.
fn is_placeholder(text: &str) -> bool {
    let is_name = |name: &str| {
        let mut letters = name.bytes();
        letters
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
    };
    let is_loud_name = |name: &str| is_name(name) && !name.bytes().any(|letter| letter.is_ascii_lowercase());
    // ${NAME}, also with a default (${NAME:-x}) and with text around it.
    let braces = || {
        let behind = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
        behind
            .map(|(inside, _)| inside.split([':', '-', '?', '=', '.']).next().unwrap_or_default())
            .any(is_name)
    };
    let template = || {
        let start = text.find("{{");
        start.is_some_and(|start| text.get(start..).is_some_and(|rest| rest.contains("}}")))
    };
    let command = || text.strip_prefix("$(").is_some_and(|rest| rest.ends_with(')'));
    let words = |inside: &str| {
        inside
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || b" _-.:".contains(&letter))
    };
    braces()
        || template()
        || command()
        || text.strip_prefix('$').is_some_and(is_loud_name)
        || around(text, '%', '%').is_some_and(is_loud_name)
        || around(text, '<', '>').is_some_and(words)
}

/// What stands between the two, if they stand around it.
fn around(text: &str, before: char, after: char) -> Option<&str> {
    text.strip_prefix(before)?.strip_suffix(after)
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
    fn what_is_only_taken_for_a_secret_is_refused_with_what_it_is() {
        use InvalidSecret::{BeforePrefix, NoKey, Placeholder, Quoted};
        let core = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        for (bad, why) in [
            ("whsec_", NoKey),
            ("${VAR}", Placeholder),
            ("${HOOKLINE_CRM_SECRET}", Placeholder),
            ("${CRM_SECRET:-whsec_MfKQ9r8GKYqr}", Placeholder),
            ("${{ secrets.CRM_SECRET }}", Placeholder),
            ("whsec_${CRM_SECRET_BASE64}", Placeholder),
            ("prefix-${crm_secret}-suffix", Placeholder),
            ("$CRM_WEBHOOK_SECRET", Placeholder),
            ("whsec_$CRM_WEBHOOK_SECRET", Placeholder),
            ("$(cat /run/secrets/crm)", Placeholder),
            ("{{ .Values.crm.secret }}", Placeholder),
            ("whsec_{{crm_secret}}", Placeholder),
            ("<secret>", Placeholder),
            ("<your webhook secret>", Placeholder),
            ("whsec_<base64 of 32 bytes>", Placeholder),
            ("%CRM_WEBHOOK_SECRET%", Placeholder),
            (&format!("v1,{core}"), BeforePrefix),
            (&format!("CRM_SECRET={core}"), BeforePrefix),
            (&format!("whsec_{core}"), BeforePrefix),
            (&format!("{core},{core}"), BeforePrefix),
            (&format!("{core} {core}"), BeforePrefix),
            (&format!("\"{core}\""), BeforePrefix),
            ("\"0123456789abcdef\"", Quoted),
            ("'0123456789abcdef'", Quoted),
            ("`0123456789abcdef`", Quoted),
        ] {
            assert_eq!(Secret::parse(bad).unwrap_err(), why, "{bad}");
        }
    }

    #[test]
    fn a_secret_may_look_a_little_like_a_placeholder() {
        for good in [
            "$aB3dE6gH9jK2mN5p",
            "$2b$10$N9qo8uLOickgx2ZMRZoMye",
            "a${0123456789abc}f",
            "}}0123456789ab{{",
            "<0123456789/abc>",
            "<0123456789abcdef",
            "%0123456789abcde%",
            "%x0123456789abcd%",
            "\"0123456789abcdef'",
            "whsec-0123456789ab",
            "v1,0123456789abcde",
        ] {
            assert_eq!(Secret::parse(good).unwrap().expose(), good);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_drawn_at_random_is_a_secret(text in "[A-Za-z0-9+/=_-]{16,256}") {
            let is_ours = text.get(1..).is_some_and(|rest| rest.contains(STANDARD_PREFIX));
            proptest::prop_assert!(is_ours || Secret::parse(&text).is_ok());
        }
    }

    #[test]
    fn neither_debug_nor_an_error_shows_the_secret() {
        let text = "whsec_MARKERMARKERMARKER";
        let secret = Secret::parse(text).unwrap();
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
        for bad in [
            format!("{text} "),
            format!("{text}\n{text}"),
            text.repeat(20),
            format!("v1,{text}"),
            format!("${{{text}}}"),
            "x".repeat(300) + "MARKER",
        ] {
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
