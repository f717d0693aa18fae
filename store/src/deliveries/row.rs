//! How deliveries and attempts stand in their tables.

use hookline_common::ids::{EndpointId, EventId, EventType};
use hookline_common::outcome::Outcome;
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::model::{DeliveryStatus, LoggedAttempt, LoggedDelivery};
use crate::error::StoreError;
use crate::moment::Moment;

/// What is read of a delivery.
pub(super) const COLUMNS: &str = "event, endpoint, created_at, type, origin, status, attempts, last_attempt_at, \
                                  last_outcome, last_status, last_error, next_attempt_at";

const BAD_DELIVERY: StoreError = StoreError::Corrupt("delivery of the log");
const BAD_ATTEMPT: StoreError = StoreError::Corrupt("attempt of the log");

pub(super) fn delivery(row: &PgRow) -> Result<LoggedDelivery, StoreError> {
    let text = |column: &str| row.try_get::<&str, _>(column);
    Ok(LoggedDelivery {
        event: EventId::parse(text("event")?).map_err(|_| BAD_DELIVERY)?,
        endpoint: EndpointId::parse(text("endpoint")?).map_err(|_| BAD_DELIVERY)?,
        event_type: EventType::parse(text("type")?).map_err(|_| BAD_DELIVERY)?,
        origin: row.try_get("origin")?,
        status: DeliveryStatus::parse(text("status")?).ok_or(BAD_DELIVERY)?,
        attempts: number(row, "attempts")?.ok_or(BAD_DELIVERY)?,
        last_outcome: outcome(row, "last_outcome")?,
        last_status: number(row, "last_status")?,
        last_error: row.try_get("last_error")?,
        created_at: moment(row, "created_at")?.ok_or(BAD_DELIVERY)?,
        last_attempt_at: moment(row, "last_attempt_at")?,
        next_attempt_at: moment(row, "next_attempt_at")?,
    })
}

pub(super) fn attempt(row: &PgRow) -> Result<LoggedAttempt, StoreError> {
    let duration: i64 = row.try_get("duration_ms")?;
    Ok(LoggedAttempt {
        id: row.try_get("id")?,
        attempt: number(row, "attempt")?.ok_or(BAD_ATTEMPT)?,
        origin: row.try_get("origin")?,
        url: row.try_get("url")?,
        started_at: moment(row, "started_at")?.ok_or(BAD_ATTEMPT)?,
        duration_ms: u64::try_from(duration).map_err(|_| BAD_ATTEMPT)?,
        outcome: outcome(row, "outcome")?.ok_or(BAD_ATTEMPT)?,
        status: number(row, "status")?,
        error: row.try_get("error")?,
        response: row.try_get("response")?,
        next_attempt_at: moment(row, "next_attempt_at")?,
        is_final: row.try_get("is_final")?,
        trace_id: row.try_get("trace_id")?,
        request_headers: row.try_get("request_headers")?,
        response_headers: row.try_get("response_headers")?,
    })
}

/// An outcome, where there is one.
pub(crate) fn outcome(row: &PgRow, column: &str) -> Result<Option<Outcome>, StoreError> {
    let name: Option<&str> = row.try_get(column)?;
    let known = name.map(|name| Outcome::parse(name).ok_or(StoreError::Corrupt("outcome in the log")));
    known.transpose()
}

/// A number that is never negative, where there is one.
pub(crate) fn number<N: TryFrom<i32>>(row: &PgRow, column: &str) -> Result<Option<N>, StoreError> {
    let number: Option<i32> = row.try_get(column)?;
    let known =
        number.map(|number| N::try_from(number).map_err(|_| StoreError::Corrupt("number in the log")));
    known.transpose()
}

/// A time, where there is one.
pub(crate) fn moment(row: &PgRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    let moment: Option<Moment> = row.try_get(column)?;
    Ok(moment.map(|moment| moment.0))
}
