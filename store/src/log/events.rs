//! Events in the order in which they were recorded, each once.

use std::collections::{HashMap, HashSet};

use hookline_common::ids::{CompanyId, EventId, EventType};
use hookline_common::record::AttemptRecord;
use jiff::{SignedDuration, Timestamp};
use sqlx::{PgConnection, Row as _};

use crate::copy::Rows;
use crate::error::StoreError;
use crate::moment::Moment;

/// How long ago an event may have been recorded of which the first attempt is recorded now.
const RECORDED_BEFORE: SignedDuration = SignedDuration::from_hours(48);

const COPY: &str =
    "COPY events (recorded_at, company, id, type, created_at, is_test, data) FROM STDIN WITH (FORMAT binary)";
const COLUMNS: i16 = 7;
/// Bytes of a row beside its data, about.
const ROW: usize = 160;

/// An event that may not be recorded yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewEvent<'a> {
    pub(crate) company: &'a CompanyId,
    pub(crate) id: &'a EventId,
    pub(crate) event_type: &'a EventType,
    /// When it happened, where that is known.
    pub(crate) created_at: Option<Timestamp>,
    /// What was published, where that is kept.
    pub(crate) data: Option<&'a [u8]>,
    /// Whether it may have been recorded long ago: it was tried before, or is sent again.
    pub(crate) is_late: bool,
    /// Whether it is a sample that was sent to try an endpoint.
    pub(crate) is_test: bool,
}

/// The events of records, each once, in the order in which their first records came.
pub(super) fn of_records<'a>(records: &[&'a AttemptRecord]) -> Vec<NewEvent<'a>> {
    let mut places = HashMap::with_capacity(records.len());
    let mut events: Vec<NewEvent<'a>> = Vec::with_capacity(records.len());
    for &record in records {
        let data = record.data.as_deref().map(str::as_bytes);
        let is_late = record.attempt > 1 || record.origin == "manual";
        let place = *places
            .entry((&record.company, &record.event))
            .or_insert(events.len());
        match events.get_mut(place) {
            Some(event) => {
                event.data = event.data.or(data);
                event.created_at = event.created_at.or(record.created_at);
                event.is_late &= is_late;
            }
            None => events.push(NewEvent {
                company: &record.company,
                id: &record.event,
                event_type: &record.event_type,
                created_at: record.created_at,
                data,
                is_late,
                is_test: record.origin == "test",
            }),
        }
    }
    events
}

/// An event of a company.
pub(crate) type EventKey<'a> = (&'a CompanyId, &'a EventId);

/// Inserts those that are not there yet, as recorded at `now`, whose day must be there; and gives those that are there their
/// data, where they have none. Returns those that are there. Nobody else may insert meanwhile: [`super::order::in_order`].
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn add_events<'a>(
    transaction: &mut PgConnection,
    events: &[NewEvent<'a>],
    now: Timestamp,
) -> Result<HashSet<EventKey<'a>>, StoreError> {
    let (late, fresh): (Vec<_>, Vec<_>) = events.iter().partition(|event| event.is_late);
    let recently = now.checked_sub(RECORDED_BEFORE).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut known = HashSet::new();
    add_since(transaction, &fresh, now, recently, &mut known).await?;
    add_since(transaction, &late, now, Timestamp::UNIX_EPOCH, &mut known).await?;
    Ok(known)
}

async fn add_since<'a>(
    transaction: &mut PgConnection,
    events: &[&NewEvent<'a>],
    now: Timestamp,
    since: Timestamp,
    known: &mut HashSet<EventKey<'a>>,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let found = find(transaction, events, since).await?;
    let (mut new, mut bare) = (Vec::new(), Vec::new());
    for (event, found) in events.iter().zip(found) {
        let Some(found) = found else {
            new.push(*event);
            continue;
        };
        known.insert((event.company, event.id));
        if found.lacks_data && event.data.is_some() {
            bare.push((*event, found));
        }
    }
    insert(transaction, &new, now).await?;
    fill_in(transaction, &bare).await
}

/// A row that is there.
#[derive(Clone, Copy)]
struct Known {
    position: i64,
    recorded_at: Timestamp,
    lacks_data: bool,
}

async fn find(
    transaction: &mut PgConnection,
    events: &[&NewEvent<'_>],
    since: Timestamp,
) -> Result<Vec<Option<Known>>, StoreError> {
    let rows = sqlx::query(
        "SELECT u.n, e.position, e.recorded_at, e.lacks_data FROM unnest($1::text[], $2::text[]) \
         WITH ORDINALITY AS u (company, id, n) CROSS JOIN LATERAL ( \
             SELECT position, recorded_at, data IS NULL AS lacks_data FROM events e \
             WHERE e.company = u.company AND e.id = u.id AND e.recorded_at >= $3 LIMIT 1) e",
    )
    .bind(
        events
            .iter()
            .map(|event| event.company.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>())
    .bind(Moment(since))
    .fetch_all(transaction)
    .await?;
    let mut found = vec![None; events.len()];
    for row in rows {
        let number: i64 = row.try_get(0)?;
        let place = usize::try_from(number - 1)
            .ok()
            .and_then(|place| found.get_mut(place));
        if let Some(place) = place {
            *place = Some(Known {
                position: row.try_get(1)?,
                recorded_at: row.try_get::<Moment, _>(2)?.0,
                lacks_data: row.try_get(3)?,
            });
        }
    }
    Ok(found)
}

async fn insert(
    transaction: &mut PgConnection,
    events: &[&NewEvent<'_>],
    now: Timestamp,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let data = events.iter().filter_map(|event| event.data).map(<[u8]>::len);
    let mut rows = Rows::new(COLUMNS, data.sum::<usize>() + events.len() * ROW);
    for event in events {
        rows.row()
            .cell(Moment(now))?
            .cell(event.company.as_str())?
            .cell(event.id.as_str())?
            .cell(event.event_type.as_str())?
            .cell(event.created_at.map(Moment))?
            .cell(event.is_test)?
            .cell(event.data)?;
    }
    rows.store(transaction, COPY).await
}

async fn fill_in(
    transaction: &mut PgConnection,
    events: &[(&NewEvent<'_>, Known)],
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE events e SET data = u.data, created_at = COALESCE(e.created_at, u.created_at) \
         FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::bytea[]) \
             AS u (company, position, recorded_at, created_at, data) \
         WHERE e.company = u.company AND e.position = u.position AND e.recorded_at = u.recorded_at",
    )
    .bind(
        events
            .iter()
            .map(|(event, _)| event.company.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(events.iter().map(|(_, known)| known.position).collect::<Vec<_>>())
    .bind(
        events
            .iter()
            .map(|(_, known)| Moment(known.recorded_at))
            .collect::<Vec<_>>(),
    )
    .bind(
        events
            .iter()
            .map(|(event, _)| event.created_at.map(Moment))
            .collect::<Vec<_>>(),
    )
    .bind(events.iter().map(|(event, _)| event.data).collect::<Vec<_>>())
    .execute(transaction)
    .await?;
    Ok(())
}
