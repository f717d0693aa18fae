//! The headers of a message, made such that the client library can read them: a table of named values, in which
//! anything may be nested. Walked without recursion, once, whatever the nesting.
//!
//! The layout is AMQP 0-9-1's (§4.2.5) with the type letters of RabbitMQ's dialect, which differ from the standard's.

use std::cmp::Reverse;
use std::ops::Range;

use super::cursor::Cursor;
use crate::headers::{Extent, Headers, left_out};

/// How deep tables and arrays may be nested in the headers. The message format allows 8, and what lies between is judged
/// and named there; the client library needs some kilobytes of stack for each level, and has two megabytes.
pub(super) const MAX_DEPTH: usize = 16;

/// How many values the headers may hold in all: as many as the message format allows, and more than we and the broker ever add to them,
/// so that what we publish is read whole wherever it comes from again. Some of a sender's own under such names are read, too.
pub(super) const MAX_VALUES: usize = Extent::MAX_VALUES + 256;

/// The name under which bytes are found that could not be read as headers.
const UNREAD: &str = Headers::UNREAD;
const LONG_STRING: u8 = b'S';
const BYTES: u8 = b'x';
const TABLE: u8 = b'F';
const ARRAY: u8 = b'A';

/// What stands around the text of a value: its type and the length of the text.
pub(super) const AROUND_VALUE: usize = 1 + 4;
/// What stands around a name and the text of its value: the length of the name; the value's type and the length of the text.
const AROUND_TEXT: usize = 1 + AROUND_VALUE;
/// Values that are no longer than this, with type and length, are never left out: no company, and no endpoint's id, is as long.
const MAX_KEPT_VALUE: usize = 256;
/// The shortest entry: a name of no bytes, and a value of none.
const SHORTEST_ENTRY: usize = 2;

/// A table or an array that is being walked.
#[derive(Clone, Copy)]
struct Open {
    /// Where its type stands; a table that is no value has none.
    kind_at: Option<usize>,
    end: usize,
    has_names: bool,
    /// How many values were left before its own.
    left_before: usize,
}

impl Open {
    /// Values without names, up to `end`.
    fn values(end: usize) -> Self {
        Self {
            kind_at: None,
            end,
            has_names: false,
            left_before: 0,
        }
    }
}

/// What stands at a place of a table or an array.
enum Found {
    Value,
    Container {
        kind_at: usize,
        end: usize,
        has_names: bool,
    },
}

/// Walks the table that begins at the cursor, and mends it; the cursor stands behind it then. None where the table itself
/// does not lie before `end`, or has room for no entry.
pub(super) fn mend(cursor: &mut Cursor<'_>, end: usize) -> Option<()> {
    let end = cursor.counted(end)?;
    let start = cursor.at();
    if end > start && end - start < SHORTEST_ENTRY {
        return None;
    }
    let mut open = Open {
        kind_at: None,
        end,
        has_names: true,
        left_before: MAX_VALUES,
    };
    let mut outer: Vec<Open> = Vec::new();
    let mut left = MAX_VALUES;
    // The last entry in whose place there is room for the whole name: without that nobody would know what it says.
    let mut markable = start;
    let latest = end.saturating_sub(AROUND_TEXT + UNREAD.len());
    loop {
        if cursor.at() >= open.end {
            let Some(parent) = outer.pop() else {
                return Some(());
            };
            open = parent;
            continue;
        }
        if outer.is_empty() && cursor.at() <= latest {
            markable = cursor.at();
        }
        let found = if left == 0 { None } else { read(cursor, open) };
        left = left.saturating_sub(1);
        match (found, open.kind_at) {
            (Some(Found::Container { kind_at, end, .. }), _) if outer.len() == MAX_DEPTH => {
                cursor.put(kind_at, LONG_STRING);
                cursor.go_to(end);
            }
            (
                Some(Found::Container {
                    kind_at,
                    end,
                    has_names,
                }),
                _,
            ) => {
                outer.push(open);
                open = Open {
                    kind_at: Some(kind_at),
                    end,
                    has_names,
                    left_before: left,
                };
            }
            (Some(Found::Value), _) => {}
            // What cannot be read within a value makes the value a text.
            (None, Some(kind_at)) => {
                cursor.put(kind_at, LONG_STRING);
                cursor.go_to(open.end);
                left = open.left_before;
            }
            // In the headers themselves it becomes an entry of its own, together with all that stands behind it, and what stands
            // before it as far as there is no room otherwise.
            (None, None) => {
                write_unread(cursor.rewrite(markable, open.end));
                cursor.go_to(open.end);
            }
        }
    }
}

/// Where the values stand, with types and lengths, that may be left out of the entries that begin at the cursor and end at `end`; those
/// that are to be left out before others come first.
pub(super) fn long_values(cursor: &mut Cursor<'_>, end: usize) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    while cursor.at() < end {
        let Some(name) = cursor.text(end) else {
            break;
        };
        // Nobody reads what the broker writes or acts on, and it is not published again.
        let is_steering = Headers::is_steering(name);
        let start = cursor.at();
        match read(cursor, Open::values(end)) {
            Some(Found::Value) => {}
            Some(Found::Container { end, .. }) => cursor.go_to(end),
            None => break,
        }
        if cursor.at() - start > MAX_KEPT_VALUE {
            values.push((is_steering, start..cursor.at()));
        }
    }
    values.sort_by_key(|(is_steering, value)| (!is_steering, Reverse(value.len())));
    values.into_iter().map(|(_, value)| value).collect()
}

/// Writes, into `room` bytes, what stands in place of a value of `length` bytes: both with type and length of the text.
pub(super) fn write_left_out(into: &mut Vec<u8>, length: usize, room: usize) -> Option<()> {
    let text_len = room.checked_sub(AROUND_VALUE)?;
    into.push(BYTES);
    into.extend_from_slice(&u32::try_from(text_len).ok()?.to_be_bytes());
    let start = into.len();
    into.resize(start + text_len, 0);
    let place = into.get_mut(start..)?;
    left_out::write(place, u32::try_from(length.checked_sub(AROUND_VALUE)?).ok()?);
    Some(())
}

/// Of entries that begin at the cursor and are to end at `end`, where something stood behind it: makes one that says that it was not
/// read of the one that goes beyond, or of the last one where none does, so that the end is never taken for all; with those before
/// it, where there is no room for the whole name. None, and nothing is done, where there is none at all.
pub(super) fn mark_cut(cursor: &mut Cursor<'_>, end: usize) -> Option<()> {
    let latest = end.checked_sub(AROUND_TEXT + UNREAD.len())?;
    let open = Open {
        has_names: true,
        ..Open::values(end)
    };
    let mut marked = None;
    while cursor.at() <= latest {
        marked = Some(cursor.at());
        match read(cursor, open) {
            Some(Found::Value) => {}
            Some(Found::Container { end, .. }) => cursor.go_to(end),
            None => break,
        }
    }
    write_unread(cursor.rewrite(marked?, end));
    Some(())
}

/// Reads what stands at the cursor, and stops behind it, or before the values that it contains.
fn read(cursor: &mut Cursor<'_>, open: Open) -> Option<Found> {
    let end = open.end;
    if open.has_names {
        cursor.short_string(end)?;
    }
    let kind_at = cursor.at();
    match cursor.octet(end)? {
        b'V' => {}
        b't' | b'b' | b'B' => cursor.skip(1, end)?,
        b's' | b'U' | b'u' => cursor.skip(2, end)?,
        b'I' | b'i' | b'f' => cursor.skip(4, end)?,
        b'D' => cursor.skip(5, end)?,
        b'l' | b'L' | b'd' | b'T' => cursor.skip(8, end)?,
        LONG_STRING | BYTES => {
            let its_end = cursor.counted(end)?;
            cursor.go_to(its_end);
        }
        kind @ (TABLE | ARRAY) => {
            return Some(Found::Container {
                kind_at,
                end: cursor.counted(end)?,
                has_names: kind == TABLE,
            });
        }
        _ => return None,
    }
    Some(Found::Value)
}

/// Makes one entry of all these bytes, at least [`SHORTEST_ENTRY`]: its name says that they were not read, and its value
/// is what remains of them.
pub(super) fn write_unread(bytes: &mut [u8]) {
    let (name_len, has_text) = match bytes.len().checked_sub(AROUND_TEXT) {
        Some(room) => (UNREAD.len().min(room), true),
        None => (bytes.len().saturating_sub(SHORTEST_ENTRY), false),
    };
    let text_len = bytes.len().saturating_sub(AROUND_TEXT + name_len);
    let head = u8::try_from(name_len)
        .into_iter()
        .chain(UNREAD.bytes().take(name_len))
        .chain([if has_text { LONG_STRING } else { b'V' }])
        .chain(u32::try_from(text_len).unwrap_or(0).to_be_bytes());
    for (place, byte) in bytes.iter_mut().zip(head) {
        *place = byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a table, after it was mended.
    fn mended(entries: &[u8]) -> (Vec<u8>, bool) {
        let length = u32::try_from(entries.len()).unwrap();
        let mut bytes = [&length.to_be_bytes(), entries].concat();
        let mut cursor = Cursor::new(&mut bytes);
        let end = cursor.len();
        assert_eq!(mend(&mut cursor, end), Some(()));
        assert_eq!(cursor.at(), end, "it stands behind the table");
        let is_changed = cursor.is_changed;
        (bytes.split_off(4), is_changed)
    }

    fn untouched(entries: &[u8]) {
        assert_eq!(mended(entries), (entries.to_vec(), false), "{entries:?}");
    }

    #[test]
    fn every_type_that_the_broker_passes_on_is_walked_over_by_its_own_length() {
        untouched(b"");
        for (kind, length) in [
            ("V", 0),
            ("tbB", 1),
            ("sUu", 2),
            ("Iif", 4),
            ("D", 5),
            ("lLdT", 8),
        ] {
            for kind in kind.bytes() {
                // 0xff is no type and no UTF-8: a wrong length would run into it.
                let entry = [&[1, b'a', kind][..], &vec![0xff; length]].concat();
                untouched(&[&entry[..], &entry].concat());
            }
        }
        untouched(
            b"\x01aS\0\0\0\x02\xff\xfe\x01bx\0\0\0\x01\xff\x01cF\0\0\0\x03\x01dV\x01eA\0\0\0\x02VV\x00V",
        );
    }

    #[test]
    fn names_are_made_utf8_wherever_they_stand() {
        let (made, _) = mended(b"\x02\xffaV\x01bF\0\0\0\x03\x01\xfeV");
        assert_eq!(made, b"\x02?aV\x01bF\0\0\0\x03\x01?V");
    }

    #[test]
    fn what_cannot_be_read_within_a_value_makes_the_value_a_text_and_what_follows_is_read() {
        for inner in [
            &b"\x01az"[..],
            b"\x05a",
            b"\x01aS\0\0\0\x09",
            b"\x01al\0",
            b"\xff",
        ] {
            let wrap = |kind: u8| {
                let length = u8::try_from(inner.len()).unwrap();
                [&[1, b'b', kind, 0, 0, 0, length][..], inner, b"\x01c"].concat()
            };
            // The name behind it is made UTF-8, so it was reached.
            let (made, _) = mended(&[&wrap(TABLE)[..], b"V\x01\xffV"].concat());
            assert_eq!(made, [&wrap(LONG_STRING)[..], b"V\x01?V"].concat(), "{inner:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_among_the_headers_becomes_one_entry_that_says_so() {
        let (made, _) = mended(b"\x01at\x01\x01bz0123456789abcdefghijk");
        assert_eq!(made, b"\x01at\x01\x0eunread-headersS\0\0\0\x04hijk");
        for (length, expected) in [
            (2, &b"\x00V"[..]),
            (3, b"\x01uV"),
            (5, b"\x03unrV"),
            (6, b"\x00S\0\0\0\0"),
            (8, b"\x02unS\0\0\0\0"),
        ] {
            // A name that is longer than the table.
            let (made, _) = mended(&vec![0xff; length]);
            assert_eq!(made, expected, "{length}");
        }
    }

    /// Whoever looks for the name must find it, as what was not read may be what made the message a delivery to one endpoint.
    #[test]
    fn what_was_not_read_has_its_whole_name_however_little_it_was() {
        let whole = b"\x01at\x01".repeat(10);
        for length in 1..40 {
            let (made, _) = mended(&[&whole[..], &vec![0xff; length]].concat());
            let name = b"\x0eunread-headersS";
            let at = made.windows(name.len()).position(|bytes| bytes == name);
            let at = at.unwrap_or_else(|| panic!("{length}: {made:?}"));
            assert_eq!(made[..at], whole[..at], "{length}");
            // No more of what was read goes than makes room for it.
            assert!(
                whole.len() - at < 24_usize.saturating_sub(length).max(1),
                "{length}: {at}"
            );
        }
    }

    #[test]
    fn a_table_without_room_for_an_entry_or_beyond_its_end_is_not_mended_here() {
        for mut bytes in [vec![0, 0, 0, 1, 0], vec![0, 0, 0, 2, 0], vec![0, 0, 0]] {
            let mut cursor = Cursor::new(&mut bytes);
            let end = cursor.len();
            assert_eq!(mend(&mut cursor, end), None);
        }
    }

    #[test]
    fn more_values_than_the_limit_become_a_text_where_they_stand() {
        let many = vec![b'V'; MAX_VALUES];
        let array = |kind: u8, values: &[u8]| {
            let length = u32::try_from(values.len()).unwrap().to_be_bytes();
            [&[1, b'a', kind][..], &length, values].concat()
        };
        // The array itself is a value as well, so it holds one too many. What follows has all values but one.
        let rest = array(ARRAY, &many[2..]);
        let (made, _) = mended(&[array(ARRAY, &many), rest.clone()].concat());
        assert_eq!(made, [array(LONG_STRING, &many), rest].concat());

        let headers = b"\x01aV".repeat(MAX_VALUES);
        untouched(&headers);
        // Six bytes more, so five of those before them make room for the name.
        let (made, _) = mended(&[&headers[..], b"\x01bV\x01cV"].concat());
        let kept = &headers[..headers.len() - 15];
        assert_eq!(made, [kept, b"\x0eunread-headersS\0\0\0\x01V"].concat());
    }
}
