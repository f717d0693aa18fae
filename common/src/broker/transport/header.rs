//! The content header of a message, made such that the client library can read it: the properties and the headers, as
//! whoever published the message wrote them. The broker passes them on as they are.

use std::ops::Range;

use super::cursor::Cursor;
use super::table;
use crate::headers::left_out;

/// Class, weight and the length of the body, which the broker writes itself.
const BEFORE_FLAGS: usize = 2 + 2 + 8;

/// The octets that say how long the headers are.
const LENGTH: usize = 4;

/// A property's flag is the higher the earlier it stands (AMQP 0-9-1, §4.2.6.1).
const FIRST_FLAG: u16 = 1 << 15;
const HEADERS_FLAG: u16 = FIRST_FLAG >> 2;

#[derive(Clone, Copy)]
enum Property {
    Text,
    Octet,
    Time,
    Headers,
}

/// The properties of a message in the order in which they stand, which is that of their flags.
const PROPERTIES: [Property; 14] = [
    Property::Text,    // content-type
    Property::Text,    // content-encoding
    Property::Headers, // headers
    Property::Octet,   // delivery-mode
    Property::Octet,   // priority
    Property::Text,    // correlation-id
    Property::Text,    // reply-to
    Property::Text,    // expiration
    Property::Text,    // message-id
    Property::Time,    // timestamp
    Property::Text,    // type
    Property::Text,    // user-id
    Property::Text,    // app-id
    Property::Text,    // cluster-id
];

/// Mends the payload of a content header frame in place, and says whether there was anything to mend. What is shorter than
/// every content header is left alone: no publisher can cause it.
pub(super) fn mend(payload: &mut [u8]) -> bool {
    let mut cursor = Cursor::new(payload);
    cursor.go_to(BEFORE_FLAGS);
    let end = cursor.len();
    let Some(flags) = cursor.short(end) else {
        return false;
    };
    let start = cursor.at();
    let is_whole = properties(&mut cursor, flags, end).is_some() && cursor.at() == end;
    if !is_whole {
        let flags = replace(cursor.rewrite(start, end));
        cursor
            .rewrite(BEFORE_FLAGS, start)
            .copy_from_slice(&flags.to_be_bytes());
    }
    cursor.is_changed
}

/// Leaves long values of the headers out, in a payload that was mended, until it is `at_least` bytes shorter, and by a multiple
/// of `step`, which is 8 at most: first what the broker wrote, then the longest. Where each stood, it says how long it was (see
/// [`left_out`]). Returns how much of the payload is left; `None`, and nothing is done, where that is not enough.
pub(super) fn leave_values_out(payload: &mut [u8], at_least: usize, step: usize) -> Option<usize> {
    const SHORTEST: usize = table::AROUND_VALUE + left_out::SHORTEST;
    let mut cursor = Cursor::new(payload);
    let headers = headers(&mut cursor)?;
    let values = table::long_values(&mut cursor, headers.end);
    let saves = |value: &Range<usize>| value.len().saturating_sub(SHORTEST) / step * step;
    let (mut saved, mut gone) = (0, Vec::new());
    for value in values {
        if saved >= at_least {
            break;
        }
        saved += saves(&value);
        gone.push(value);
    }
    if saved < at_least {
        return None;
    }
    gone.sort_by_key(|value| value.start);
    let mut kept = Vec::with_capacity(payload.len());
    let mut at = 0;
    for value in gone {
        kept.extend_from_slice(payload.get(at..value.start)?);
        table::write_left_out(&mut kept, value.len(), value.len() - saves(&value))?;
        at = value.end;
    }
    kept.extend_from_slice(payload.get(at..)?);
    let length = u32::try_from(headers.len() - saved).ok()?;
    payload.get_mut(..kept.len())?.copy_from_slice(&kept);
    Cursor::new(payload)
        .rewrite(headers.start - LENGTH, headers.start)
        .copy_from_slice(&length.to_be_bytes());
    Some(kept.len())
}

/// Takes `cut` bytes away from the end of the headers in a payload that was mended; the last header that is left says that something
/// was not read. Returns how much of the payload is left; `None`, and nothing is done, where the headers have no so many bytes.
pub(super) fn cut(payload: &mut [u8], cut: usize) -> Option<usize> {
    let mut cursor = Cursor::new(payload);
    let Range { start, end } = headers(&mut cursor)?;
    let kept_end = end.checked_sub(cut).filter(|kept_end| *kept_end > start)?;
    table::mark_cut(&mut cursor, kept_end)?;
    let length = u32::try_from(kept_end - start).ok()?;
    cursor
        .rewrite(start - LENGTH, start)
        .copy_from_slice(&length.to_be_bytes());
    payload.copy_within(end.., kept_end);
    Some(payload.len() - cut)
}

/// Where the entries of the headers stand, behind their [`LENGTH`]; the cursor stands at the first.
fn headers(cursor: &mut Cursor<'_>) -> Option<Range<usize>> {
    cursor.go_to(BEFORE_FLAGS);
    let end = cursor.len();
    let flags = cursor.short(end)?;
    if flags & HEADERS_FLAG == 0 {
        return None;
    }
    // Before the headers stand content-type and content-encoding.
    for text in [FIRST_FLAG, FIRST_FLAG >> 1] {
        if flags & text != 0 {
            cursor.short_string(end)?;
        }
    }
    let headers_end = cursor.counted(end)?;
    Some(cursor.at()..headers_end)
}

fn properties(cursor: &mut Cursor<'_>, flags: u16, end: usize) -> Option<()> {
    for (place, property) in PROPERTIES.into_iter().enumerate() {
        if flags & (FIRST_FLAG >> place) != 0 {
            match property {
                Property::Text => cursor.short_string(end)?,
                Property::Octet => cursor.skip(1, end)?,
                Property::Time => cursor.skip(8, end)?,
                Property::Headers => table::mend(cursor, end)?,
            }
        }
    }
    Some(())
}

/// Replaces properties that do not add up by others of the same length, and returns their flags: headers with one entry,
/// or where these have no room a content type that nobody accepts.
fn replace(properties: &mut [u8]) -> u16 {
    const SHORTEST_HEADERS: usize = LENGTH + 2;
    if properties.len() >= SHORTEST_HEADERS {
        let length = u32::try_from(properties.len() - LENGTH).unwrap_or(0);
        if let Some((place, entry)) = properties.split_first_chunk_mut::<LENGTH>() {
            *place = length.to_be_bytes();
            table::write_unread(entry);
        }
        return HEADERS_FLAG;
    }
    let Some((length, text)) = properties.split_first_mut() else {
        return 0;
    };
    *length = u8::try_from(text.len()).unwrap_or(0);
    text.fill(b'?');
    FIRST_FLAG
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A content header with these flags and properties, after it was mended: flags and properties.
    fn mended(flags: u16, properties: &[u8]) -> (u16, Vec<u8>, bool) {
        let mut payload = [
            &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2][..],
            &flags.to_be_bytes(),
            properties,
        ]
        .concat();
        let before = payload[..BEFORE_FLAGS].to_vec();
        let is_changed = mend(&mut payload);
        assert_eq!(payload[..BEFORE_FLAGS], before, "what the broker wrote stays");
        let properties = payload.split_off(BEFORE_FLAGS + 2);
        let flags = u16::from_be_bytes(payload[BEFORE_FLAGS..].try_into().unwrap());
        (flags, properties, is_changed)
    }

    #[test]
    fn properties_that_can_be_read_are_left_as_they_are() {
        let all =
            b"\x01a\x01b\0\0\0\x03\x01cV\x02\x05\x01d\x01e\x01f\x01g\0\0\0\0\0\0\0\x09\x01h\x01i\x01j\x01k";
        for (flags, properties) in [
            (0, &b""[..]),
            (0b1111_1111_1111_1100, &all[..]),
            // The two lowest flags mean nothing, to the broker and to the client library alike.
            (0b1111_1111_1111_1111, &all[..]),
            (HEADERS_FLAG, b"\0\0\0\0"),
        ] {
            assert_eq!(mended(flags, properties), (flags, properties.to_vec(), false));
        }
    }

    #[test]
    fn each_property_that_is_a_text_is_made_utf8() {
        let mut texts = 0;
        for (place, property) in PROPERTIES.into_iter().enumerate() {
            if let Property::Text = property {
                let flag = FIRST_FLAG >> place;
                assert_eq!(mended(flag, b"\x02a\xff"), (flag, b"\x02a?".to_vec(), true));
                texts += 1;
            }
        }
        assert_eq!(texts, 10);
    }

    #[test]
    fn properties_that_do_not_add_up_become_headers_that_say_so() {
        for (flags, properties) in [
            // Nothing of what the flags say, less of it, more of it; headers beyond the end, headers of one byte.
            (0, &b"0123456789abcdefghijklmnopqrstu"[..]),
            (FIRST_FLAG, b"\xff123456789abcdefghijklmnopqrstu"),
            (FIRST_FLAG, b"\x01a23456789abcdefghijklmnopqrstu"),
            (HEADERS_FLAG, b"\0\0\x01\x00456789abcdefghijklmnopqrstu"),
            (
                HEADERS_FLAG | FIRST_FLAG >> 3,
                b"\0\0\0\x01a56789abcdefghijklmnopqrstu",
            ),
        ] {
            let (flags, made, _) = mended(flags, properties);
            assert_eq!(flags, HEADERS_FLAG);
            assert_eq!(made, b"\0\0\0\x1b\x0eunread-headersS\0\0\0\x07opqrstu");
        }
        for length in 0..=5 {
            let (flags, made, _) = mended(0xffff, &vec![0xff; length]);
            let (expected, text) = [
                (0, &b""[..]),
                (FIRST_FLAG, b"\x00"),
                (FIRST_FLAG, b"\x01?"),
                (FIRST_FLAG, b"\x02??"),
                (FIRST_FLAG, b"\x03???"),
                (FIRST_FLAG, b"\x04????"),
            ][length];
            assert_eq!((flags, &made[..]), (expected, text));
        }
    }

    #[test]
    fn what_is_no_content_header_is_left_alone() {
        for length in 0..14 {
            let mut payload = vec![0xff; length];
            assert!(!mend(&mut payload));
            assert_eq!(payload, vec![0xff; length]);
        }
    }
}
