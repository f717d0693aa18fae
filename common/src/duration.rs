//! Durations as people write them, in settings and schedules alike.

use std::time::Duration;

/// `250ms`, `30s`, `5m`, `2h`, `1d`; `None` for anything else.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3600),
        "d" => seconds(24 * 3600),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse("2h"), Some(Duration::from_secs(7200)));
        for bad in [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "5M",
            "99999999999999999999d",
            "1d1h",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
