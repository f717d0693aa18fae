//! Events of Hookline's own, kept until the broker has them: written in the transaction that does what they tell of.

use hookline_common::ids::{CompanyId, EventId, EventType};
use jiff::Timestamp;
use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::connect::{Store, within};
use crate::endpoints::{Registered, masked_url};
use crate::error::StoreError;
use crate::health::{DisableReason, EndpointHealth};
use crate::moment::Moment;

/// An event of Hookline's own that is to be published.
#[derive(Debug, Clone)]
pub struct OperationalEvent {
    /// Its id, the same however often it is published.
    pub id: EventId,
    /// Whom it is told to.
    pub company: CompanyId,
    /// Its type.
    pub event_type: EventType,
    /// When it happened.
    pub created_at: Timestamp,
    /// One JSON object.
    pub data: String,
}

impl Store {
    /// The oldest events that wait to be published.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn operational_events(&self, limit: u32) -> Result<Vec<OperationalEvent>, StoreError> {
        let query = sqlx::query(
            "SELECT id, company, type, created_at, data FROM operational_events ORDER BY created_at, id LIMIT $1",
        )
        .bind(i64::from(limit));
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        rows.iter().map(event).collect()
    }

    /// The broker has this one.
    ///
    /// # Errors
    /// [`StoreError`]; it is published again then.
    pub async fn remove_operational_event(&self, id: &EventId) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM operational_events WHERE id = $1").bind(id.as_str());
        within(async { Ok(query.execute(&self.pool).await.map(drop)?) }).await
    }
}

fn event(row: &PgRow) -> Result<OperationalEvent, StoreError> {
    let text = |column: &str| -> Result<String, StoreError> { Ok(row.try_get(column)?) };
    let corrupt = |_| StoreError::Corrupt("operational event");
    Ok(OperationalEvent {
        id: EventId::parse(&text("id")?).map_err(corrupt)?,
        company: CompanyId::parse(&text("company")?).map_err(corrupt)?,
        event_type: EventType::parse(&text("type")?).map_err(corrupt)?,
        created_at: row.try_get::<Moment, _>("created_at")?.0,
        data: text("data")?,
    })
}

/// Writes down that an endpoint was disabled: `endpoint.disabled`, as the catalogue describes it.
pub(crate) async fn tell_disabled(
    transaction: &mut PgConnection,
    endpoint: &Registered,
    reason: DisableReason,
    health: &EndpointHealth,
) -> Result<(), StoreError> {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let data = json!({
        "endpoint": endpoint.id.as_str(),
        "url": masked_url(&endpoint.url),
        "reason": reason.as_str(),
        "detail": reason.to_string(),
        "disabledAt": endpoint.updated_at.to_string(),
        "failingSince": time(health.failing_since),
        "consecutiveFailures": health.consecutive_failures,
        "lastSuccessAt": time(health.last_success_at),
        "lastFailureAt": time(health.last_failure_at),
    });
    sqlx::query(
        "INSERT INTO operational_events (id, company, type, created_at, data) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(EventId::new().as_str())
    .bind(endpoint.company.as_str())
    .bind(EventType::ENDPOINT_DISABLED)
    .bind(Moment(endpoint.updated_at))
    .bind(data.to_string())
    .execute(transaction)
    .await?;
    Ok(())
}
