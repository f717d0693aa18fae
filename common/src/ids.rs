//! The names of things: every id is a type of its own, checked once where it enters.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

/// Why a text is not the id it was meant to be. The text itself is left out: it may be hostile and long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {allowed}")]
pub struct InvalidId {
    what: &'static str,
    allowed: &'static str,
}

impl InvalidId {
    pub(crate) fn new(what: &'static str, allowed: &'static str) -> Self {
        Self { what, allowed }
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $allowed:literal, $is_valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and takes it as the id.
            ///
            /// # Errors
            /// [`InvalidId`] names what is allowed.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { what: $what, allowed: $allowed })
                }
            }

            /// The id as it stands in messages, headers and logs.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id!(
    /// An event's id, the `webhook-id` of every attempt: 1–64 characters of `[A-Za-z0-9_-]`.
    ///
    /// A dot is not allowed, because it separates the signed parts in Standard Webhooks.
    EventId,
    "an event id",
    "1 to 64 characters of A-Z a-z 0-9 _ -",
    |text| has_length(text, 64) && text.bytes().all(|b| is_word(b) || b == b'-')
);

text_id!(
    /// The tenant whose endpoints an event goes to: 1–64 characters of `[A-Za-z0-9_.-]`, not `.` or `..`.
    CompanyId,
    "a company",
    "1 to 64 characters of A-Z a-z 0-9 _ . - (and not . or ..)",
    is_path_safe
);

text_id!(
    /// An endpoint's id, unique within its company: 1–64 characters of `[A-Za-z0-9_.-]`, not `.` or `..`.
    EndpointId,
    "an endpoint id",
    "1 to 64 characters of A-Z a-z 0-9 _ . - (and not . or ..)",
    is_path_safe
);

text_id!(
    /// What kind of thing happened: lower-case words joined by dots, at most 128 characters (`booking.created`).
    EventType,
    "an event type",
    "lower-case words of a-z 0-9 _ joined by dots, at most 128 characters (booking.created)",
    |text| has_length(text, 128)
        && text.split('.').all(|word| {
            !word.is_empty() && word.bytes().all(|b| is_word(b) && !b.is_ascii_uppercase())
        })
);

fn has_length(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Company and endpoint ids stand in URL paths, where `.` and `..` would mean something else.
fn is_path_safe(text: &str) -> bool {
    has_length(text, 64)
        && text.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
        && text != "."
        && text != ".."
}

impl EventId {
    /// A new id: `evt_` and the 32 hex digits of a `UUIDv7`, so that ids sort by time of creation.
    #[must_use]
    pub fn new() -> Self {
        let mut digits = Uuid::encode_buffer();
        let digits = Uuid::now_v7().simple().encode_lower(&mut digits);
        Self(["evt_", digits].concat().into())
    }
}

impl Default for EventId {
    fn default() -> Self {
        Self::new()
    }
}

impl EventType {
    /// An endpoint was disabled by Hookline: an event of Hookline's own.
    pub const ENDPOINT_DISABLED: &str = "endpoint.disabled";
    /// The types of Hookline's own events. They tell a company about its endpoints, and only those that name one get it.
    pub const OPERATIONAL: [&str; 1] = [Self::ENDPOINT_DISABLED];

    /// Whether events of this type are Hookline's own.
    #[must_use]
    pub fn is_operational(&self) -> bool {
        Self::OPERATIONAL.contains(&self.as_str())
    }

    /// How the type that `text` seems to mean is written, where it is one in another spelling: upper case, joined by
    /// hyphens, spaces, slashes or colons, or in camel case.
    #[must_use]
    pub fn suggest(text: &str) -> Option<Self> {
        let mut spelled = String::with_capacity(text.len());
        let mut was_lower = false;
        for c in text.chars() {
            match c {
                '-' | ' ' => spelled.push('_'),
                '/' | ':' => spelled.push('.'),
                c => {
                    if was_lower && c.is_ascii_uppercase() {
                        spelled.push('_');
                    }
                    spelled.push(c.to_ascii_lowercase());
                }
            }
            was_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        }
        Self::parse(&spelled)
            .ok()
            .filter(|spelled| spelled.as_str() != text)
    }

    /// The type with a dot in place of its last underscore, if it has no dot: what happened to a thing is its last word
    /// (`booking_created`, `booking.created`).
    #[must_use]
    pub fn with_dot(&self) -> Option<Self> {
        if self.as_str().contains('.') {
            return None;
        }
        let (thing, what_happened) = self.as_str().rsplit_once('_')?;
        Self::parse(&format!("{thing}.{what_happened}")).ok()
    }
}

/// Which attempt of a delivery: 1 for the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptNo(u16);

impl AttemptNo {
    /// The first attempt, and again the first after a manual retry.
    pub const FIRST: Self = Self(1);

    /// The highest number. A schedule has at most 20 delays, so whatever claims a higher one was not written by Hookline.
    pub const MAX: Self = Self(1000);

    /// The number as a type, if it lies in 1–1000.
    #[must_use]
    pub fn new(number: i64) -> Option<Self> {
        u16::try_from(number)
            .ok()
            .map(Self)
            .filter(|attempt| (Self::FIRST..=Self::MAX).contains(attempt))
    }

    /// The plain number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }

    /// The attempt after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1).min(Self::MAX.0))
    }
}

impl fmt::Display for AttemptNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_are_made_time_ordered_and_valid() {
        let first = EventId::new();
        let second = EventId::new();
        assert!(first < second);
        assert_eq!(first.as_str().len(), 4 + 32);
        assert_eq!(EventId::parse(first.as_str()), Ok(first));
    }

    #[test]
    fn ids_know_their_letters_and_lengths() {
        for good in ["a", "A-b_9", &"x".repeat(64)] {
            assert!(EventId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a.b", "a b", "é", &"x".repeat(65)] {
            assert!(EventId::parse(bad).is_err(), "{bad}");
        }
        for good in ["acme", "a.b", "...", &"x".repeat(64)] {
            assert!(CompanyId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", &"x".repeat(65)] {
            assert!(EndpointId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn event_types_are_lower_case_words_joined_by_dots() {
        for good in ["booking", "booking.created", "a_1.b.c", &"x".repeat(128)] {
            assert!(EventType::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "Booking",
            "a-b",
            "a.*",
            &"x".repeat(129),
        ] {
            assert!(EventType::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_spellings_of_event_types_are_recognised_and_not_taken() {
        for (text, suggested, dotted) in [
            ("BOOKING_CREATED", "booking_created", Some("booking.created")),
            ("booking-created", "booking_created", Some("booking.created")),
            ("Booking Created", "booking_created", Some("booking.created")),
            ("BookingCreated", "booking_created", Some("booking.created")),
            ("bookingNoShow", "booking_no_show", Some("booking_no.show")),
            ("Booking.Created", "booking.created", None),
            ("booking/created", "booking.created", None),
            ("BOOKING", "booking", None),
            ("-A-", "_a_", None),
        ] {
            assert!(EventType::parse(text).is_err(), "{text}");
            let suggestion = EventType::suggest(text);
            let with_dot = suggestion.as_ref().and_then(EventType::with_dot);
            assert_eq!(
                suggestion.as_ref().map(EventType::as_str),
                Some(suggested),
                "{text}"
            );
            assert_eq!(with_dot.as_ref().map(EventType::as_str), dotted, "{text}");
        }
        for hopeless in [
            "",
            "booking.created",
            "a..b",
            "böoking",
            "a\u{1b}b",
            &"X".repeat(129),
        ] {
            assert_eq!(EventType::suggest(hopeless), None, "{hopeless}");
        }
    }

    #[test]
    fn attempt_numbers_are_bounded_both_ways() {
        assert_eq!(AttemptNo::new(1), Some(AttemptNo::FIRST));
        for bad in [i64::MIN, -1, 0, 1001, 1_000_000_000, i64::MAX] {
            assert_eq!(AttemptNo::new(bad), None, "{bad}");
        }
        assert_eq!(AttemptNo::MAX.next(), AttemptNo::MAX);
    }
}
