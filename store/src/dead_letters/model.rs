//! What is known of a dead letter, and how it stands in its table.

use hookline_common::delivery::{DeadLetterCause, DeadLetterReason, Delivery, Origin};
use hookline_common::event::CreatedAt;
use hookline_common::ids::{CompanyId, EndpointId, EventId, EventType};
use hookline_common::message::FiledDelivery;
use hookline_common::outcome::Outcome;
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::error::StoreError;
use crate::moment::Moment;

/// A dead letter as it came from the broker.
#[derive(Debug, Clone)]
pub struct NewDeadLetter {
    /// What was to be delivered.
    pub delivery: Delivery,
    /// How it failed.
    pub cause: DeadLetterCause,
}

/// A dead letter, without its payload.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    pub(super) position: i64,
    /// The event.
    pub event: EventId,
    /// The endpoint that did not get it.
    pub endpoint: EndpointId,
    /// The event's type.
    pub event_type: EventType,
    /// Why the delivery existed.
    pub origin: Origin,
    /// Why it failed.
    pub reason: DeadLetterReason,
    /// Attempts that were made; 0 for an endpoint that was disabled all along.
    pub attempts: u16,
    /// How the last one ended.
    pub last_outcome: Option<Outcome>,
    /// The HTTP status of the last one.
    pub last_status: Option<u16>,
    /// When it failed for good.
    pub failed_at: Timestamp,
    /// When the event happened.
    pub created_at: Timestamp,
    /// The last manual retry, of which nothing has come back yet.
    pub retried_at: Option<Timestamp>,
}

/// The columns of [`letter`].
macro_rules! letter_columns {
    () => {
        "position, event, endpoint, type, origin, reason, attempts, last_outcome, last_status, failed_at, created_at, \
         retried_at"
    };
}
pub(super) use letter_columns;

/// A dead letter of a row.
pub(super) fn letter(row: &PgRow) -> Result<DeadLetter, StoreError> {
    let text = |column: &str| -> Result<String, StoreError> { Ok(row.try_get(column)?) };
    let optional = |column: &str| -> Result<Option<String>, StoreError> { Ok(row.try_get(column)?) };
    let bad = |_| StoreError::Corrupt("id or type of a dead letter");
    let attempts: i32 = row.try_get("attempts")?;
    let last_status: Option<i32> = row.try_get("last_status")?;
    Ok(DeadLetter {
        position: row.try_get("position")?,
        event: EventId::parse(&text("event")?).map_err(bad)?,
        endpoint: EndpointId::parse(&text("endpoint")?).map_err(bad)?,
        event_type: EventType::parse(&text("type")?).map_err(bad)?,
        origin: Origin::parse(&text("origin")?).ok_or(StoreError::Corrupt("origin of a dead letter"))?,
        reason: DeadLetterReason::parse(&text("reason")?)
            .ok_or(StoreError::Corrupt("reason of a dead letter"))?,
        attempts: u16::try_from(attempts).unwrap_or(u16::MAX),
        last_outcome: optional("last_outcome")?.and_then(|name| Outcome::parse(&name)),
        last_status: last_status.and_then(|status| u16::try_from(status).ok()),
        failed_at: row.try_get::<Moment, _>("failed_at")?.0,
        created_at: row.try_get::<Moment, _>("created_at")?.0,
        retried_at: row.try_get::<Option<Moment>, _>("retried_at")?.map(|at| at.0),
    })
}

/// The delivery of a row that also has `headers` and `data`.
pub(super) fn filed(company: &CompanyId, row: &PgRow) -> Result<FiledDelivery, StoreError> {
    let letter = letter(row)?;
    Ok(FiledDelivery {
        event: letter.event,
        company: company.clone(),
        endpoint: letter.endpoint,
        event_type: letter.event_type,
        created_at: CreatedAt::parse(&letter.created_at.to_string())
            .ok_or(StoreError::Corrupt("time of a dead letter's event"))?,
        origin: letter.origin,
        headers: row.try_get("headers")?,
        data: row.try_get("data")?,
    })
}

/// When the event happened.
pub(super) fn happened_at(delivery: &Delivery) -> Timestamp {
    delivery.event.created_at.as_timestamp()
}

/// Attempts that were made before it failed: one that never began for a disabled endpoint is none.
pub(super) fn attempts_made(letter: &NewDeadLetter) -> i32 {
    let number = i32::from(letter.delivery.attempt.get());
    match letter.cause.reason {
        DeadLetterReason::RetriesExhausted => number,
        DeadLetterReason::EndpointDisabled => number - 1,
    }
}

/// When each of them failed.
pub(super) fn failed_at(letters: &[&NewDeadLetter]) -> Vec<Moment> {
    letters
        .iter()
        .map(|letter| Moment(letter.cause.failed_at))
        .collect()
}
