//! What new attempts make of their deliveries: one row for each, whatever happened to it since.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use hookline_common::outcome::Outcome;
use hookline_common::record::AttemptRecord;
use jiff::{SignedDuration, Timestamp};
use sqlx::{PgConnection, Row as _};

use super::attempts::storable;
use super::events::EventKey;
use crate::copy::Rows;
use crate::error::StoreError;
use crate::moment::Moment;

/// How long before an event's first attempt its delivery may have been made: the same attempt made twice, after a crash, or
/// a later one that was recorded earlier.
const MADE_BEFORE: SignedDuration = SignedDuration::from_hours(48);

const COPY: &str = "COPY deliveries (company, event, endpoint, created_at, type, origin, status, attempts, last_attempt_at, \
     last_outcome, last_status, last_error, next_attempt_at) FROM STDIN WITH (FORMAT binary)";
const COLUMNS: i16 = 13;
/// Bytes of a row, about.
const ROW: usize = 256;

/// What a batch has of one delivery.
pub(super) struct Change<'a> {
    first: &'a AttemptRecord,
    last: &'a AttemptRecord,
    attempts: i32,
}

impl Change<'_> {
    fn status(&self) -> &'static str {
        match (self.last.outcome, self.last.is_final) {
            (Outcome::Delivered, _) => "delivered",
            (Outcome::Discarded, true) => "discarded",
            (_, true) => "failed",
            (_, false) => "retrying",
        }
    }

    /// Whether it may be older than what the last days hold: only a delivery of an event begins with its first attempt.
    fn is_late(&self) -> bool {
        self.first.attempt > 1 || self.first.origin == "manual"
    }

    fn event(&self) -> EventKey<'_> {
        (&self.first.company, &self.first.event)
    }

    pub(super) fn created_at(&self) -> Timestamp {
        self.first.started_at
    }
}

/// What the records make of each delivery, in the order in which its first record came.
pub(super) fn changes<'a>(records: &[&'a AttemptRecord]) -> Vec<Change<'a>> {
    let mut places = HashMap::with_capacity(records.len());
    let mut changes: Vec<Change<'a>> = Vec::with_capacity(records.len());
    for &record in records {
        let key = (&record.company, &record.event, &record.endpoint);
        let place = *places.entry(key).or_insert(changes.len());
        let Some(change) = changes.get_mut(place) else {
            changes.push(Change {
                first: record,
                last: record,
                attempts: 1,
            });
            continue;
        };
        change.attempts += 1;
        if record.started_at < change.first.started_at {
            change.first = record;
        }
        if record.started_at >= change.last.started_at {
            change.last = record;
        }
    }
    changes
}

/// Writes them. `known` are the events that were there before: of the others there is no delivery, as whoever makes one adds
/// its event in the same transaction. Nobody else may insert meanwhile: [`super::order::in_order`].
pub(super) async fn write(
    transaction: &mut PgConnection,
    changes: &[Change<'_>],
    known: &HashSet<EventKey<'_>>,
) -> Result<(), StoreError> {
    let (late, fresh): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.is_late());
    let (fresh, new): (Vec<_>, Vec<_>) = fresh
        .into_iter()
        .partition(|change| known.contains(&change.event()));
    insert(transaction, &new).await?;
    let oldest = fresh.iter().map(|change| change.created_at()).min();
    let since = oldest.and_then(|oldest| oldest.checked_sub(MADE_BEFORE).ok());
    write_since(transaction, &fresh, since).await?;
    write_since(transaction, &late, None).await
}

async fn write_since(
    transaction: &mut PgConnection,
    changes: &[&Change<'_>],
    since: Option<Timestamp>,
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let known = find(transaction, changes, since).await?;
    let (mut new, mut old) = (Vec::new(), Vec::new());
    for (change, known) in changes.iter().zip(known) {
        match known {
            None => new.push(*change),
            Some(created_at) => old.push((*change, created_at)),
        }
    }
    insert(transaction, &new).await?;
    update(transaction, &old).await
}

/// When each of these deliveries was made, where there is one.
async fn find(
    transaction: &mut PgConnection,
    changes: &[&Change<'_>],
    since: Option<Timestamp>,
) -> Result<Vec<Option<Timestamp>>, StoreError> {
    let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
    let column = |of: fn(&AttemptRecord) -> &str| -> Vec<&str> {
        changes.iter().map(|change| of(change.first)).collect()
    };
    let rows = sqlx::query(
        // Joined to nothing, the endpoint's name leaves the planner one index to choose, which is the right one however much
        // or little it knows of a day that has just begun.
        "SELECT u.n, d.created_at FROM unnest($1::text[], $2::text[], $3::text[]) \
         WITH ORDINALITY AS u (company, event, endpoint, n) CROSS JOIN LATERAL ( \
             SELECT created_at FROM deliveries d \
             WHERE d.company = u.company AND d.event = u.event AND d.endpoint || '' = u.endpoint AND d.created_at >= $4 \
             LIMIT 1) d",
    )
    .bind(column(|record| record.company.as_str()))
    .bind(column(|record| record.event.as_str()))
    .bind(column(|record| record.endpoint.as_str()))
    .bind(Moment(since))
    .fetch_all(transaction)
    .await?;
    let mut found = vec![None; changes.len()];
    for row in rows {
        let number: i64 = row.try_get(0)?;
        let place = usize::try_from(number - 1)
            .ok()
            .and_then(|place| found.get_mut(place));
        if let Some(place) = place {
            *place = Some(row.try_get::<Moment, _>(1)?.0);
        }
    }
    Ok(found)
}

async fn insert(transaction: &mut PgConnection, changes: &[&Change<'_>]) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(COLUMNS, changes.len() * ROW);
    for change in changes {
        let Change { first, last, .. } = change;
        rows.row()
            .cell(first.company.as_str())?
            .cell(first.event.as_str())?
            .cell(first.endpoint.as_str())?
            .cell(Moment(change.created_at()))?
            .cell(first.event_type.as_str())?
            .cell(storable(&first.origin))?
            .cell(change.status())?
            .cell(change.attempts)?
            .cell(Moment(last.started_at))?
            .cell(last.outcome.as_str())?
            .cell(last.status.map(i32::from))?
            .cell(last.error.as_deref().map(storable))?
            .cell(last.next_attempt_at.map(Moment))?;
    }
    rows.store(transaction, COPY).await
}

/// An attempt that began before the last one that is known only counts.
const UPDATE: &str = "UPDATE deliveries d SET attempts = d.attempts + u.attempts, \
         status = CASE WHEN d.last_attempt_at > u.at THEN d.status ELSE u.status END, \
         last_attempt_at = CASE WHEN d.last_attempt_at > u.at THEN d.last_attempt_at ELSE u.at END, \
         last_outcome = CASE WHEN d.last_attempt_at > u.at THEN d.last_outcome ELSE u.outcome END, \
         last_status = CASE WHEN d.last_attempt_at > u.at THEN d.last_status ELSE u.answer END, \
         last_error = CASE WHEN d.last_attempt_at > u.at THEN d.last_error ELSE u.error END, \
         next_attempt_at = CASE WHEN d.last_attempt_at > u.at THEN d.next_attempt_at ELSE u.next_attempt_at END \
     FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::int[], $7::timestamptz[], \
         $8::text[], $9::int[], $10::text[], $11::timestamptz[]) \
         AS u (company, event, endpoint, created_at, status, attempts, at, outcome, answer, error, next_attempt_at) \
     WHERE d.company = u.company AND d.event = u.event AND d.endpoint = u.endpoint AND d.created_at = u.created_at";

async fn update(
    transaction: &mut PgConnection,
    changes: &[(&Change<'_>, Timestamp)],
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let (mut keys, mut lasts) = (Keys::default(), Lasts::default());
    for (change, created_at) in changes {
        keys.push(change, *created_at);
        lasts.push(change);
    }
    sqlx::query(UPDATE)
        .bind(keys.company)
        .bind(keys.event)
        .bind(keys.endpoint)
        .bind(keys.created_at)
        .bind(lasts.status)
        .bind(lasts.attempts)
        .bind(lasts.at)
        .bind(lasts.outcome)
        .bind(lasts.answer)
        .bind(lasts.error)
        .bind(lasts.next_attempt_at)
        .execute(transaction)
        .await?;
    Ok(())
}

#[derive(Default)]
struct Keys<'a> {
    company: Vec<&'a str>,
    event: Vec<&'a str>,
    endpoint: Vec<&'a str>,
    created_at: Vec<Moment>,
}

impl<'a> Keys<'a> {
    fn push(&mut self, change: &Change<'a>, created_at: Timestamp) {
        self.company.push(change.first.company.as_str());
        self.event.push(change.first.event.as_str());
        self.endpoint.push(change.first.endpoint.as_str());
        self.created_at.push(Moment(created_at));
    }
}

#[derive(Default)]
struct Lasts<'a> {
    status: Vec<&'static str>,
    attempts: Vec<i32>,
    at: Vec<Moment>,
    outcome: Vec<&'static str>,
    answer: Vec<Option<i32>>,
    error: Vec<Option<Cow<'a, str>>>,
    next_attempt_at: Vec<Option<Moment>>,
}

impl<'a> Lasts<'a> {
    fn push(&mut self, change: &Change<'a>) {
        let last = change.last;
        self.status.push(change.status());
        self.attempts.push(change.attempts);
        self.at.push(Moment(last.started_at));
        self.outcome.push(last.outcome.as_str());
        self.answer.push(last.status.map(i32::from));
        self.error.push(last.error.as_deref().map(storable));
        self.next_attempt_at.push(last.next_attempt_at.map(Moment));
    }
}
