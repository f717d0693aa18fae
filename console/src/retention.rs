//! The log's retention: days that are too old are dropped whole. What was set aside and how retries went goes with them, and what
//! is remembered of discarded dead letters, and counts over time, after times of their own.

use std::time::Duration;

use hookline_store::StoreError;
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::app::App;

/// How often it is looked whether a day has become too old.
const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);
/// After a failure, most often because somebody reads the table for long.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// How many failures in a row are nothing to tell: two minutes of them.
const FAILURES_UNTOLD: u32 = 24;

/// How long it is remembered what was discarded: longer than a broker or a console stands still with a message that it had
/// not acknowledged.
const DISCARDED_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What began before this is too old.
pub(crate) fn keep_since(app: &App) -> Timestamp {
    let kept = Timestamp::now().checked_sub(app.settings().retention);
    kept.unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Drops what is too old, again and again.
pub(crate) async fn run(app: App) {
    let mut failures = 0;
    loop {
        match forget(&app).await {
            Ok(()) => {
                failures = 0;
                sleep(LOOK_EVERY).await;
            }
            Err(error) => {
                failures += 1;
                if failures % FAILURES_UNTOLD == 0 {
                    warn!(%error, "what is older than the retention cannot be forgotten for now; it is tried again");
                }
                sleep(RETRY_AFTER).await;
            }
        }
    }
}

async fn forget(app: &App) -> Result<(), StoreError> {
    let store = app.background_store();
    store.forget_set_aside(keep_since(app)).await?;
    while store.forget_retries(keep_since(app)).await? > 0 {}
    let until = Timestamp::now().checked_sub(DISCARDED_FOR);
    let until = until.unwrap_or(Timestamp::UNIX_EPOCH);
    while store.forget_discarded(until).await? > 0 {}
    while store.forget_old_counts(Timestamp::now()).await? > 0 {}
    drop_old_days(app).await
}

async fn drop_old_days(app: &App) -> Result<(), StoreError> {
    while let Some(day) = app.background_store().drop_old_day(keep_since(app)).await? {
        info!(%day, "a day of the log is older than HOOKLINE_RETENTION, and was dropped");
    }
    Ok(())
}
