//! How far behind the log is: in seconds, by what was read and is not written; in messages, by where the stream ends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_common::broker::AttemptsLog;
use hookline_common::metrics::console as declared;
use jiff::Timestamp;
use tokio::time::sleep;

/// How often it is looked where the stream ends, over a connection of its own.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How long the answer may take.
const TELLS_WITHIN: Duration = Duration::from_secs(5);

/// What the metrics tell. There is one for the process, as there is one recorder.
#[derive(Default)]
struct Progress {
    /// Since when what is gathered and not written happened, the oldest first.
    unwritten: Mutex<VecDeque<Timestamp>>,
    next_offset: AtomicU64,
    end: AtomicU64,
}

static PROGRESS: LazyLock<Progress> = LazyLock::new(Progress::default);

/// Shows both numbers from now on.
pub(super) fn observe() {
    declared::LOG_BEHIND.gauge_from(|| Some(PROGRESS.seconds()));
    declared::LOG_BEHIND_MESSAGES.gauge_from(|| Some(PROGRESS.messages()));
}

impl Progress {
    fn unwritten(&self) -> MutexGuard<'_, VecDeque<Timestamp>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seconds(&self) -> f64 {
        let oldest = self.unwritten().front().copied();
        oldest.map_or(0.0, |oldest| {
            Timestamp::now().duration_since(oldest).as_secs_f64().max(0.0)
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "counts far below 2⁵³")]
    fn messages(&self) -> f64 {
        let end = self.end.load(Ordering::Relaxed);
        end.saturating_sub(self.next_offset.load(Ordering::Relaxed)) as f64
    }
}

/// A chunk was begun whose first attempt was made then.
pub(super) fn gathered(first: Timestamp) {
    PROGRESS.unwritten().push_back(first);
}

/// The oldest chunk was written.
pub(super) fn written(next_offset: u64) {
    PROGRESS.next_offset.store(next_offset, Ordering::Relaxed);
    PROGRESS.unwritten().pop_front();
}

/// Dropped by whoever records no more: the numbers are of what is recorded here.
pub(super) struct Forgotten;

impl Drop for Forgotten {
    fn drop(&mut self) {
        forget();
        PROGRESS.next_offset.store(0, Ordering::Relaxed);
    }
}

/// What was gathered is gathered again.
pub(super) fn forget() {
    PROGRESS.end.store(0, Ordering::Relaxed);
    PROGRESS.unwritten().clear();
}

/// Looks where the stream ends, again and again.
pub(super) async fn look(log: AttemptsLog) {
    loop {
        // Where it cannot be read, its reader says so.
        if let Ok(Some(end)) = log.last_offset(TELLS_WITHIN).await {
            PROGRESS.end.store(end + 1, Ordering::Relaxed);
        }
        sleep(LOOK_EVERY).await;
    }
}
