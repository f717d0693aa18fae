//! Readers of single values. Each refusal says what is allowed.

use std::time::Duration;

pub use crate::duration::parse as duration;
pub use crate::size::parse as size;

/// A duration between two others.
///
/// # Errors
/// Says what is allowed.
pub fn duration_within(text: &str, min: Duration, max: Duration) -> Result<Duration, String> {
    duration(text)
        .filter(|duration| (min..=max).contains(duration))
        .ok_or_else(|| format!("must be a duration from {min:?} to {max:?}, like 500ms, 30s, 5m or 1h"))
}

/// A whole number between two others.
///
/// # Errors
/// Says what is allowed.
pub fn number_within(text: &str, min: u64, max: u64) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
}

/// How many bytes the stream of attempts may take: two of its files, of 50 MB each, at least.
///
/// # Errors
/// Says what is allowed.
pub fn attempts_max_bytes(text: &str) -> Result<u64, &'static str> {
    const ALLOWED: std::ops::RangeInclusive<u64> = 100_000_000..=1_000_000_000_000_000;
    size(text)
        .filter(|bytes| ALLOWED.contains(bytes))
        .ok_or("must be a size from 100MB to 1000TB, like 10GB, 500MB or 20GiB")
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

/// `RUST_LOG` directives without the white space around each of them, on which their parser miscounts: it would take `info, h2=warn`
/// for another filter, and panic at a space that is not ASCII.
#[must_use]
pub fn log_directives(text: &str) -> String {
    let directives: Vec<&str> = text.split(',').map(str::trim).collect();
    directives.join(",")
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
        .map(|item| parse(item).map_err(|error| format!("{:?}: {error}", start(item))))
        .collect()
}

/// Enough of an item to recognise it by.
fn start(item: &str) -> &str {
    const LETTERS: usize = 100;
    item.char_indices()
        .nth(LETTERS)
        .map_or(item, |(end, _)| &item[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_log_directives_changes_nothing() {
        assert_eq!(
            log_directives(" info , h2=warn,\u{2028}hyper=off"),
            "info,h2=warn,hyper=off"
        );
        assert_eq!(log_directives("info,[a{b=c d}]=warn"), "info,[a{b=c d}]=warn");
    }

    #[test]
    fn the_stream_has_room_for_two_of_its_files() {
        assert_eq!(attempts_max_bytes("100MB"), Ok(100_000_000));
        assert_eq!(attempts_max_bytes("10GB"), Ok(10_000_000_000));
        for bad in ["99MB", "0", "10", "10 G", "unlimited", "1001TB"] {
            assert!(attempts_max_bytes(bad).is_err(), "{bad}");
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
        let long = numbers(&"x".repeat(10_000)).unwrap_err();
        assert!(long.len() < 200, "{long}");
    }
}
