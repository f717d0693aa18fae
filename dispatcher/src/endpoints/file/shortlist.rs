//! Long lists in short log lines: the first few and a count.

use std::fmt::Display;

/// How many items a log line names: enough to see what they have in common, and readable on one screen.
pub(super) const MAX_SHOWN: usize = 20;

/// How much of one item is shown, in characters: more than any text of our own has.
const MAX_ITEM_CHARS: usize = 400;

/// The first [`MAX_SHOWN`] items, and how many there are besides: `a, b, and 79,980 more`.
pub(super) fn shortlist(items: &[impl Display], separator: &str) -> String {
    shortlist_of(items, items.len(), separator)
}

/// The same of so many in all, of which at least those that are shown are at hand.
pub(super) fn shortlist_of(first: &[impl Display], count: usize, separator: &str) -> String {
    let shown = first.iter().take(MAX_SHOWN).map(shortened);
    let more = count.saturating_sub(first.len().min(MAX_SHOWN));
    let rest = (more > 0).then(|| format!("and {} more", grouped(more)));
    shown.chain(rest).collect::<Vec<_>>().join(separator)
}

fn shortened(item: &impl Display) -> String {
    let text = item.to_string();
    match text.char_indices().nth(MAX_ITEM_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A number with commas between its thousands.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_twenty_are_named_and_the_rest_is_counted() {
        let items: Vec<usize> = (1..=80_000).collect();
        let text = shortlist(&items, ", ");
        assert!(
            text.starts_with("1, 2, ") && text.ends_with(", 20, and 79,980 more"),
            "{text}"
        );
        assert_eq!(shortlist(&items[..2], ", "), "1, 2");
        assert_eq!(shortlist(&items[..20], ",").matches(',').count(), 19);
        assert_eq!(shortlist(&[] as &[usize], ","), "");
        assert!(shortlist(&["ä".repeat(100_000)], ",").len() < 1000);
    }

    #[test]
    fn thousands_are_told_apart() {
        let shown = [0, 999, 1000, 12_345, 123_456, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "123,456", "1,234,567"]);
    }
}
