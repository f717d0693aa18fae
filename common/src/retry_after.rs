//! `Retry-After` (RFC 9110, §10.2.3) as a refusal may carry it: 429, 502, 503 or 504. Receivers may write anything there.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// An HTTP date has 29 characters and the largest number of seconds 20; what is twice as long is neither.
const MAX_BYTES: usize = 64;
/// The one date format that servers may send; the obsolete two are ignored.
const IMF_FIXDATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// How long the receiver asks to be left alone, counted from `now`. Anything but whole seconds or an IMF-fixdate in
/// the future is ignored.
#[must_use]
pub fn parse(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if value.is_empty() || value.len() > MAX_BYTES {
        return None;
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that does not fit is longer than any delay, and callers cut it to the longest that they have.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date: DateTime = strtime::parse(IMF_FIXDATE, value).ok()?.to_datetime().ok()?;
    // By the calendar: the last day that a date can name, which some write for "never", has no timestamp.
    let now = now.to_zoned(TimeZone::UTC).datetime();
    Duration::try_from(date.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Option<u64> {
        parse(value, Timestamp::UNIX_EPOCH).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_dates_in_the_future_are_understood() {
        assert_eq!(parsed("0"), Some(0));
        assert_eq!(parsed(" 120 "), Some(120));
        assert_eq!(parsed("Thu, 01 Jan 1970 00:02:00 GMT"), Some(120));
        assert_eq!(parsed(&"9".repeat(40)), Some(u64::MAX));
        assert_eq!(parsed("Fri, 31 Dec 9999 23:59:59 GMT"), Some(253_402_300_799));
    }

    #[test]
    fn everything_else_is_ignored() {
        for bad in [
            "",
            "abc",
            "-1",
            "+5",
            "1.5",
            "1e9",
            "Wed, 31 Dec 1969 23:59:00 GMT",
            "Thu, 01 Jan 1970 00:02:00 +0000",
            "Thursday, 01-Jan-70 00:02:00 GMT",
            "Thu Jan  1 00:02:00 1970",
            "Thu, 01 Jan (((((comment))))) 1970 00:02:00 GMT",
            "Thu, 99 Jan 1970 00:02:00 GMT",
            &"9".repeat(65),
            &"(".repeat(10_000_000),
        ] {
            assert_eq!(parsed(bad), None, "{:.80}", bad);
        }
    }
}
