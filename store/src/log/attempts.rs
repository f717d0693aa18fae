//! Attempts, one row each.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use hookline_common::record::AttemptRecord;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::copy::Rows;
use crate::error::StoreError;
use crate::moment::{Moment, RecordId};

/// A record whose id was read.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) id: Uuid,
    /// Of the message that brought it.
    pub(super) offset: u64,
    pub(super) record: &'a AttemptRecord,
}

const COPY: &str = "COPY attempts (id, started_at, company, event, endpoint, type, url, origin, attempt, duration_ms, outcome, \
     status, error, response, next_attempt_at, is_final, trace_id, request_headers, response_headers) \
     FROM STDIN WITH (FORMAT binary)";
const COLUMNS: i16 = 19;
/// Bytes of a row, about.
const ROW: usize = 1024;

/// Inserts all of them. One that is there already is refused, and all others with it.
pub(super) async fn insert(transaction: &mut PgConnection, entries: &[Entry<'_>]) -> Result<(), StoreError> {
    let mut rows = Rows::new(COLUMNS, entries.len() * ROW);
    for Entry { id, record, .. } in entries {
        rows.row()
            .cell(RecordId(*id))?
            .cell(Moment(record.started_at))?
            .cell(record.company.as_str())?
            .cell(record.event.as_str())?
            .cell(record.endpoint.as_str())?
            .cell(record.event_type.as_str())?
            .cell(storable(&record.url))?
            .cell(storable(&record.origin))?
            .cell(i32::from(record.attempt))?
            .cell(i64::try_from(record.duration_ms).unwrap_or(i64::MAX))?
            .cell(record.outcome.as_str())?
            .cell(record.status.map(i32::from))?
            .cell(record.error.as_deref().map(storable))?
            .cell(record.response.as_deref().map(storable))?
            .cell(record.next_attempt_at.map(Moment))?
            .cell(record.is_final)?
            .cell(record.trace_id.as_deref().map(storable))?
            .cell(object(&record.request_headers))?
            .cell(object(&record.response_headers))?;
    }
    rows.store(transaction, COPY).await
}

/// Those that are not there yet, each once: dispatchers send a batch twice where its confirm was lost. Nobody else may insert
/// them meanwhile.
pub(super) async fn unknown<'a>(
    transaction: &mut PgConnection,
    entries: &[Entry<'a>],
) -> Result<Vec<Entry<'a>>, StoreError> {
    let known = sqlx::query_scalar(
        "SELECT id FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, started_at) \
         JOIN attempts USING (id, started_at)",
    )
    .bind(entries.iter().map(|entry| RecordId(entry.id)).collect::<Vec<_>>())
    .bind(
        entries
            .iter()
            .map(|entry| Moment(entry.record.started_at))
            .collect::<Vec<_>>(),
    )
    .fetch_all(transaction)
    .await?;
    let mut seen: HashSet<Uuid> = known.into_iter().map(|id: RecordId| id.0).collect();
    let is_new = |entry: &&Entry<'_>| seen.insert(entry.id);
    Ok(entries.iter().filter(is_new).copied().collect())
}

/// A NUL cannot be stored in a text. It is shown as what no reader can read is shown as.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// A JSON object, in which a NUL is escaped.
fn object(headers: &BTreeMap<String, String>) -> String {
    // Texts are always written.
    serde_json::to_string(headers).unwrap_or_default()
}
