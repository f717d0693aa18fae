//! One dead letter was sent again.

use hookline_common::ids::{CompanyId, EndpointId, EventId};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;

use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::log::in_order;
use crate::moment::Moment;

impl Store {
    /// Whether an endpoint can be sent to.
    ///
    /// # Errors
    /// [`StoreError::EndpointDisabled`], [`StoreError::EndpointGone`].
    pub async fn can_be_sent_to(&self, company: &CompanyId, endpoint: &EndpointId) -> Result<(), StoreError> {
        let query = sqlx::query_scalar("SELECT disabled FROM endpoints WHERE company = $1 AND id = $2")
            .bind(company.as_str())
            .bind(endpoint.as_str());
        match within(async { Ok(query.fetch_optional(&self.pool).await?) }).await? {
            Some(false) => Ok(()),
            Some(true) => Err(StoreError::EndpointDisabled),
            None => Err(StoreError::EndpointGone),
        }
    }

    /// Notes that a dead letter was sent again at `now`, by whom, and that its delivery waits for its attempt.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_retry(
        &self,
        company: &CompanyId,
        event: &EventId,
        endpoint: &EndpointId,
        now: Timestamp,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            let (events, endpoints) = (vec![event.as_str()], vec![endpoint.as_str()]);
            set_retried(&mut transaction, company, &events, &endpoints, now).await?;
            let deed = Deed {
                company,
                actor,
                action: "failed.retried",
                object: endpoint.as_str(),
                before: None,
                after: Some(json!({"event": event.as_str(), "count": 1})),
            };
            audit::record(&mut transaction, deed).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }
}

/// Sets when these dead letters were retried, where they failed before, and that their deliveries wait for an attempt.
pub(super) async fn set_retried(
    transaction: &mut PgConnection,
    company: &CompanyId,
    events: &[&str],
    endpoints: &[&str],
    now: Timestamp,
) -> Result<(), StoreError> {
    in_order(transaction).await?;
    // A record that is newer than the retry says more.
    sqlx::query(
        "UPDATE deliveries d SET status = 'retrying', next_attempt_at = $4 \
         FROM unnest($2::text[], $3::text[]) AS u (event, endpoint) \
         WHERE d.company = $1 AND d.event = u.event AND d.endpoint = u.endpoint AND d.status IN ('failed', 'discarded') \
         AND (d.last_attempt_at IS NULL OR d.last_attempt_at < $4)",
    )
    .bind(company.as_str())
    .bind(events)
    .bind(endpoints)
    .bind(Moment(now))
    .execute(&mut *transaction)
    .await?;
    // Where a record says already that its endpoint is gone, nothing comes back.
    sqlx::query(
        "UPDATE dead_letters l SET retried_at = $4 FROM unnest($2::text[], $3::text[]) AS u (event, endpoint) \
         WHERE l.company = $1 AND l.event = u.event AND l.endpoint = u.endpoint AND l.failed_at < $4 \
         AND (SELECT count(*) FROM deliveries d WHERE d.company = $1 AND d.event = u.event AND d.endpoint = u.endpoint \
         AND d.status = 'discarded' AND d.last_attempt_at >= $4) = 0",
    )
    .bind(company.as_str())
    .bind(events)
    .bind(endpoints)
    .bind(Moment(now))
    .execute(transaction)
    .await?;
    Ok(())
}
