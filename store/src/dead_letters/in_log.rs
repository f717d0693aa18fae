//! What the log is told of dead letters: their deliveries failed, and where it knows of none, there was one.

use hookline_common::delivery::DeadLetterReason;
use jiff::{SignedDuration, Timestamp};
use sqlx::{PgConnection, Row as _};

use super::model::{NewDeadLetter, attempts_made, happened_at};
use crate::error::StoreError;
use crate::log::{NewEvent, add_events};
use crate::moment::Moment;

/// How far from now a delivery that was never tried may have failed and still stand in the log under that time: a time that
/// somebody made up must not make days of years ago.
const BELIEVED: SignedDuration = SignedDuration::from_hours(48);

/// When a delivery that the log does not know is taken to have begun.
pub(super) fn first_seen(letter: &NewDeadLetter, now: Timestamp) -> Timestamp {
    let failed_at = letter.cause.failed_at;
    if now.duration_since(failed_at).abs() <= BELIEVED {
        failed_at
    } else {
        now
    }
}

/// What the log knows of a delivery.
#[derive(Clone, Copy)]
struct Known {
    created_at: Timestamp,
    was_delivered_since: bool,
}

/// Tells the log, and returns those that are still to be filed: one that was delivered after it failed is done. Nobody else
/// may insert meanwhile: [`crate::log::in_order`].
pub(super) async fn note<'a>(
    transaction: &mut PgConnection,
    letters: &[&'a NewDeadLetter],
    now: Timestamp,
) -> Result<Vec<&'a NewDeadLetter>, StoreError> {
    let known = find(transaction, letters, now).await?;
    let (mut open, mut new, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (letter, known) in letters.iter().zip(known) {
        match known {
            Some(known) if known.was_delivered_since => continue,
            Some(known) => failed.push((*letter, known)),
            None => new.push(*letter),
        }
        open.push(*letter);
    }
    insert(transaction, &new, now).await?;
    set_failed(transaction, &failed).await?;
    let events: Vec<NewEvent<'_>> = new.iter().map(|letter| event(letter)).collect();
    add_events(transaction, &once(events), now).await?;
    Ok(open)
}

fn event(letter: &NewDeadLetter) -> NewEvent<'_> {
    let event = &letter.delivery.event;
    NewEvent {
        company: &event.company,
        id: &event.id,
        event_type: &event.event_type,
        created_at: Some(happened_at(&letter.delivery)),
        data: Some(event.data.as_bytes()),
        is_late: is_late(letter),
        is_test: false,
    }
}

/// An event that failed at several endpoints is one event.
fn once(events: Vec<NewEvent<'_>>) -> Vec<NewEvent<'_>> {
    let mut seen = std::collections::HashSet::new();
    let mut events = events;
    events.retain(|event| seen.insert((event.company, event.id)));
    events
}

/// Whether the delivery may have begun long ago.
fn is_late(letter: &NewDeadLetter) -> bool {
    letter.cause.reason == DeadLetterReason::RetriesExhausted || attempts_made(letter) > 0
}

async fn find(
    transaction: &mut PgConnection,
    letters: &[&NewDeadLetter],
    now: Timestamp,
) -> Result<Vec<Option<Known>>, StoreError> {
    let recently = now.checked_sub(BELIEVED).unwrap_or(Timestamp::UNIX_EPOCH);
    let since = |letter: &&NewDeadLetter| {
        Moment(if is_late(letter) {
            Timestamp::UNIX_EPOCH
        } else {
            recently
        })
    };
    let rows = sqlx::query(
        "SELECT u.n, d.created_at, d.status = 'delivered' AND d.last_attempt_at > u.failed_at AS delivered \
         FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[]) \
         WITH ORDINALITY AS u (company, event, endpoint, failed_at, since, n) CROSS JOIN LATERAL ( \
             SELECT created_at, status, last_attempt_at FROM deliveries d WHERE d.company = u.company \
             AND d.event = u.event AND d.endpoint = u.endpoint AND d.created_at >= u.since \
             ORDER BY d.created_at DESC LIMIT 1) d",
    )
    .bind(texts(letters, |letter| letter.delivery.event.company.as_str()))
    .bind(texts(letters, |letter| letter.delivery.event.id.as_str()))
    .bind(texts(letters, |letter| letter.delivery.endpoint.as_str()))
    .bind(
        letters
            .iter()
            .map(|letter| Moment(letter.cause.failed_at))
            .collect::<Vec<_>>(),
    )
    .bind(letters.iter().map(since).collect::<Vec<_>>())
    .fetch_all(transaction)
    .await?;
    let mut found = vec![None; letters.len()];
    for row in rows {
        let number: i64 = row.try_get(0)?;
        let place = usize::try_from(number - 1)
            .ok()
            .and_then(|place| found.get_mut(place));
        if let Some(place) = place {
            *place = Some(Known {
                created_at: row.try_get::<Moment, _>(1)?.0,
                was_delivered_since: row.try_get::<Option<bool>, _>(2)?.unwrap_or(false),
            });
        }
    }
    Ok(found)
}

fn texts<'a>(letters: &[&'a NewDeadLetter], of: fn(&NewDeadLetter) -> &str) -> Vec<&'a str> {
    letters.iter().map(|letter| of(letter)).collect()
}

async fn insert(
    transaction: &mut PgConnection,
    letters: &[&NewDeadLetter],
    now: Timestamp,
) -> Result<(), StoreError> {
    if letters.is_empty() {
        return Ok(());
    }
    // Attempts are counted by their records, which may still come.
    sqlx::query(
        "INSERT INTO deliveries (company, event, endpoint, created_at, type, origin, status, attempts) \
         SELECT DISTINCT ON (company, event, endpoint) company, event, endpoint, created_at, type, origin, 'failed', 0 \
         FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[]) \
         AS u (company, event, endpoint, created_at, type, origin) ON CONFLICT DO NOTHING",
    )
    .bind(texts(letters, |letter| letter.delivery.event.company.as_str()))
    .bind(texts(letters, |letter| letter.delivery.event.id.as_str()))
    .bind(texts(letters, |letter| letter.delivery.endpoint.as_str()))
    .bind(
        letters
            .iter()
            .map(|letter| Moment(first_seen(letter, now)))
            .collect::<Vec<_>>(),
    )
    .bind(texts(letters, |letter| {
        letter.delivery.event.event_type.as_str()
    }))
    .bind(texts(letters, |letter| letter.delivery.origin.as_str()))
    .execute(transaction)
    .await?;
    Ok(())
}

/// What began after the failure, or was retried by hand since, stays as it is.
async fn set_failed(
    transaction: &mut PgConnection,
    letters: &[(&NewDeadLetter, Known)],
) -> Result<(), StoreError> {
    if letters.is_empty() {
        return Ok(());
    }
    let plain: Vec<&NewDeadLetter> = letters.iter().map(|(letter, _)| *letter).collect();
    sqlx::query(
        "UPDATE deliveries d SET status = 'failed', next_attempt_at = NULL \
         FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[]) \
         AS u (company, event, endpoint, created_at, failed_at) \
         WHERE d.company = u.company AND d.event = u.event AND d.endpoint = u.endpoint AND d.created_at = u.created_at \
         AND d.status = 'retrying' AND (d.last_attempt_at IS NULL OR d.last_attempt_at <= u.failed_at) \
         AND (d.next_attempt_at IS NULL OR d.next_attempt_at <= u.failed_at)",
    )
    .bind(texts(&plain, |letter| letter.delivery.event.company.as_str()))
    .bind(texts(&plain, |letter| letter.delivery.event.id.as_str()))
    .bind(texts(&plain, |letter| letter.delivery.endpoint.as_str()))
    .bind(
        letters
            .iter()
            .map(|(_, known)| Moment(known.created_at))
            .collect::<Vec<_>>(),
    )
    .bind(
        plain
            .iter()
            .map(|letter| Moment(letter.cause.failed_at))
            .collect::<Vec<_>>(),
    )
    .execute(transaction)
    .await?;
    Ok(())
}
