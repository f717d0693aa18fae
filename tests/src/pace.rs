//! A clock for upper bounds: it counts the turns that the test's own runtime gets, and so it stands still while that has no
//! processor. What waits for a time that it should not wait for lets many turns pass on any machine; what is only kept from
//! running does not.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What a turn counts as; it takes this long at least.
const TURN: Duration = Duration::from_millis(10);

/// A clock that was started.
pub struct Pace {
    turns: Arc<AtomicU32>,
    counting: JoinHandle<()>,
}

impl Pace {
    /// Starts one on the runtime that this is called on.
    #[must_use]
    pub fn start() -> Self {
        let turns = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&turns);
        let counting = tokio::spawn(async move {
            loop {
                sleep(TURN).await;
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { turns, counting }
    }

    /// What has passed since the start: never more than on a clock on the wall.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        TURN * self.turns.load(Ordering::Relaxed)
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.counting.abort();
    }
}

/// What `future` comes to, if it does so while this passes on such a clock.
pub async fn paced<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let turns = async {
        let pace = Pace::start();
        while pace.elapsed() < limit {
            sleep(TURN).await;
        }
    };
    tokio::select! {
        biased;
        done = future => Some(done),
        () = turns => None,
    }
}
