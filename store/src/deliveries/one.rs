//! One delivery with its attempts.

use hookline_common::ids::{CompanyId, EndpointId, EventId};
use sqlx::AssertSqlSafe;

use super::model::DeliveryDetail;
use super::row::{COLUMNS, attempt, delivery};
use crate::connect::{Store, within};
use crate::error::StoreError;

impl Store {
    /// One delivery: where the log has two of this event to this endpoint, days apart, the newer one, and the attempts of
    /// both.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where the company's log has none.
    pub async fn delivery(
        &self,
        company: &CompanyId,
        event: &EventId,
        endpoint: &EndpointId,
    ) -> Result<DeliveryDetail, StoreError> {
        // Joined to nothing, the endpoint's name leaves the planner one index to choose, also where it knows nothing of a day:
        // that of the event, and not that of all which the endpoint ever got.
        let found = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM deliveries WHERE company = $1 AND event = $2 AND endpoint || '' = $3 \
             ORDER BY created_at DESC LIMIT 1"
        )))
        .bind(company.as_str())
        .bind(event.as_str())
        .bind(endpoint.as_str());
        let attempts = sqlx::query(
            "SELECT id::text AS id, attempt, origin, url, started_at, duration_ms, outcome, status, error, response, \
             next_attempt_at, is_final, trace_id, request_headers, response_headers FROM attempts \
             WHERE company = $1 AND event = $2 AND endpoint = $3 ORDER BY started_at DESC, id DESC LIMIT $4",
        )
        .bind(company.as_str())
        .bind(event.as_str())
        .bind(endpoint.as_str())
        .bind(i64::from(DeliveryDetail::MAX_ATTEMPTS));
        let (found, attempts) = within(async {
            // One after the other: what is recorded in between is seen as an attempt that the delivery does not count yet.
            let found = found.fetch_one(&self.pool).await?;
            Ok((found, attempts.fetch_all(&self.pool).await?))
        })
        .await?;
        Ok(DeliveryDetail {
            delivery: delivery(&found)?,
            attempts: attempts.iter().rev().map(attempt).collect::<Result<_, _>>()?,
        })
    }
}
