//! An event: what happened, to whom, when, and the bytes that describe it.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::ids::{CompanyId, EventId, EventType, InvalidId};
use crate::trace_context::TraceContext;

/// What happened once at a booking service, and is delivered to every endpoint that its company registered for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The same on every attempt, on every endpoint; receivers recognise duplicates by it.
    pub id: EventId,
    /// The tenant.
    pub company: CompanyId,
    /// What kind of thing happened.
    pub event_type: EventType,
    /// When it happened.
    pub created_at: CreatedAt,
    /// What the receiver is told, passed on byte for byte.
    pub data: Data,
    /// Where the publisher's trace stands, if it has one.
    pub trace: TraceContext,
}

impl Event {
    /// An event that happens now, with a new id.
    ///
    /// The id is made here and only here, so publishing the same `Event` again repeats it.
    ///
    /// # Errors
    /// [`InvalidEvent`] names the part that breaks a rule, and the rule.
    pub fn new(company: &str, event_type: &str, data: impl Into<Bytes>) -> Result<Self, InvalidEvent> {
        Ok(Self {
            id: EventId::new(),
            company: CompanyId::parse(company)?,
            event_type: EventType::parse(event_type)?,
            created_at: CreatedAt::now(),
            data: Data::new(data)?,
            trace: TraceContext::default(),
        })
    }

    /// An event whose data is `value` as `serde_json` writes it.
    ///
    /// # Errors
    /// As [`Event::new`], and when `value` does not serialise to a JSON object.
    pub fn with_json(company: &str, event_type: &str, value: &impl Serialize) -> Result<Self, InvalidEvent> {
        let data = serde_json::to_vec(value).map_err(|fault| InvalidData::NotJson(fault.to_string()))?;
        Self::new(company, event_type, data)
    }
}

/// Why something is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// An id, a company or a type has characters or a length that are not allowed.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// The data is not what a receiver may be sent.
    #[error(transparent)]
    Data(#[from] InvalidData),
}

/// An event's data: one JSON object in UTF-8, at most [`Data::MAX_BYTES`] long, kept exactly as it was written.
///
/// Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Data(Bytes);

impl Data {
    /// The longest data. With the widest envelope around it the request body stays within the 102,400 bytes
    /// that receivers' frameworks take by default.
    pub const MAX_BYTES: usize = 101_888;

    /// Checks that `bytes` are one JSON object and keeps them as they are.
    ///
    /// The text is only read through, never parsed into a tree: no depth is too deep and no number is changed.
    ///
    /// # Errors
    /// [`InvalidData`] says what is wrong.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, InvalidData> {
        let bytes = bytes.into();
        if bytes.len() > Self::MAX_BYTES {
            return Err(InvalidData::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| InvalidData::NotUtf8)?;
        if text.starts_with('\u{feff}') {
            return Err(InvalidData::ByteOrderMark);
        }
        serde_json::from_str::<serde::de::IgnoredAny>(text)
            .map_err(|fault| InvalidData::NotJson(fault.to_string()))?;
        if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
            return Err(InvalidData::NotAnObject);
        }
        Ok(Self(bytes))
    }

    /// The bytes, untouched.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes as the UTF-8 text that they were checked to be.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Payloads hold personal data, so only their length is ever printed.
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} bytes)", self.0.len())
    }
}

/// Why bytes are not an event's data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidData {
    /// Longer than receivers take.
    #[error("data is {bytes} bytes long; at most {} are allowed", Data::MAX_BYTES)]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("data is not UTF-8 text")]
    NotUtf8,
    /// Starts with U+FEFF, which JSON parsers refuse.
    #[error("data starts with a byte order mark; it must be UTF-8 without one")]
    ByteOrderMark,
    /// Not JSON; the text says where and why.
    #[error("data is not valid JSON: {0}")]
    NotJson(String),
    /// JSON, but an array, a string, a number, a boolean or null.
    #[error("data must be one JSON object, like {{\"booking\":…}}")]
    NotAnObject,
}

/// When an event happened, to the millisecond, between 1970 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CreatedAt(Timestamp);

impl CreatedAt {
    /// 9999-12-30T21:59:59Z: the last whole second before the latest time that the time library can hold.
    const LAST_SECOND: i64 = 253_402_207_199;

    /// The current time.
    #[must_use]
    pub fn now() -> Self {
        Self::from_timestamp(Timestamp::now()).unwrap_or(Self(Timestamp::UNIX_EPOCH))
    }

    /// Seconds since the epoch, if they lie in a year that four digits can write.
    #[must_use]
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        Self::from_timestamp(Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?)
    }

    /// An RFC 3339 time in UTC (`2024-01-15T14:30:00.250Z`); digits below the millisecond are cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if !is_rfc3339_utc(text) {
            return None;
        }
        Self::from_timestamp(text.parse().ok()?)
    }

    fn from_timestamp(at: Timestamp) -> Option<Self> {
        let is_allowed = (0..=Self::LAST_SECOND).contains(&at.as_second()) && at >= Timestamp::UNIX_EPOCH;
        let whole = Timestamp::from_millisecond(at.as_millisecond()).ok()?;
        is_allowed.then_some(Self(whole))
    }

    /// Whole seconds since the epoch, for the message's `timestamp`.
    #[must_use]
    pub fn as_seconds(self) -> u64 {
        u64::try_from(self.0.as_second()).unwrap_or_default()
    }

    /// RFC 3339 in UTC with three digits of fraction always, for the message's `created-at`.
    #[must_use]
    pub fn to_millis_text(self) -> String {
        format!("{:.3}", self.0)
    }
}

/// As receivers see it: RFC 3339 in UTC, with milliseconds only where they are not zero.
impl fmt::Display for CreatedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_nanosecond() == 0 {
            write!(f, "{:.0}", self.0)
        } else {
            write!(f, "{:.3}", self.0)
        }
    }
}

/// The shape `YYYY-MM-DDThh:mm:ss[.f…](Z|+00:00|-00:00)` of RFC 3339 §5.6. Whether such a day exists is left to the time library.
fn is_rfc3339_utc(text: &str) -> bool {
    let Some(rest) = ["Z", "z", "+00:00", "-00:00"]
        .iter()
        .find_map(|zone| text.strip_suffix(zone))
    else {
        return false;
    };
    let (seconds, fraction) = rest.split_at_checked(19).unwrap_or((rest, ""));
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let fits = seconds.len() == shape.len()
        && seconds.bytes().zip(shape).all(|(byte, &want)| match want {
            b'd' => byte.is_ascii_digit(),
            b'T' => byte.eq_ignore_ascii_case(&b'T'),
            _ => byte == want,
        });
    let fraction_fits = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|digits| {
            (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        });
    fits && fraction_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_one_json_object_and_stays_as_it_was_written() {
        for good in [
            "{}",
            " \n{ \"a\" : 1.0 , \"b\":1e3,\"c\":12345678901234567890 }\t",
            r#"{"\u00eb":"\ud800"}"#,
        ] {
            let data = Data::new(good.as_bytes().to_vec()).map(|data| data.as_bytes().to_vec());
            assert_eq!(data, Ok(good.as_bytes().to_vec()), "{good}");
        }
        for bad in [
            "",
            "   ",
            "[]",
            "1",
            "null",
            "\"{}\"",
            "{",
            "{}{}",
            "{a:1}",
            "{\"a\":01}",
            "\u{feff}{}",
            "{\"a\":NaN}",
            "\u{a0}{}",
        ] {
            assert!(Data::new(bad.as_bytes().to_vec()).is_err(), "{bad}");
        }
        assert_eq!(
            Data::new(vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']),
            Err(InvalidData::NotUtf8)
        );
    }

    #[test]
    fn data_may_nest_as_deeply_as_its_length_allows() {
        let depth = (Data::MAX_BYTES - 6) / 2;
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(Data::new(deep).is_ok());
    }

    #[test]
    fn data_is_allowed_up_to_its_longest_and_not_a_byte_more() {
        let of_length = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        assert!(Data::new(of_length(Data::MAX_BYTES)).is_ok());
        assert_eq!(
            Data::new(of_length(Data::MAX_BYTES + 1)),
            Err(InvalidData::TooLong { bytes: 101_889 })
        );
    }

    #[test]
    fn created_at_prints_a_fraction_only_where_there_is_one() {
        let printed = |text: &str| CreatedAt::parse(text).map(|at| at.to_string());
        assert_eq!(
            printed("2024-01-15T14:30:00.000Z").as_deref(),
            Some("2024-01-15T14:30:00Z")
        );
        assert_eq!(
            printed("2024-01-15T14:30:00.250Z").as_deref(),
            Some("2024-01-15T14:30:00.250Z")
        );
        assert_eq!(
            printed("2024-01-15T14:30:00.1239+00:00").as_deref(),
            Some("2024-01-15T14:30:00.123Z")
        );
        assert_eq!(
            CreatedAt::from_seconds(0).map(|at| at.to_string()).as_deref(),
            Some("1970-01-01T00:00:00Z")
        );
        assert_eq!(
            CreatedAt::parse("2024-01-15T14:30:00Z")
                .map(CreatedAt::to_millis_text)
                .as_deref(),
            Some("2024-01-15T14:30:00.000Z")
        );
    }

    #[test]
    fn created_at_refuses_other_zones_shapes_and_ages() {
        for bad in [
            "",
            "now",
            "2024-01-15",
            "2024-01-15T14:30:00",
            "2024-01-15T14:30:00+02:00",
            "2024-13-15T14:30:00Z",
            "2024-01-15 14:30:00Z",
            "1969-12-31T23:59:59Z",
            "2024-01-15T14:30:00.Z",
            "2024-01-15T14:30Z",
            "éééééééééZ",
        ] {
            assert_eq!(CreatedAt::parse(bad), None, "{bad}");
        }
        assert_eq!(CreatedAt::from_seconds(u64::MAX), None);
        assert_eq!(CreatedAt::from_seconds(300_000_000_000), None);
    }
}
