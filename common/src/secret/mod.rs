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
mod tests;
