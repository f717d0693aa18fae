//! How quick a service is while something is done that relies on it: what that is held against on a machine that is busy.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long is waited between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// What `future` comes to, and how long `ask` takes at most of all the times that it is done beside it.
pub async fn beside<T>(mut ask: impl AsyncFnMut(), future: impl Future<Output = T>) -> (T, Duration) {
    let is_over = Cell::new(false);
    let future = async {
        let done = future.await;
        is_over.set(true);
        done
    };
    let asking = async {
        let mut slowest = Duration::ZERO;
        while !is_over.get() {
            let asked_at = Instant::now();
            ask().await;
            slowest = slowest.max(asked_at.elapsed());
            sleep(PAUSE).await;
        }
        slowest
    };
    tokio::join!(future, asking)
}
