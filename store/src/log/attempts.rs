//! Attempts, one row each.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use hookline_common::record::AttemptRecord;
use sqlx::PgConnection;
use uuid::Uuid;

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

/// Inserts those that are not there yet, and returns them: a batch that dispatchers have sent twice is stored once.
pub(super) async fn insert<'a>(
    transaction: &mut PgConnection,
    entries: &[Entry<'a>],
) -> Result<Vec<&'a AttemptRecord>, StoreError> {
    let mut rows = Columns::with_capacity(entries.len());
    entries.iter().for_each(|entry| rows.push(entry));
    let inserted: Vec<RecordId> = sqlx::query_scalar(
        "INSERT INTO attempts (id, started_at, company, event, endpoint, type, url, origin, attempt, duration_ms, \
         outcome, status, error, response, next_attempt_at, is_final, trace_id, request_headers, response_headers) \
         SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
         $8::text[], $9::int[], $10::bigint[], $11::text[], $12::int[], $13::text[], $14::text[], $15::timestamptz[], \
         $16::bool[], $17::text[], $18::text[], $19::text[]) ON CONFLICT DO NOTHING RETURNING id",
    )
    .bind(rows.id)
    .bind(rows.started_at)
    .bind(rows.company)
    .bind(rows.event)
    .bind(rows.endpoint)
    .bind(rows.event_type)
    .bind(rows.url)
    .bind(rows.origin)
    .bind(rows.attempt)
    .bind(rows.duration_ms)
    .bind(rows.outcome)
    .bind(rows.status)
    .bind(rows.error)
    .bind(rows.response)
    .bind(rows.next_attempt_at)
    .bind(rows.is_final)
    .bind(rows.trace_id)
    .bind(rows.request_headers)
    .bind(rows.response_headers)
    .fetch_all(transaction)
    .await?;
    if inserted.len() == entries.len() {
        return Ok(entries.iter().map(|entry| entry.record).collect());
    }
    let mut inserted: HashSet<Uuid> = inserted.into_iter().map(|id| id.0).collect();
    // The same id twice in one batch counts once.
    let new = entries.iter().filter(|entry| inserted.remove(&entry.id));
    Ok(new.map(|entry| entry.record).collect())
}

#[derive(Default)]
struct Columns<'a> {
    id: Vec<RecordId>,
    started_at: Vec<Moment>,
    company: Vec<&'a str>,
    event: Vec<&'a str>,
    endpoint: Vec<&'a str>,
    event_type: Vec<&'a str>,
    url: Vec<Cow<'a, str>>,
    origin: Vec<Cow<'a, str>>,
    attempt: Vec<i32>,
    duration_ms: Vec<i64>,
    outcome: Vec<&'static str>,
    status: Vec<Option<i32>>,
    error: Vec<Option<Cow<'a, str>>>,
    response: Vec<Option<Cow<'a, str>>>,
    next_attempt_at: Vec<Option<Moment>>,
    is_final: Vec<bool>,
    trace_id: Vec<Option<Cow<'a, str>>>,
    request_headers: Vec<String>,
    response_headers: Vec<String>,
}

impl<'a> Columns<'a> {
    fn with_capacity(rows: usize) -> Self {
        Self {
            id: Vec::with_capacity(rows),
            started_at: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    fn push(&mut self, entry: &Entry<'a>) {
        let record = entry.record;
        self.id.push(RecordId(entry.id));
        self.started_at.push(Moment(record.started_at));
        self.company.push(record.company.as_str());
        self.event.push(record.event.as_str());
        self.endpoint.push(record.endpoint.as_str());
        self.event_type.push(record.event_type.as_str());
        self.url.push(storable(&record.url));
        self.origin.push(storable(&record.origin));
        self.attempt.push(record.attempt.into());
        self.duration_ms
            .push(i64::try_from(record.duration_ms).unwrap_or(i64::MAX));
        self.outcome.push(record.outcome.as_str());
        self.status.push(record.status.map(i32::from));
        self.error.push(record.error.as_deref().map(storable));
        self.response.push(record.response.as_deref().map(storable));
        self.next_attempt_at.push(record.next_attempt_at.map(Moment));
        self.is_final.push(record.is_final);
        self.trace_id.push(record.trace_id.as_deref().map(storable));
        self.request_headers.push(object(&record.request_headers));
        self.response_headers.push(object(&record.response_headers));
    }
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
