//! When an event happened: how it may be written, and how it is passed on.

use std::fmt;

use jiff::Timestamp;

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

    /// An RFC 3339 time, in UTC (`2024-01-15T14:30:00.250Z`) or with its offset (`2024-01-15T16:30:00.250+02:00`), which
    /// is the same. Digits below the millisecond are cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if !is_rfc3339(text) {
            return None;
        }
        Self::from_timestamp(text.parse().ok()?)
    }

    /// What a number that is no time in seconds seems to count, going by its size: with that unit it would be a time
    /// within reach.
    #[must_use]
    pub fn likely_unit(number: u64) -> Option<&'static str> {
        let units = [
            (1_000, "milliseconds"),
            (1_000_000, "microseconds"),
            (1_000_000_000, "nanoseconds"),
        ];
        let reads_as = |(per_second, _): &(u64, _)| Self::from_seconds(number / per_second).is_some();
        // The largest number of nanoseconds that a signed 64-bit integer holds is in 2262; beyond it is no clock's reading.
        let is_time = i64::try_from(number).is_ok() && Self::from_seconds(number).is_none();
        let unit = units.iter().find(|unit| is_time && reads_as(unit));
        unit.map(|(_, unit)| *unit)
    }

    fn from_timestamp(at: Timestamp) -> Option<Self> {
        let is_allowed = (0..=Self::LAST_SECOND).contains(&at.as_second()) && at >= Timestamp::UNIX_EPOCH;
        let whole = Timestamp::from_millisecond(at.as_millisecond()).ok()?;
        is_allowed.then_some(Self(whole))
    }

    /// The same as the time library has it.
    #[must_use]
    pub fn as_timestamp(self) -> Timestamp {
        self.0
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

/// The shape `YYYY-MM-DDThh:mm:ss[.f…](Z|+hh:mm|-hh:mm)` of RFC 3339 §5.6. Whether such a day exists is left to the time
/// library.
fn is_rfc3339(text: &str) -> bool {
    let rest = match text.strip_suffix(['Z', 'z']) {
        Some(rest) => rest,
        None => match text.split_at_checked(text.len().saturating_sub("+hh:mm".len())) {
            Some((rest, offset)) if is_offset(offset) => rest,
            _ => return false,
        },
    };
    let (seconds, fraction) = rest.split_at_checked(19).unwrap_or((rest, ""));
    let fraction_fits = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|digits| {
            (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        });
    has_shape(seconds, b"dddd-dd-ddTdd:dd:dd") && fraction_fits
}

/// Up to 23:59 each way, as RFC 3339 has it.
fn is_offset(text: &str) -> bool {
    (has_shape(text, b"+dd:dd") || has_shape(text, b"-dd:dd"))
        && text.get(1..3).is_some_and(|hours| hours < "24")
        && text.get(4..6).is_some_and(|minutes| minutes < "60")
}

/// Whether `text` is like `shape`, where a `d` is any digit and letters may have either case.
fn has_shape(text: &str, shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape).all(|(byte, &want)| match want {
            b'd' => byte.is_ascii_digit(),
            _ => byte.eq_ignore_ascii_case(&want),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn created_at_may_have_an_offset_and_is_the_same_time_in_utc() {
        for (text, utc) in [
            ("2024-01-15T14:30:00Z", "2024-01-15T14:30:00Z"),
            ("2024-01-15t14:30:00z", "2024-01-15T14:30:00Z"),
            ("2024-01-15T14:30:00+00:00", "2024-01-15T14:30:00Z"),
            ("2024-01-15T14:30:00-00:00", "2024-01-15T14:30:00Z"),
            ("2024-01-15T16:30:00+02:00", "2024-01-15T14:30:00Z"),
            ("2024-01-15T20:00:00.250+05:30", "2024-01-15T14:30:00.250Z"),
            ("2023-12-31T19:30:00.123456-05:00", "2024-01-01T00:30:00.123Z"),
            ("2024-03-01T00:30:00+23:59", "2024-02-29T00:31:00Z"),
            ("1970-01-01T01:00:00+01:00", "1970-01-01T00:00:00Z"),
        ] {
            let read = CreatedAt::parse(text).map(|at| at.to_string());
            assert_eq!(read.as_deref(), Some(utc), "{text}");
        }
    }

    #[test]
    fn created_at_refuses_other_shapes_and_ages() {
        for bad in [
            "",
            "Z",
            "+00:00",
            "now",
            "2024-01-15",
            "2024-01-15T14:30:00",
            "2024-01-15T14:30:00+0200",
            "2024-01-15T14:30:00+02",
            "2024-01-15T14:30:00+24:00",
            "2024-01-15T14:30:00+02:60",
            "2024-01-15T14:30:00 02:00",
            "2024-01-15T14:30:00+02:00Z",
            "2024-01-15T14:30:00+02:00[Europe/Berlin]",
            "2024-01-15T14:30:00,5+02:00",
            "2024-01-15T14:30:00.1234567890Z",
            "2024-13-15T14:30:00Z",
            "2024-02-30T14:30:00+02:00",
            "2024-01-15 14:30:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:59:59+01:00",
            "9999-12-31T23:59:59-02:00",
            "2024-01-15T14:30:00.Z",
            "2024-01-15T14:30Z",
            "éééééééééZ",
            "é+02:00",
            "2024-01-15T14:30:00é2:00",
        ] {
            assert_eq!(CreatedAt::parse(bad), None, "{bad}");
        }
        assert_eq!(CreatedAt::from_seconds(u64::MAX), None);
        assert_eq!(CreatedAt::from_seconds(300_000_000_000), None);
    }

    #[test]
    fn numbers_that_are_no_seconds_show_what_they_count() {
        for (number, unit) in [
            (0, None),
            (1_705_329_000, None),
            (253_402_207_199, None),
            (253_402_207_200, Some("milliseconds")),
            (1_705_329_000_123, Some("milliseconds")),
            (1_705_329_000_123_456, Some("microseconds")),
            (1_705_329_000_123_456_789, Some("nanoseconds")),
            (u64::MAX, None),
        ] {
            assert_eq!(CreatedAt::likely_unit(number), unit, "{number}");
        }
    }
}
