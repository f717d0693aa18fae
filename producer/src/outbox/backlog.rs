//! How much waits in the outbox, for a health page or an alert.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row as _};

use super::error::OutboxError;

const BACKLOG: &str = "\
    SELECT (SELECT count(*) FROM hookline_outbox) AS waiting, \
           (SELECT count(*) FROM hookline_outbox_aside) AS aside, \
           (SELECT (extract(epoch FROM clock_timestamp() - min(enqueued_at)) * 1000)::bigint FROM hookline_outbox) AS oldest_ms";

/// No further than `$1`, and without the oldest, for which all of it would have to be read.
const BACKLOG_UP_TO: &str = "\
    SELECT (SELECT count(*) FROM (SELECT FROM hookline_outbox LIMIT $1) AS counted) AS waiting, \
           (SELECT count(*) FROM (SELECT FROM hookline_outbox_aside LIMIT $1) AS counted) AS aside, NULL::bigint AS oldest_ms";

/// What lies in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Events that wait to be published.
    pub waiting: u64,
    /// How long the oldest of them has waited, since it was enqueued.
    pub oldest: Option<Duration>,
    /// Events that were set aside.
    pub aside: u64,
}

/// Counts what lies in the outbox. It reads the whole table, which is empty or small where relays keep up.
///
/// # Errors
/// [`OutboxError`].
pub async fn backlog(database: impl PgExecutor<'_>) -> Result<Backlog, OutboxError> {
    read(&sqlx::query(BACKLOG).fetch_one(database).await?)
}

/// The same of a table that may be large: each is counted up to `max`, and the oldest is not looked for.
///
/// # Errors
/// [`OutboxError`].
pub async fn backlog_up_to(database: impl PgExecutor<'_>, max: u32) -> Result<Backlog, OutboxError> {
    let query = sqlx::query(BACKLOG_UP_TO).bind(i64::from(max));
    read(&query.fetch_one(database).await?)
}

fn read(row: &PgRow) -> Result<Backlog, OutboxError> {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let oldest: Option<i64> = row.try_get("oldest_ms")?;
    Ok(Backlog {
        waiting: count(row.try_get("waiting")?),
        // Clocks that are set back make no event younger than none.
        oldest: oldest.map(|ms| Duration::from_millis(count(ms))),
        aside: count(row.try_get("aside")?),
    })
}
