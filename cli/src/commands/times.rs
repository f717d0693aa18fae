//! Times as commands are told them and tell them: `--since` means the same wherever there is one.

use std::time::SystemTime;

use hookline_common::settings::parse;
use jiff::Timestamp;

/// A duration until now, or a time.
pub(super) fn since(text: &str) -> Result<Timestamp, String> {
    since_at(
        text,
        Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX),
    )
}

fn since_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let ago = |duration| now.checked_sub(duration).ok();
    let at = parse::duration(text).and_then(ago).or_else(|| text.parse().ok());
    at.ok_or_else(|| "must be a duration like 30m, 2h or 7d, or a time like 2030-01-15T14:30:00Z".to_owned())
}

/// How long ago, in the largest whole unit.
pub(super) fn age(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second()).max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn since_is_a_duration_or_a_time() {
        let now: Timestamp = "2030-01-15T14:30:00Z".parse().unwrap();
        assert_eq!(since_at("2h", now), Ok("2030-01-15T12:30:00Z".parse().unwrap()));
        assert_eq!(
            since_at("2030-01-01T00:00:00+01:00", now),
            Ok("2029-12-31T23:00:00Z".parse().unwrap())
        );
        for bad in ["", "2", "yesterday", "2030-01-01", "99999999999999999d", "-2h"] {
            assert!(since_at(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn ages_have_one_unit() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (seconds, expected) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (7200, "2h"),
            (172_800, "2d"),
            (-5, "0s"),
        ] {
            assert_eq!(age(at(1_000_000 + seconds), at(1_000_000)), expected);
        }
    }
}
