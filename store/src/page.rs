//! Lists, a page at a time: each goes on behind the last row of the one before, so that nothing is skipped or told twice
//! whatever is added or removed meanwhile.

use std::fmt;

/// Where a list goes on. It means something within one company's list only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub(crate) i64);

impl Cursor {
    /// Reads what its `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex(text.strip_prefix('c')?).map(Self)
    }
}

/// The number that these digits are, written in one way only.
pub(crate) fn hex(digits: &str) -> Option<i64> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.is_empty() || !digits.bytes().all(is_hex) {
        return None;
    }
    i64::from_str_radix(digits, 16).ok()
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:x}", self.0)
    }
}

/// Some rows, and where the next ones begin, if there are more.
#[derive(Debug, Clone)]
pub struct Page<T, C = Cursor> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins.
    pub next: Option<C>,
}

impl<T> Page<T> {
    /// A page of rows of which one more than `limit` was asked for.
    pub(crate) fn of(items: Vec<T>, limit: u32, position: impl Fn(&T) -> i64) -> Self {
        Self::after(items, limit, |item| Cursor(position(item)))
    }
}

impl<T, C> Page<T, C> {
    /// The same where it takes more than a number to say behind which row the next page begins.
    pub(crate) fn after(mut items: Vec<T>, limit: u32, place: impl Fn(&T) -> C) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(place);
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_they_were_written_and_nothing_else_is() {
        for position in [0, 1, 255, i64::MAX] {
            let cursor = Cursor(position);
            assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
        for bad in [
            "",
            "c",
            "1",
            "c-1",
            "c+1",
            "cA",
            "c 1",
            "cffffffffffffffff",
            "c1\0",
        ] {
            assert_eq!(Cursor::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_last_page_has_no_next() {
        let page = |rows: i64| Page::of((1..=rows).collect(), 2, |row| *row);
        assert_eq!(page(2).next, None);
        assert_eq!((page(3).items, page(3).next), (vec![1, 2], Some(Cursor(2))));
        assert_eq!(page(0).next, None);
    }
}
