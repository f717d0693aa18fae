//! Trying again while broker or database are away: how long it is waited each time, and how often that is told.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::warn;

/// The waits between two tries.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often a lasting fault is told.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Of whoever tries again.
pub(super) struct Patience {
    wait: Duration,
    told: Option<Instant>,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self {
            wait: FIRST_WAIT,
            told: None,
        }
    }

    /// It went well for a while, so that the next wait is short again.
    pub(super) fn renew(&mut self) {
        self.wait = FIRST_WAIT;
    }

    /// Tells the fault, unless one was told within the last minute.
    pub(super) fn complain(&mut self, error: &impl Display) {
        if self.told.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            self.told = Some(Instant::now());
            warn!(%error, "attempts are not recorded for now; they wait in the stream, and it is tried again");
        }
    }

    /// Waits, and longer each time.
    pub(super) async fn wait(&mut self) {
        sleep(self.wait).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }
}
