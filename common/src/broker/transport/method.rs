//! The methods that a broker sends, as far as they hold what strangers wrote: the names of exchanges, routing keys, and the
//! broker's own sentences about them, which it cuts at 255 bytes wherever that falls.

use super::cursor::Cursor;
use super::table;

enum Field {
    Fixed(usize),
    Text,
    Table,
}

/// The fields of a method up to the last that may need mending, by its class and its own number (AMQP 0-9-1, §1).
fn fields(class: u16, method: u16) -> &'static [Field] {
    use Field::{Fixed, Table, Text};
    match (class, method) {
        (10, 10) => &[Fixed(2), Table],            // connection.start
        (10, 41 | 60) => &[Text],                  // connection.open-ok, .blocked
        (10, 50) | (20, 40) => &[Fixed(2), Text],  // connection.close, channel.close
        (50, 11) => &[Text],                       // queue.declare-ok
        (60, 21 | 30 | 31 | 72) => &[Text],        // basic.consume-ok, .cancel, .cancel-ok, .get-empty
        (60, 50) => &[Fixed(2), Text, Text, Text], // basic.return
        (60, 60) => &[Text, Fixed(9), Text, Text], // basic.deliver
        (60, 71) => &[Fixed(9), Text, Text],       // basic.get-ok
        _ => &[],
    }
}

/// Mends the payload of a method frame in place, and says whether there was anything to mend. Fields that do not add up
/// are left as they are: the broker writes them itself.
pub(super) fn mend(payload: &mut [u8]) -> bool {
    let mut cursor = Cursor::new(payload);
    let end = cursor.len();
    let is_read = walk(&mut cursor, end).is_some();
    if !is_read {
        tracing::debug!("the broker sent a method that does not add up");
    }
    cursor.is_changed
}

/// The longest frame that the broker lets pass, in bytes, where the payload is its `connection.tune` (10, 30).
pub(super) fn max_frame(payload: &[u8]) -> Option<u32> {
    let [0, 10, 0, 30, _, _, max_frame @ ..] = payload else {
        return None;
    };
    max_frame.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

fn walk(cursor: &mut Cursor<'_>, end: usize) -> Option<()> {
    let (class, method) = (cursor.short(end)?, cursor.short(end)?);
    for field in fields(class, method) {
        match field {
            Field::Fixed(length) => cursor.skip(*length, end)?,
            Field::Text => cursor.short_string(end)?,
            Field::Table => table::mend(cursor, end)?,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(payload: &[u8]) -> Vec<u8> {
        let mut made = payload.to_vec();
        assert_eq!(mend(&mut made), made != payload);
        made
    }

    #[test]
    fn names_and_sentences_are_made_utf8_and_numbers_are_left_alone() {
        for (found, made) in [
            // basic.deliver: consumer tag, delivery tag and flag, exchange, routing key
            (
                &b"\0\x3c\0\x3c\x01c\0\0\0\0\0\0\0\xff\x01\x01\xfe\x02k\xfd"[..],
                &b"\0\x3c\0\x3c\x01c\0\0\0\0\0\0\0\xff\x01\x01?\x02k?"[..],
            ),
            // basic.get-ok: delivery tag and flag, exchange, routing key, count
            (
                b"\0\x3c\0\x47\0\0\0\0\0\0\0\xff\0\x01\xfe\x01\xfd\0\0\0\xff",
                b"\0\x3c\0\x47\0\0\0\0\0\0\0\xff\0\x01?\x01?\0\0\0\xff",
            ),
            // basic.return: code, sentence, exchange, routing key
            (
                b"\0\x3c\0\x32\x01\x38\x01\xfe\x01\xfd\x01\xfc",
                b"\0\x3c\0\x32\x01\x38\x01?\x01?\x01?",
            ),
            // channel.close: code, a sentence cut within a character, the method that it is about
            (
                b"\0\x14\0\x28\x01\xff\x02n\xc3\0\x32\0\xff",
                b"\0\x14\0\x28\x01\xff\x02n?\0\x32\0\xff",
            ),
            // connection.close
            (
                b"\0\x0a\0\x32\x01\xff\x01\xc3\0\0\0\0",
                b"\0\x0a\0\x32\x01\xff\x01?\0\0\0\0",
            ),
            // basic.ack holds no text
            (
                b"\0\x3c\0\x50\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                b"\0\x3c\0\x50\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            ),
            // connection.start: the version, the table of what the server says of itself
            (
                b"\0\x0a\0\x0a\0\x09\0\0\0\x03\x01\xffV\0\0\0\0\0\0\0\0",
                b"\0\x0a\0\x0a\0\x09\0\0\0\x03\x01?V\0\0\0\0\0\0\0\0",
            ),
        ] {
            assert_eq!(mended(found), made, "{found:?}");
        }
    }

    #[test]
    fn what_does_not_add_up_is_left_for_the_client_library_to_refuse() {
        for payload in [
            &b""[..],
            b"\0\x3c",
            b"\0\x3c\0\x3c\xff",
            b"\0\x3c\0\x3c\x01c\0",
            b"\xff\xff\xff\xff",
        ] {
            assert_eq!(mended(payload), payload);
        }
    }

    #[test]
    fn the_longest_frame_is_the_second_field_of_tune_and_of_nothing_else() {
        let tune = [0, 10, 0, 30, 0x07, 0xff, 0, 2, 0, 0, 0, 60];
        assert_eq!(max_frame(&tune), Some(131_072));
        assert_eq!(max_frame(&tune[..9]), None);
        assert_eq!(max_frame(&[0, 10, 0, 31, 0x07, 0xff, 0, 2, 0, 0, 0, 60]), None);
    }
}
