//! A stream, read to the end that it had when reading began. One that is empty is told from one that does not answer.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::connect::LinkSettings;
use super::error::BrokerError;
use super::stream::{StreamItem, StreamReader, StreamStart};
use crate::message::Message;

/// A stream from which nothing comes for so long is asked whether there is anything. What is there comes in milliseconds.
const QUIET: Duration = Duration::from_millis(1500);
/// The same where it has answered, or the last messages that were written together have begun to come.
const QUIET_AT_THE_END: Duration = Duration::from_millis(500);
/// How long the answer may take: another replica that takes over needs a second or two.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const WHAT: &str = "reading the stream of attempts";

/// Reads a stream, each time over a connection of its own, until a deadline.
pub(super) struct StreamScan<'a> {
    settings: &'a LinkSettings,
    stream: &'a str,
    began: Instant,
    deadline: Instant,
}

impl<'a> StreamScan<'a> {
    pub(super) fn new(settings: &'a LinkSettings, stream: &'a str, within: Duration) -> Self {
        let began = Instant::now();
        Self {
            settings,
            stream,
            began,
            deadline: began + within,
        }
    }

    /// The first message from `start` on, which is where the stream has one if it has any; `None` where it is empty.
    pub(super) async fn first(&self, start: StreamStart) -> Result<Option<StreamItem>, BrokerError> {
        let mut reader = self.open(start).await?;
        let first = self.begin(&mut reader, true).await;
        reader.close().await;
        first
    }

    /// Hands each message to `take`, to the one that was the last when reading began, or until `take` says no or the
    /// deadline passes: then false.
    pub(super) async fn read(
        &self,
        start: StreamStart,
        take: impl FnMut(Message) -> bool,
    ) -> Result<bool, BrokerError> {
        let Some(StreamItem { offset: end, .. }) = self.first(StreamStart::Last).await? else {
            return Ok(true);
        };
        let mut reader = self.open(start).await?;
        let is_whole = self.read_to(end, &mut reader, start, take).await;
        reader.close().await;
        is_whole
    }

    async fn read_to(
        &self,
        end: u64,
        reader: &mut StreamReader,
        start: StreamStart,
        mut take: impl FnMut(Message) -> bool,
    ) -> Result<bool, BrokerError> {
        // Reading may begin behind the last.
        let must_come = start == StreamStart::First;
        let Some(mut item) = self.begin(reader, must_come).await? else {
            return Ok(true);
        };
        loop {
            if !take(item.message) {
                return Ok(false);
            }
            // What stands before the end is waited for.
            let wait_until = if item.offset < end {
                self.deadline
            } else {
                self.at_most(QUIET_AT_THE_END)
            };
            match timeout_at(wait_until, reader.next()).await {
                Ok(next) => item = next?,
                Err(_) => return Ok(Instant::now() < self.deadline),
            }
        }
    }

    /// What comes first. Where nothing does, the broker is asked on the same channel: it answers there only when it has
    /// found the place to begin with, for which it needs the stream itself.
    async fn begin(
        &self,
        reader: &mut StreamReader,
        must_come: bool,
    ) -> Result<Option<StreamItem>, BrokerError> {
        if let Ok(first) = timeout_at(self.at_most(QUIET), reader.next()).await {
            return first.map(Some);
        }
        let asked = timeout_at(self.at_most(ANSWERS_WITHIN), reader.messages()).await;
        let messages = asked.map_err(|_| self.no_answer())??;
        let is_held_back = must_come && messages > 0;
        let wait_until = if is_held_back {
            self.deadline
        } else {
            self.at_most(QUIET_AT_THE_END)
        };
        match timeout_at(wait_until, reader.next()).await {
            Ok(first) => first.map(Some),
            Err(_) if is_held_back => Err(self.no_answer()),
            Err(_) => Ok(None),
        }
    }

    async fn open(&self, start: StreamStart) -> Result<StreamReader, BrokerError> {
        let opened = timeout_at(
            self.deadline,
            StreamReader::open(self.settings, self.stream, start),
        )
        .await;
        opened.unwrap_or_else(|_| Err(self.no_answer()))
    }

    fn at_most(&self, duration: Duration) -> Instant {
        self.deadline.min(Instant::now() + duration)
    }

    fn no_answer(&self) -> BrokerError {
        BrokerError::NoAnswer {
            what: WHAT,
            seconds: self.began.elapsed().as_secs(),
        }
    }
}
