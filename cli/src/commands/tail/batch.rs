//! The lines of a batch, each with the record that it is. Total: whatever lies in the stream, nothing ends
//! the command.

use std::io;

use hookline_common::message::Message;
use hookline_common::record::{AttemptRecord, Batch};

/// A record and the text that it was read from, or why it is none.
pub(super) type Line = Result<(AttemptRecord, String), String>;

/// The lines of a message of the stream. Beside [`Batch::read`] it keeps their text, and with it what a newer
/// dispatcher may have added.
pub(super) fn lines(message: &Message) -> io::Result<Vec<Line>> {
    let text = Batch::text(message)?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map(read).collect())
}

fn read(line: &[u8]) -> Line {
    let text = str::from_utf8(line).map_err(|error| error.to_string())?;
    let record = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok((record, text.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn message(text: &[u8]) -> Message {
        Message {
            body: zstd::bulk::compress(text, 1).unwrap().into(),
            ..Message::default()
        }
    }

    #[test]
    fn a_bad_line_costs_no_other() {
        let good = br#"{"id":"i","event":"evt_1","type":"a.b","company":"acme","endpoint":"ep","url":"","origin":"event","attempt":1,"started_at":"2030-01-01T00:00:00.000Z","duration_ms":3,"outcome":"timeout","final":false,"request_headers":{},"response_headers":{},"new":{"z":1,"a":2}}"#;
        let lines = lines(&message(&[b"{}\n\xff\n".as_slice(), good, b"\n[\n"].concat())).unwrap();
        assert_eq!(
            lines.iter().map(Result::is_ok).collect::<Vec<_>>(),
            [false, false, true, false]
        );
        assert_eq!(lines[2].as_ref().unwrap().1.as_bytes(), good);
    }

    #[test]
    fn what_is_no_batch_is_an_error() {
        for body in [&b"plain"[..], &[0x28, 0xb5, 0x2f, 0xfd]] {
            let message = Message {
                body: body.to_vec().into(),
                ..Message::default()
            };
            assert!(lines(&message).is_err(), "{body:?}");
        }
        assert!(
            lines(&message(&vec![b' '; 3 << 20])).is_err(),
            "more than a batch may be"
        );
    }
}
