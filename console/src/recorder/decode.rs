//! A message of the stream as records. Pure. What cannot be read is set aside, and costs nothing beside it.

use hookline_common::broker::StreamItem;
use hookline_common::record::{AttemptRecord, Batch};
use hookline_store::SetAside;

/// What a message holds.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) records: Vec<(u64, AttemptRecord)>,
    pub(super) set_aside: Vec<SetAside>,
    /// Bytes before compression.
    pub(super) bytes: usize,
}

pub(super) fn decode(item: &StreamItem) -> Decoded {
    let mut decoded = Decoded::default();
    let text = match Batch::text(&item.message) {
        Ok(text) => text,
        Err(error) => {
            decoded.set_aside.push(SetAside {
                offset: item.offset,
                reason: format!("it is no batch of records: {error}"),
                content: item.message.body.to_vec(),
            });
            return decoded;
        }
    };
    decoded.bytes = text.len();
    decoded.records.reserve(Batch::MAX_RECORDS);
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(record) => decoded.records.push((item.offset, record)),
            Err(error) => decoded.set_aside.push(SetAside {
                offset: item.offset,
                reason: format!("it is no record: {error}"),
                content: line.to_vec(),
            }),
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookline_common::message::Message;

    fn item(message: Message) -> StreamItem {
        StreamItem {
            offset: 7,
            removed: 0,
            message,
        }
    }

    #[test]
    fn what_is_no_batch_is_set_aside_whole_and_a_bad_line_alone() {
        let garbage = Message {
            body: "garbage".into(),
            ..Message::default()
        };
        let decoded = decode(&item(garbage));
        assert!(decoded.records.is_empty());
        assert_eq!(decoded.set_aside[0].content, b"garbage");

        let good = serde_json::json!({
            "id": "01940000000070008000000000000000", "event": "evt_1", "type": "a.b", "company": "acme", "endpoint": "ep",
            "url": "", "origin": "event", "attempt": 1, "started_at": "2030-01-01T00:00:00Z", "duration_ms": 1,
            "outcome": "delivered", "final": true, "request_headers": {}, "response_headers": {}, "later": 1
        });
        let mut batch = Batch::default();
        for line in ["{\"id\":1}", &good.to_string(), "\u{1}"] {
            batch.push(line.as_bytes().to_vec()).unwrap();
        }
        let decoded = decode(&item(batch.to_message().unwrap()));
        assert_eq!(decoded.records.len(), 1);
        let lines: Vec<_> = decoded
            .set_aside
            .iter()
            .map(|item| item.content.as_slice())
            .collect();
        assert_eq!(lines, [b"{\"id\":1}".as_slice(), b"\x01"]);
        assert!(decoded.set_aside.iter().all(|item| item.offset == 7));
    }
}
