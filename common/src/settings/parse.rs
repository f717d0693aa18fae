//! Readers of single values. Each refusal says what is allowed.

use std::time::Duration;

/// `250ms`, `30s`, `5m`, `2h`, `1d`; `None` for anything else.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
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

/// A duration between two others.
///
/// # Errors
/// Says what is allowed.
pub fn duration_within(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    duration(text)
        .filter(|duration| (least..=most).contains(duration))
        .ok_or_else(|| format!("must be a duration from {least:?} to {most:?}, like 500ms, 30s, 5m or 1h"))
}

/// A whole number between two others.
///
/// # Errors
/// Says what is allowed.
pub fn number_within(text: &str, least: u64, most: u64) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

/// `true` or `false`.
///
/// # Errors
/// Says what is allowed.
pub fn boolean(text: &str) -> Result<bool, &'static str> {
    text.parse().map_err(|_| "must be true or false")
}

/// `on` or `off`.
///
/// # Errors
/// Says what is allowed.
pub fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("must be on or off"),
    }
}

/// Comma-separated items; the first bad one is named.
///
/// # Errors
/// What is wrong with that item.
pub fn list<T, E: std::fmt::Display>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| parse(item).map_err(|error| format!("{item:?}: {error}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(duration("2h"), Some(Duration::from_secs(7200)));
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
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn lists_name_the_bad_item() {
        let numbers = |text| list(text, |item| number_within(item, 1, 9));
        assert_eq!(numbers(" 1, 2 ,,"), Ok(vec![1, 2]));
        assert_eq!(
            numbers("1,x"),
            Err("\"x\": must be a whole number from 1 to 9".to_owned())
        );
    }
}
