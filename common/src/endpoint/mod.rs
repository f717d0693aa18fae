//! An endpoint: where a company wants its events, in which format, signed with which keys, and which of them.

mod rate;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::ids::{CompanyId, EndpointId, EventType};
use crate::signature::SigningKeys;

pub use self::rate::{InvalidRate, Rate};

/// Where a company wants its events delivered. Built from the database or the endpoints file.
#[derive(Clone)]
pub struct Endpoint {
    /// Unique within its company.
    pub id: EndpointId,
    /// Whose events it gets.
    pub company: CompanyId,
    /// Where to, as it was registered. Hostile until the guard has passed it, at each attempt anew.
    pub url: String,
    /// How the request body is written and which signatures come with it.
    pub format: Format,
    /// Which events it wants.
    pub events: EventFilter,
    /// What its owner adds to each request; already checked by [`crate::guard::check_header`].
    pub headers: Vec<StaticHeader>,
    /// How many attempts it takes at most, over all replicas; without one, as many as it bears.
    pub rate: Option<Rate>,
    /// While true, matched events are failed at once instead of sent.
    pub disabled: bool,
    /// What its requests are signed with.
    pub keys: SigningKeys,
}

impl Endpoint {
    /// Whether this endpoint gets events of this type.
    #[must_use]
    pub fn wants(&self, event_type: &EventType) -> bool {
        self.events.matches(self.format, event_type)
    }
}

/// Only the names: URLs carry tokens in their queries.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("company", &self.company)
            .field("id", &self.id)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// A header that an endpoint's owner adds to each request.
#[derive(Clone, PartialEq, Eq)]
pub struct StaticHeader {
    /// Its name, as its owner wrote it.
    pub name: String,
    /// Its value, often a token of the receiver's, so it is never printed.
    pub value: String,
}

impl StaticHeader {
    /// The most static headers of one endpoint, so that the request's head stays one that receivers take.
    pub const MAX_PER_ENDPOINT: usize = 20;
}

impl fmt::Debug for StaticHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ***", self.name)
    }
}

/// How a request's body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// `{"id","type","createdAt","data"}`, signed with `Meeva-Signature` besides `webhook-signature`.
    #[default]
    Meeva,
    /// `{"event","data"}` with meetergo's own names of types.
    Meetergo,
    /// `{"webhookType", …the members of data…}` with meetergo's own names of types.
    MeetergoFlat,
    /// `{"type","timestamp","data"}`, as Standard Webhooks proposes.
    Standard,
}

/// Where meetergo's name of a type is not the type with underscores for dots.
const MEETERGO_NAMES: [(&str, &str); 2] = [
    ("employee.created", "new_employee"),
    ("form.submitted", "form_submission"),
];

impl Format {
    /// Every format, in the order in which they are listed to people.
    pub const ALL: [Self; 4] = [Self::Meeva, Self::Meetergo, Self::MeetergoFlat, Self::Standard];

    /// The name in settings, files and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Meeva => "meeva",
            Self::Meetergo => "meetergo",
            Self::MeetergoFlat => "meetergo-flat",
            Self::Standard => "standard",
        }
    }

    /// What this format's receivers call `event_type`: `booking_created` in the meetergo formats, and the
    /// type itself in the others.
    #[must_use]
    pub fn own_name(self, event_type: &EventType) -> Cow<'_, str> {
        let name = event_type.as_str();
        match self {
            Self::Meeva | Self::Standard => Cow::Borrowed(name),
            Self::Meetergo | Self::MeetergoFlat => MEETERGO_NAMES
                .iter()
                .find(|(dotted, _)| *dotted == name)
                .map_or_else(
                    || Cow::Owned(name.replace('.', "_")),
                    |(_, own)| Cow::Borrowed(*own),
                ),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = InvalidFormat;

    fn from_str(text: &str) -> Result<Self, InvalidFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or(InvalidFormat)
    }
}

/// A text that names no [`Format`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the format must be one of meeva, meetergo, meetergo-flat, standard")]
pub struct InvalidFormat;

/// Which events an endpoint wants: those that one of its patterns matches, or all where it has none. An event of Hookline's
/// own goes only where a pattern names its type in full, as it tells of endpoints and not of what a platform sends: neither
/// `*` nor `endpoint.*` nor an empty filter asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter(Vec<EventPattern>);

impl EventFilter {
    /// A filter of these patterns; without any it lets every event through that is not Hookline's own.
    #[must_use]
    pub fn new(patterns: Vec<EventPattern>) -> Self {
        Self(patterns)
    }

    /// The patterns, in the order given.
    #[must_use]
    pub fn patterns(&self) -> &[EventPattern] {
        &self.0
    }

    /// Whether an endpoint of this `format` gets events of this type. A pattern is held against the type
    /// and against the format's own name for it: `booking_created` means the same as `booking.created` to
    /// meetergo.
    #[must_use]
    pub fn matches(&self, format: Format, event_type: &EventType) -> bool {
        let own_name = format.own_name(event_type);
        if event_type.is_operational() {
            let names = [event_type.as_str(), &own_name];
            return self.0.iter().any(|pattern| names.contains(&pattern.as_str()));
        }
        if self.0.is_empty() {
            return true;
        }
        self.0
            .iter()
            .any(|pattern| pattern.matches(event_type.as_str()) || pattern.matches(&own_name))
    }
}

/// A pattern for event types: words joined by dots, of which each may be `*` for one or more whole words.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EventPattern(Box<str>);

impl EventPattern {
    /// The longest pattern, in bytes.
    pub const MAX_LENGTH: usize = 128;

    /// Checks `text` and takes it as a pattern.
    ///
    /// # Errors
    /// [`InvalidPattern`] says what is allowed.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let is_word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        };
        let is_allowed =
            text.len() <= Self::MAX_LENGTH && text.split('.').all(|word| word == "*" || is_word(word));
        if is_allowed {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPattern)
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `name` fits, whoever's event it is. Only the last star passed is ever given more, so many stars cost
    /// words times words at most.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut pattern = self.0.split('.');
        let mut words = name.split('.');
        let mut last_star = None;
        loop {
            match (pattern.next(), words.next()) {
                (None, None) => return true,
                (Some("*"), Some(_)) => last_star = Some((pattern.clone(), words.clone())),
                (Some(wanted), Some(word)) if wanted == word => {}
                // Each part of a pattern needs a word of its own, and giving a star more leaves fewer.
                (Some(_), None) => return false,
                (_, Some(_)) => {
                    let Some((after_star, rest)) = &mut last_star else {
                        return false;
                    };
                    if rest.next().is_none() {
                        return false;
                    }
                    (pattern, words) = (after_star.clone(), rest.clone());
                }
            }
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for EventPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        Self::parse(text)
    }
}

/// A text that is no [`EventPattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an event pattern must be words of a-z 0-9 _ or a lone * joined by dots, at most 128 characters \
     (booking.*)"
)]
pub struct InvalidPattern;

#[cfg(test)]
mod tests;
