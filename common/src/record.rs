//! What the log keeps of an attempt, and the batches in which it goes to the stream.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zstd::bulk::Compressor;

use crate::ids::{CompanyId, EndpointId, EventId, EventType};
use crate::json_text;
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
}

/// A record that is about to be written, borrowed from what it tells of: the same line as [`AttemptRecord`], without a copy of
/// its parts.
#[derive(Debug, Serialize)]
pub struct RecordLine<'a> {
    /// As [`AttemptRecord::id`].
    pub id: &'a str,
    /// As [`AttemptRecord::event`].
    pub event: &'a EventId,
    /// As [`AttemptRecord::event_type`].
    #[serde(rename = "type")]
    pub event_type: &'a EventType,
    /// As [`AttemptRecord::company`].
    pub company: &'a CompanyId,
    /// As [`AttemptRecord::endpoint`].
    pub endpoint: &'a EndpointId,
    /// As [`AttemptRecord::url`].
    pub url: &'a str,
    /// As [`AttemptRecord::origin`].
    pub origin: &'static str,
    /// As [`AttemptRecord::attempt`].
    pub attempt: u16,
    /// As [`AttemptRecord::started_at`].
    #[serde(with = "millis")]
    pub started_at: Timestamp,
    /// As [`AttemptRecord::duration_ms`].
    pub duration_ms: u64,
    /// As [`AttemptRecord::outcome`].
    pub outcome: Outcome,
    /// As [`AttemptRecord::status`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// As [`AttemptRecord::error`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// As [`AttemptRecord::response`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Cow<'a, str>>,
    /// As [`AttemptRecord::next_attempt_at`].
    #[serde(with = "optional_millis", skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// As [`AttemptRecord::is_final`].
    #[serde(rename = "final")]
    pub is_final: bool,
    /// As [`AttemptRecord::trace_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<&'a str>,
    /// As [`AttemptRecord::request_headers`].
    pub request_headers: HeaderList<'a>,
    /// As [`AttemptRecord::response_headers`].
    pub response_headers: HeaderList<'a>,
    /// As [`AttemptRecord::data`]. Written by [`RecordLine::to_bytes`], as the last member.
    #[serde(skip)]
    pub data: Option<&'a str>,
}

/// Why a record cannot be written.
pub use serde_json::Error as UnwritableRecord;

/// Names and values, each name once. In a record they are an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HeaderList<'a>(pub Vec<(&'a str, Cow<'a, str>)>);

impl Serialize for HeaderList<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl RecordLine<'_> {
    /// The record as a line of a batch, without the line break.
    ///
    /// # Errors
    /// Only when it cannot be serialised, which no record of ours does.
    pub fn to_bytes(&self) -> Result<Vec<u8>, UnwritableRecord> {
        /// What a record takes beside its data.
        const USUAL: usize = 1024;
        let mut line = Vec::with_capacity(USUAL + self.data.map_or(0, |data| data.len() * 9 / 8));
        serde_json::to_writer(&mut line, self)?;
        if let Some(data) = self.data {
            // In place of the closing brace.
            line.pop();
            line.extend_from_slice(b",\"data\":\"");
            json_text::escape_into(&mut line, data);
            line.extend_from_slice(b"\"}");
        }
        Ok(line)
    }
}

/// Records on their way to the stream: one JSON object a line, compressed together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    lines: Vec<u8>,
    /// Where each line ends, its line break included.
    ends: Vec<usize>,
}

impl Batch {
    /// Records in a batch at most.
    pub const MAX_RECORDS: usize = 300;
    /// Bytes in a batch at most, before compression.
    pub const MAX_BYTES: usize = 1024 * 1024;
    /// Adds a line, or gives it back when the batch is full.
    ///
    /// # Errors
    /// The line itself. An empty batch takes any line.
    pub fn push(&mut self, line: Vec<u8>) -> Result<(), Vec<u8>> {
        let is_full =
            self.ends.len() == Self::MAX_RECORDS || self.lines.len() + line.len() + 1 > Self::MAX_BYTES;
        if is_full && !self.is_empty() {
            return Err(line);
        }
        if self.lines.is_empty() {
            self.lines = line;
        } else {
            self.lines.extend_from_slice(&line);
        }
        self.lines.push(b'\n');
        self.ends.push(self.lines.len());
        Ok(())
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many records it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The batch in two halves, for a broker that refuses the whole; of a single record, what is left without what was sent
    /// and what came back. `None` where nothing can be left out any more.
    #[must_use]
    pub fn smaller(&self) -> Option<Vec<Self>> {
        if self.len() > 1 {
            let (first, second) = self.ends.split_at(self.len() / 2);
            let middle = first.last().copied().unwrap_or(0);
            return Some(vec![
                Self {
                    lines: self.lines[..middle].to_vec(),
                    ends: first.to_vec(),
                },
                Self {
                    lines: self.lines[middle..].to_vec(),
                    ends: second.iter().map(|end| end - middle).collect(),
                },
            ]);
        }
        let mut record: AttemptRecord = serde_json::from_slice(&self.lines).ok()?;
        if record.data.take().is_none()
            & record.response.take().is_none()
            & record.response_headers.is_empty()
        {
            return None;
        }
        record.response_headers.clear();
        let mut lines = serde_json::to_vec(&record).ok()?;
        lines.push(b'\n');
        let ends = vec![lines.len()];
        Some(vec![Self { lines, ends }])
    }

    /// The batch as a message for the stream.
    ///
    /// # Errors
    /// When compression runs out of memory.
    pub fn to_message(&self) -> io::Result<Message> {
        let body = compress(&self.lines)?;
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

/// zstd's own default costs three times the time for a tenth less.
const COMPRESSION_LEVEL: i32 = 1;

thread_local! {
    /// A compressor works in a megabyte of memory. Asked for anew with each batch, the kernel would clear it each time.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

fn compress(lines: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept.take() {
            Some(compressor) => compressor,
            None => Compressor::new(COMPRESSION_LEVEL)?,
        };
        kept.insert(compressor).compress(lines)
    })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(data: &str) -> Vec<u8> {
        let (event, event_type) = (EventId::new(), EventType::parse("booking.created").unwrap());
        let (company, endpoint) = (
            CompanyId::parse("acme").unwrap(),
            EndpointId::parse("ep").unwrap(),
        );
        let line = RecordLine {
            id: "0192f0c0",
            event: &event,
            event_type: &event_type,
            company: &company,
            endpoint: &endpoint,
            url: "https://crm.example.com/hooks",
            origin: "event",
            attempt: 1,
            started_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            duration_ms: 12,
            outcome: Outcome::HttpStatus,
            status: Some(500),
            error: Some("body_incomplete"),
            response: Some("no \"luck\"".into()),
            next_attempt_at: Some("2026-01-02T03:05:05.678Z".parse().unwrap()),
            is_final: false,
            trace_id: None,
            request_headers: HeaderList(vec![("webhook-id", "evt_1".into())]),
            response_headers: HeaderList(vec![("server", "x".into())]),
            data: Some(data),
        };
        line.to_bytes().unwrap()
    }

    fn batch(lines: &[&str]) -> Batch {
        let mut batch = Batch::default();
        lines.iter().for_each(|data| batch.push(line(data)).unwrap());
        batch
    }

    fn data_of(batch: &Batch) -> Vec<Option<String>> {
        let records = Batch::read(&batch.to_message().unwrap()).unwrap();
        records.into_iter().map(|record| record.unwrap().data).collect()
    }

    #[test]
    fn a_borrowed_line_reads_as_the_record_that_it_tells_of() {
        let bytes = line("{\"a\":\n1}");
        let record: AttemptRecord = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(record.data.as_deref(), Some("{\"a\":\n1}"));
        assert_eq!(record.request_headers["webhook-id"], "evt_1");
        // Written again by its owner, it is the same but for the order of its members.
        let (ours, theirs): (serde_json::Value, serde_json::Value) = (
            serde_json::from_slice(&bytes).unwrap(),
            serde_json::to_value(&record).unwrap(),
        );
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_batch_takes_so_many_records_and_no_more() {
        let mut batch = Batch::default();
        (0..Batch::MAX_RECORDS).for_each(|_| batch.push(line("{}")).unwrap());
        assert!(batch.push(line("{}")).is_err());
        let mut batch = Batch::default();
        let long = "x".repeat(Batch::MAX_BYTES);
        batch.push(line(&long)).unwrap();
        assert!(batch.push(line("{}")).is_err());
    }

    #[test]
    fn a_batch_that_is_refused_becomes_smaller_until_nothing_can_be_left_out() {
        let whole = batch(&["1", "2", "3"]);
        let halves = whole.smaller().unwrap();
        let data: Vec<_> = halves.iter().flat_map(data_of).flatten().collect();
        assert_eq!(data, ["1", "2", "3"]);
        let bare = batch(&["1"]).smaller().unwrap();
        assert_eq!(data_of(&bare[0]), [None]);
        assert_eq!(bare[0].smaller(), None);
    }
}
