//! What the log keeps of an attempt, and the batches in which it goes to the stream.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{CompanyId, EndpointId, EventId, EventType};
use crate::message::Message;
use crate::outcome::Outcome;

/// What became of one attempt. Times are RFC 3339 UTC with milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// The attempt's own id, a `UUIDv7`: a batch that is sent twice is stored once.
    pub id: String,
    /// The event.
    pub event: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The tenant.
    pub company: CompanyId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Where it was sent; empty where the endpoint is gone.
    pub url: String,
    /// `event`, `test` or `manual`.
    pub origin: String,
    /// Which attempt: 1 for the first.
    pub attempt: u16,
    /// When it began.
    #[serde(with = "millis")]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status, if there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// What went wrong, for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The beginning of the response's body, as lossy UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response: Option<String>,
    /// When the next attempt is due, if one is planned.
    #[serde(with = "optional_millis", skip_serializing_if = "Option::is_none", default)]
    pub next_attempt_at: Option<Timestamp>,
    /// Whether this is the delivery's last word.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The trace that the attempt belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace_id: Option<String>,
    /// What was sent, without signatures and without the values of the endpoint's own headers.
    pub request_headers: BTreeMap<String, String>,
    /// What came back, capped.
    pub response_headers: BTreeMap<String, String>,
    /// The event's data as the text that was published, where payloads are kept.
    ///
    /// A string and not an object: only so do the bytes survive, inner line breaks included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data: Option<String>,
}

impl AttemptRecord {
    /// Bytes of a response's body that a record keeps.
    pub const RESPONSE_BYTES: usize = 1024;

    /// The record as a line of a batch, without the line break.
    ///
    /// # Errors
    /// Only when it cannot be serialised, which no record of ours does.
    pub fn to_line(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// Records on their way to the stream: one JSON object a line, compressed together.
#[derive(Debug, Default)]
pub struct Batch {
    lines: Vec<u8>,
    records: usize,
}

impl Batch {
    /// Records in a batch at most.
    pub const MAX_RECORDS: usize = 300;
    /// Bytes in a batch at most, before compression.
    pub const MAX_BYTES: usize = 1024 * 1024;
    /// zstd's own default costs three times the time for a tenth less.
    const COMPRESSION_LEVEL: i32 = 1;

    /// Adds a line, or gives it back when the batch is full.
    ///
    /// # Errors
    /// The line itself. An empty batch takes any line.
    pub fn push(&mut self, line: Vec<u8>) -> Result<(), Vec<u8>> {
        let is_full =
            self.records == Self::MAX_RECORDS || self.lines.len() + line.len() + 1 > Self::MAX_BYTES;
        if is_full && self.records > 0 {
            return Err(line);
        }
        self.lines.extend_from_slice(&line);
        self.lines.push(b'\n');
        self.records += 1;
        Ok(())
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The batch as a message for the stream.
    ///
    /// # Errors
    /// When compression runs out of memory.
    pub fn to_message(&self) -> io::Result<Message> {
        let body = zstd::bulk::compress(&self.lines, Self::COMPRESSION_LEVEL)?;
        Ok(Message {
            content_type: Some("application/x-ndjson".to_owned()),
            content_encoding: Some("zstd".to_owned()),
            body: Bytes::from(body),
            ..Message::default()
        })
    }

    /// The records of a message of the stream; a line that cannot be read is an error of its own.
    ///
    /// # Errors
    /// When the body is not a batch at all.
    pub fn read(message: &Message) -> io::Result<Vec<serde_json::Result<AttemptRecord>>> {
        // One record alone may pass MAX_BYTES; nothing of ours comes near twice that.
        let lines = zstd::bulk::decompress(&message.body, 2 * Self::MAX_BYTES)?;
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(serde_json::from_slice).collect())
    }
}

/// RFC 3339 UTC with milliseconds.
mod millis {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{at:.3}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// The same, or nothing.
mod optional_millis {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::millis::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom))
            .transpose()
    }
}
