//! Records on their way to the stream and back.

use std::cell::RefCell;
use std::io;

use bytes::Bytes;
use uuid::Uuid;
use zstd::bulk::Compressor;

use super::AttemptRecord;
use crate::message::Message;

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

    /// An empty one that has room for as much as `another` holds, since one batch is usually like the one before it: a batch that
    /// grows is copied each time that it has doubled.
    #[must_use]
    pub fn as_large_as(another: &Self) -> Self {
        Self {
            lines: Vec::with_capacity(another.lines.len()),
            ends: Vec::with_capacity(another.ends.len()),
        }
    }

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
        if self.lines.capacity() == 0 {
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

    /// The record that it holds, where that is a single one that can be read.
    #[must_use]
    pub fn single(&self) -> Option<AttemptRecord> {
        let is_single = self.len() == 1;
        is_single
            .then(|| serde_json::from_slice(&self.lines).ok())
            .flatten()
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
            // By which it is told from others that are published beside it, should it come back.
            message_id: Some(Uuid::now_v7().simple().to_string()),
            body: Bytes::from(body),
            ..Message::default()
        })
    }

    /// The lines of a message of the stream, whatever they are.
    ///
    /// # Errors
    /// When the body is not a batch at all.
    pub fn text(message: &Message) -> io::Result<Vec<u8>> {
        // One record alone may pass MAX_BYTES; nothing of ours comes near twice that.
        zstd::bulk::decompress(&message.body, 2 * Self::MAX_BYTES)
    }

    /// The records of a message of the stream; a line that cannot be read is an error of its own.
    ///
    /// # Errors
    /// When the body is not a batch at all.
    pub fn read(message: &Message) -> io::Result<Vec<serde_json::Result<AttemptRecord>>> {
        let lines = Self::text(message)?;
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
