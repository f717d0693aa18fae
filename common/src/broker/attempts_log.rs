//! What is kept of attempts, looked through: the stream, and the spill beside it. Nothing is taken away from anybody.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::connect::LinkSettings;
use super::error::BrokerError;
use super::log_rate::LogRate;
use super::spill_watch::{SpillWatch, read_queue};
use super::stream::{StreamItem, StreamStart};
use super::stream_scan::StreamScan;
use crate::ids::EventId;
use crate::message::Message;
use crate::record::{AttemptRecord, Batch};
use crate::topology::{Namespace, Queue};

/// How far back the rate is measured.
const RATE_WINDOW: Duration = Duration::from_secs(5 * 60);
/// Bytes that are read for it at most: a second's work, and several thousand batches.
const RATE_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// The shortest time that a rate is said to be measured over: one batch alone would seem to come every few milliseconds.
const RATE_MIN_TIME: Duration = Duration::from_secs(10);
/// What a batch takes on the disk beside its body: properties, annotations, its part of chunk and index.
const STORED_OVERHEAD: u64 = 205;
/// The log of attempts of one namespace. Each look at it is a connection of its own.
#[derive(Debug, Clone)]
pub struct AttemptsLog {
    settings: LinkSettings,
    stream: String,
    spill: String,
}

/// What was found of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventAttempts {
    /// Each attempt once, the oldest first.
    pub records: Vec<AttemptRecord>,
    /// Whether all of stream and spill was looked through, from the beginning that was asked for. Even then attempts may be
    /// missing that were made so long ago that the stream has dropped them.
    pub is_complete: bool,
    /// Why stream or spill could not be read, where one could not: a stream whose node is down, for one.
    pub fault: Option<String>,
}

impl AttemptsLog {
    /// The log of `namespace`.
    #[must_use]
    pub fn new(settings: LinkSettings, namespace: &Namespace) -> Self {
        Self {
            settings,
            stream: namespace.queue(Queue::Attempts),
            spill: namespace.queue(Queue::AttemptsSpill),
        }
    }

    /// How fast the stream grows, by its last five minutes, or as many of them as are read before 16 MiB or `within` are
    /// over. `None` where nothing was written in that time.
    ///
    /// # Errors
    /// [`BrokerError`] when the stream cannot be read; [`BrokerError::is_missing`] where there is none.
    pub async fn rate(&self, within: Duration) -> Result<Option<LogRate>, BrokerError> {
        let now = Timestamp::now();
        let since = now.checked_sub(RATE_WINDOW).unwrap_or(now);
        let (mut bytes, mut first, mut last) = (0, None, None);
        let start = StreamStart::At(u64::try_from(since.as_second()).unwrap_or(0));
        let is_whole = self
            .scan(within)
            .read(start, |message| {
                if first.is_none() {
                    // The broker may begin a little before.
                    first = time_of(&message).filter(|at| *at >= since);
                }
                if first.is_some() {
                    bytes += message.body.len() as u64 + STORED_OVERHEAD;
                    last = Some(message);
                }
                bytes < RATE_MAX_BYTES
            })
            .await?;
        let Some(first) = first else { return Ok(None) };
        let until = if is_whole {
            now
        } else {
            last.as_ref().and_then(time_of).unwrap_or(now)
        };
        let over = Duration::try_from(until.duration_since(first)).unwrap_or_default();
        Ok(Some(LogRate {
            bytes,
            over: over.max(RATE_MIN_TIME),
        }))
    }

    /// All attempts of `event` that stream and spill still have. `since` is when the event happened, as nothing of it can be
    /// older; reading begins there, and ends after `within` with what was found.
    ///
    /// # Errors
    /// [`BrokerError`] when neither can be read; [`BrokerError::is_missing`] where there is no stream.
    pub async fn attempts_of(
        &self,
        event: &EventId,
        since: StreamStart,
        within: Duration,
    ) -> Result<EventAttempts, BrokerError> {
        let scan = self.scan(within);
        let mut found = Found::new(event);
        // Before the stream, as what is moved there meanwhile is then seen at least once.
        let spilled = read_queue(&self.settings, &self.spill, |message| {
            found.look_into(message);
            true
        });
        // Most of the time it is empty; where it is not, the stream still gets its share of the time.
        let spilled = timeout(within / 2, spilled).await;
        let streamed = scan
            .read(since, |message| {
                found.look_into(&message);
                true
            })
            .await;
        let is_complete = matches!((&spilled, &streamed), (Ok(Ok(())), Ok(true)));
        let fault = match (spilled, streamed) {
            (_, Err(error)) if error.is_missing() => return Err(error),
            (Ok(Err(_)), Err(error)) => return Err(error),
            (Ok(Err(error)), Ok(_)) | (_, Err(error)) => Some(error.to_string()),
            _ => None,
        };
        Ok(EventAttempts {
            records: found.in_order(),
            is_complete,
            fault,
        })
    }

    /// The number of the oldest message that is kept, which is how many were removed before it, and when the last of its
    /// attempts began. `None` for an empty stream, and where the message cannot be read.
    ///
    /// # Errors
    /// [`BrokerError`] when the stream cannot be read, or does not answer.
    pub async fn oldest(&self, within: Duration) -> Result<Option<(u64, Timestamp)>, BrokerError> {
        let first = self.scan(within).first(StreamStart::First).await?;
        Ok(first.and_then(|StreamItem { offset, message, .. }| time_of(&message).map(|at| (offset, at))))
    }

    fn scan(&self, within: Duration) -> StreamScan<'_> {
        StreamScan::new(&self.settings, &self.stream, within)
    }

    /// The number of the oldest message that the stream still has; `None` where it is empty.
    ///
    /// # Errors
    /// [`BrokerError`] when the stream cannot be read; [`BrokerError::is_missing`] where there is none.
    pub async fn first_offset(&self, within: Duration) -> Result<Option<u64>, BrokerError> {
        let first = self.scan(within).first(StreamStart::First).await?;
        Ok(first.map(|item| item.offset))
    }

    /// The number of one of the last messages, the first of those that were written together; `None` where the stream is
    /// empty.
    ///
    /// # Errors
    /// [`BrokerError`] when the stream cannot be read; [`BrokerError::is_missing`] where there is none.
    pub async fn last_offset(&self, within: Duration) -> Result<Option<u64>, BrokerError> {
        let last = self.scan(within).first(StreamStart::Last).await?;
        Ok(last.map(|item| item.offset))
    }

    /// Connects, to look into the spill again and again.
    ///
    /// # Errors
    /// [`BrokerError`] when the broker cannot be reached.
    pub async fn watch_spill(&self) -> Result<SpillWatch, BrokerError> {
        SpillWatch::open(&self.settings, &self.spill).await
    }
}

/// When the last attempt of a batch began.
fn time_of(batch: &Message) -> Option<Timestamp> {
    let records = Batch::read(batch).ok()?;
    let readable = records.into_iter().rev().find_map(Result::ok);
    readable.map(|record| record.started_at)
}

/// Attempts of one event, each once.
struct Found<'a> {
    event: &'a EventId,
    ids: HashSet<String>,
    records: Vec<AttemptRecord>,
}

impl<'a> Found<'a> {
    fn new(event: &'a EventId) -> Self {
        Self {
            event,
            ids: HashSet::new(),
            records: Vec::new(),
        }
    }

    /// Parses only lines in which the event's id stands: there may be millions of others.
    fn look_into(&mut self, batch: &Message) {
        let Ok(text) = Batch::text(batch) else { return };
        let text = String::from_utf8_lossy(&text);
        if !text.contains(self.event.as_str()) {
            return;
        }
        for line in text.lines().filter(|line| line.contains(self.event.as_str())) {
            let Ok(record) = serde_json::from_str::<AttemptRecord>(line) else {
                continue;
            };
            if record.event == *self.event && self.ids.insert(record.id.clone()) {
                self.records.push(record);
            }
        }
    }

    fn in_order(mut self) -> Vec<AttemptRecord> {
        self.records.sort_by_key(|record| record.started_at);
        self.records
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(id: &str, event: &str, started_at: &str) -> Vec<u8> {
        let record = serde_json::json!({
            "id": id, "event": event, "type": "booking.created", "company": "acme", "endpoint": "ep", "url": "",
            "origin": "event", "attempt": 1, "started_at": started_at, "duration_ms": 1, "outcome": "delivered",
            "final": true, "request_headers": {}, "response_headers": {}
        });
        record.to_string().into_bytes()
    }

    #[test]
    fn of_an_event_each_attempt_is_found_once_and_nothing_of_others() {
        let mut batch = Batch::default();
        for (id, event, at) in [
            ("b", "evt_1", "2030-01-01T00:00:02Z"),
            ("a", "evt_1", "2030-01-01T00:00:01Z"),
            ("c", "evt_12", "2030-01-01T00:00:01Z"),
        ] {
            batch.push(line(id, event, at)).unwrap();
        }
        let message = batch.to_message().unwrap();
        let event = EventId::parse("evt_1").unwrap();
        let mut found = Found::new(&event);
        found.look_into(&message);
        found.look_into(&message);
        found.look_into(&Message::default());
        let ids: Vec<_> = found.in_order().into_iter().map(|record| record.id).collect();
        assert_eq!(ids, ["a", "b"]);
        assert_eq!(time_of(&message), "2030-01-01T00:00:01Z".parse().ok());
    }
}
