//! Waiting for something to become true, with a limit and a word for it. Never for time to pass.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The limit for anything that should happen at once: only what never happens takes as long, however busy the machine is.
pub const SOON: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Looks until `check` yields something, and returns it.
///
/// The limit counts looks and not the time: a machine that keeps the programs from running keeps this from looking, too. Where
/// each look takes long, it ends after ten times the limit all the same.
///
/// # Panics
/// When it did not in as many looks as `within` has room for: the test fails with `what`.
pub async fn eventually<T>(within: Duration, what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let looks = within.as_millis() / LOOK_EVERY.as_millis();
    let end = Instant::now() + 10 * within;
    for _ in 0..looks {
        if Instant::now() > end {
            break;
        }
        if let Some(found) = check().await {
            return found;
        }
        sleep(LOOK_EVERY).await;
    }
    match check().await {
        Some(found) => found,
        None => panic!("not in {looks} looks, nor within {:?}: {what}", 10 * within),
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
