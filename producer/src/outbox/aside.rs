//! What could not be published, and lies apart until a person has decided about it.

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row as _};

use super::error::OutboxError;

/// The longest list. Who has more of them has one reason for most.
const LIST_AT_MOST: i64 = 10_000;

const LIST: &str = "\
    SELECT position, company, event_id, type, reason, \
        to_char(set_aside_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS set_aside_at \
    FROM hookline_outbox_aside ORDER BY position LIMIT $1";

// They get places behind all that waits, in their own order.
const PUT_BACK: &str = "\
    WITH back AS (DELETE FROM hookline_outbox_aside WHERE position = ANY($1) OR $2 RETURNING *) \
    INSERT INTO hookline_outbox (company, event_id, type, created_at, data, traceparent, tracestate, enqueued_at) \
    SELECT company, event_id, type, created_at, data, traceparent, tracestate, enqueued_at FROM back ORDER BY position";

const DISCARD: &str = "DELETE FROM hookline_outbox_aside WHERE position = ANY($1)";

/// An event that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Which one: the row's `position` in `hookline_outbox_aside`.
    pub number: i64,
    /// The company, as it was written.
    pub company: String,
    /// The event's id, as it was written.
    pub event_id: String,
    /// The event's type, as it was written.
    pub event_type: String,
    /// Why it cannot be published.
    pub reason: String,
    /// Since when it lies here: RFC 3339, UTC.
    pub set_aside_at: String,
}

/// What was set aside, oldest first, up to 10,000.
///
/// # Errors
/// [`OutboxError`].
pub async fn list_aside(database: impl PgExecutor<'_>) -> Result<Vec<Aside>, OutboxError> {
    let rows = sqlx::query(LIST).bind(LIST_AT_MOST).fetch_all(database).await?;
    Ok(rows.iter().map(aside).collect::<Result<_, sqlx::Error>>()?)
}

fn aside(row: &PgRow) -> Result<Aside, sqlx::Error> {
    Ok(Aside {
        number: row.try_get("position")?,
        company: row.try_get("company")?,
        event_id: row.try_get("event_id")?,
        event_type: row.try_get("type")?,
        reason: row.try_get("reason")?,
        set_aside_at: row.try_get("set_aside_at")?,
    })
}

/// Puts events back into the outbox, behind what waits there: those of these numbers. Mend the rows of
/// `hookline_outbox_aside` before, or what refused them. Returns how many there were.
///
/// # Errors
/// [`OutboxError`]; all of them stay where they are then.
pub async fn put_back(database: impl PgExecutor<'_>, numbers: &[i64]) -> Result<u64, OutboxError> {
    move_back(database, numbers, false).await
}

/// As [`put_back`], all of them.
///
/// # Errors
/// As [`put_back`].
pub async fn put_back_all(database: impl PgExecutor<'_>) -> Result<u64, OutboxError> {
    move_back(database, &[], true).await
}

async fn move_back(database: impl PgExecutor<'_>, numbers: &[i64], all: bool) -> Result<u64, OutboxError> {
    let moved = sqlx::query(PUT_BACK)
        .bind(numbers)
        .bind(all)
        .execute(database)
        .await?;
    Ok(moved.rows_affected())
}

/// Deletes events that were set aside and shall never be published. Returns how many there were.
///
/// # Errors
/// [`OutboxError`].
pub async fn discard_aside(database: impl PgExecutor<'_>, numbers: &[i64]) -> Result<u64, OutboxError> {
    let deleted = sqlx::query(DISCARD).bind(numbers).execute(database).await?;
    Ok(deleted.rows_affected())
}
