//! The stream, read and decoded beside the writing: while one transaction runs, what the next one takes is made ready.

use std::convert::Infallible;
use std::time::Duration;

use hookline_common::broker::{AttemptsLog, LinkSettings, StreamItem, StreamReader, StreamStart};
use hookline_common::record::AttemptRecord;
use hookline_store::{SetAside, StreamPlace};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout, timeout_at};

use super::decode::decode;
use super::error::RecorderError;
use super::{progress, truncation};

/// Records of a transaction at most: beyond it more of them at once are written no faster.
const MAX_RECORDS: usize = 4000;
/// Bytes of records at most; three times as many are in memory.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// How long records are gathered. Under load a transaction is full sooner; else a few a second do.
const GATHER: Duration = Duration::from_millis(100);
/// Messages that are read ahead of the decoding.
const READ_AHEAD: usize = 16;
/// How long the message before the next one is waited for, by which the stream is known again. It comes in milliseconds.
const COMES_WITHIN: Duration = Duration::from_secs(3);
/// How long the stream may take to tell where it ends.
const TELLS_WITHIN: Duration = Duration::from_secs(10);

/// What one transaction takes.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) next_offset: u64,
    /// SHA-256 of the last message.
    pub(super) last_message: [u8; 32],
    pub(super) records: Vec<(u64, AttemptRecord)>,
    pub(super) set_aside: Vec<SetAside>,
}

/// Reading under way. Dropped, it ends.
pub(super) struct Reading {
    chunks: mpsc::Receiver<Result<Chunk, RecorderError>>,
    _tasks: JoinSet<()>,
}

impl Reading {
    /// Begins where others have ended.
    pub(super) fn begin(link: &LinkSettings, log: &AttemptsLog, stream: &str, place: StreamPlace) -> Self {
        // One chunk is written, one waits here, and one is gathered.
        let (sender, chunks) = mpsc::channel(1);
        let (items, read) = mpsc::channel(READ_AHEAD);
        let reader = AttemptsReader {
            link: link.clone(),
            log: log.clone(),
            stream: stream.to_owned(),
            place,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(progress::look(log.clone()));
        tasks.spawn(reader.read(items));
        tasks.spawn(gather(read, sender));
        Self {
            chunks,
            _tasks: tasks,
        }
    }

    /// The next chunk, as soon as there is one.
    pub(super) async fn next(&mut self) -> Result<Chunk, RecorderError> {
        self.chunks
            .recv()
            .await
            .unwrap_or(Err(RecorderError::ReaderEnded))
    }
}

type Item = Result<StreamItem, RecorderError>;

/// The task that reads the stream of attempts, from a place on.
struct AttemptsReader {
    link: LinkSettings,
    log: AttemptsLog,
    stream: String,
    place: StreamPlace,
}

impl AttemptsReader {
    /// Hands over what it reads, and at last why it reads no more. On a task of its own, as a message must not be given up
    /// between its coming and its being handed over.
    async fn read(self, items: mpsc::Sender<Item>) {
        let Err(error) = self.read_all(&items).await;
        // Who is gone needs no reason.
        drop(items.send(Err(error)).await);
    }

    async fn read_all(&self, items: &mpsc::Sender<Item>) -> Result<Infallible, RecorderError> {
        // From the one before, by which the stream is known again.
        let start = self
            .place
            .next_offset
            .checked_sub(1)
            .map_or(StreamStart::First, StreamStart::Offset);
        let mut reader = StreamReader::open(&self.link, &self.stream, start).await?;
        let mut expected = self.place.next_offset;
        let mut item = self.first(&mut reader).await?;
        if item.offset + 1 == expected {
            // A stream that was made anew may be as long as the old one was.
            if self.place.last_message != Some(digest(&item)) {
                return Err(RecorderError::MadeAnew);
            }
            item = reader.next().await?;
        }
        loop {
            if item.offset < expected {
                return Err(RecorderError::MadeAnew);
            }
            // Where nothing was read yet, nothing was missed.
            if item.offset > expected && expected > 0 {
                truncation::tell(&self.log, expected, item.offset).await;
            }
            expected = item.offset + 1;
            if items.send(Ok(item)).await.is_err() {
                return Err(RecorderError::ReaderEnded);
            }
            item = reader.next().await?;
        }
    }

    /// The first message. One must come where some were read before; else the stream is another, and shorter, one.
    async fn first(&self, reader: &mut StreamReader) -> Result<StreamItem, RecorderError> {
        if self.place.next_offset == 0 {
            return Ok(reader.next().await?);
        }
        // A message that is given up here is read again: there is another connection then.
        if let Ok(first) = timeout(COMES_WITHIN, reader.next()).await {
            return Ok(first?);
        }
        let end = self.log.last_offset(TELLS_WITHIN).await?;
        match timeout(COMES_WITHIN, reader.next()).await {
            Ok(first) => Ok(first?),
            Err(_) if end.is_none_or(|end| end + 1 < self.place.next_offset) => Err(RecorderError::MadeAnew),
            Err(_) => Err(RecorderError::Silent),
        }
    }
}

fn digest(item: &StreamItem) -> [u8; 32] {
    Sha256::digest(&item.message.body).into()
}

async fn gather(mut items: mpsc::Receiver<Item>, chunks: mpsc::Sender<Result<Chunk, RecorderError>>) {
    let mut is_over = false;
    while !is_over {
        let mut chunk = Chunk::default();
        let (mut bytes, mut deadline) = (0, None);
        let error = loop {
            let next = match deadline {
                None => items.recv().await,
                Some(deadline) => match timeout_at(deadline, items.recv()).await {
                    Ok(next) => next,
                    Err(_) => break None,
                },
            };
            let item = match next {
                Some(Ok(item)) => item,
                Some(Err(error)) => break Some(error),
                None => break Some(RecorderError::ReaderEnded),
            };
            let (next_offset, last_message) = (item.offset + 1, digest(&item));
            let Ok(decoded) = spawn_blocking(move || decode(&item)).await else {
                break Some(RecorderError::ReaderEnded);
            };
            // What was not decoded is read again.
            (chunk.next_offset, chunk.last_message) = (next_offset, last_message);
            if deadline.is_none() {
                deadline = Some(Instant::now() + GATHER);
                progress::gathered(
                    decoded
                        .records
                        .first()
                        .map_or_else(Timestamp::now, |(_, first)| first.started_at),
                );
            }
            chunk.records.extend(decoded.records);
            chunk.set_aside.extend(decoded.set_aside);
            bytes += decoded.bytes;
            if chunk.records.len() >= MAX_RECORDS || bytes >= MAX_BYTES {
                break None;
            }
        };
        is_over = error.is_some();
        // What came before the end is recorded.
        if deadline.is_some() && chunks.send(Ok(chunk)).await.is_err() {
            return;
        }
        if let Some(error) = error {
            drop(chunks.send(Err(error)).await);
        }
    }
}
