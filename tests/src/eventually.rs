//! Waiting for something to become true, with a deadline and a word for it. Never for time to pass.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Looks until `check` yields something, and returns it.
///
/// # Panics
/// When it did not within `within`: the test fails with `what`.
pub async fn eventually<T>(within: Duration, what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        sleep(LOOK_EVERY).await;
    }
}

/// Makes sure that `check` stays true for `during`: for what must not happen.
///
/// # Panics
/// When it once was not.
pub async fn always(during: Duration, what: &str, mut check: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + during;
    while Instant::now() < end {
        assert!(check().await, "no longer true: {what}");
        sleep(LOOK_EVERY).await;
    }
}
