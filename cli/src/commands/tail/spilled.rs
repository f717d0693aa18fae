//! Attempts that the stream does not have yet: while it confirms nothing, they stand in the spill, which is looked through
//! from its beginning again and again.

use std::time::Duration;

use hookline_common::broker::{AttemptsLog, BrokerError};
use jiff::Timestamp;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::batch::{Line, lines};
use super::seen::Seen;
use crate::out;
use crate::text::escape;

/// How often it is looked into, where that is quick.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A look holds what is there, away from whoever moves it; so it rests for so many times as long as it took.
const REST: u32 = 4;
/// Lines that wait to be printed at most. More of them come with the next look.
const MAX_WAITING: usize = 10_000;

/// Follows the spill beside whatever else is done.
pub(super) struct Spilled {
    lines: mpsc::Receiver<Line>,
    following: JoinHandle<()>,
}

impl Spilled {
    /// Begins to follow; attempts that began before `since` are left out.
    pub(super) fn follow(log: AttemptsLog, since: Timestamp) -> Self {
        let (sender, lines) = mpsc::channel(MAX_WAITING);
        Self {
            lines,
            following: tokio::spawn(follow(log, since, sender)),
        }
    }

    /// The next line.
    pub(super) async fn next(&mut self) -> Option<Line> {
        self.lines.recv().await
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn follow(log: AttemptsLog, since: Timestamp, sender: mpsc::Sender<Line>) {
    let mut new = New {
        since,
        seen: Seen::default(),
        sender,
    };
    let mut failures: u32 = 0;
    loop {
        let error = look_again_and_again(&log, &mut new).await;
        failures = failures.saturating_add(1);
        // A lost connection ends the command, with a word of its own.
        if failures == 2 {
            out::tell(&format!(
                "what the stream of attempts does not have yet cannot be read, and comes later: {}",
                escape(&error.to_string())
            ));
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn look_again_and_again(log: &AttemptsLog, new: &mut New) -> BrokerError {
    let mut watch = match log.watch_spill().await {
        Ok(watch) => watch,
        Err(error) => return error,
    };
    loop {
        let began = Instant::now();
        let looked = watch
            .look(|message| {
                // What is no batch will be told of when it is in the stream.
                let lines = lines(message).unwrap_or_default();
                lines
                    .into_iter()
                    .flatten()
                    .all(|(record, text)| new.send((record, text)))
            })
            .await;
        if let Err(error) = looked {
            return error;
        }
        sleep(LOOK_EVERY.max(REST * began.elapsed())).await;
    }
}

/// What was not sent to be printed before.
struct New {
    since: Timestamp,
    seen: Seen,
    sender: mpsc::Sender<Line>,
}

impl New {
    /// Sends a record where it is new; whether there is room for more.
    fn send(&mut self, (record, text): (hookline_common::record::AttemptRecord, String)) -> bool {
        match self.sender.try_reserve() {
            Ok(permit) => {
                if record.started_at >= self.since && self.seen.is_new(&record.id) {
                    permit.send(Ok((record, text)));
                }
                true
            }
            Err(TrySendError::Full(()) | TrySendError::Closed(())) => false,
        }
    }
}
