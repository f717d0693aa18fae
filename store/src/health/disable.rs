//! Endpoints that are disabled for how they fare: found, and each disabled with its audit row and the event that tells its
//! company, in one transaction.

use std::time::Duration;

use hookline_common::ids::{CompanyId, EndpointId};
use sqlx::{PgConnection, Row as _};

use super::fold::EndpointHealth;
use super::row::health;
use super::verdict::{DisableReason, verdict};
use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::endpoints::{Registered, locked};
use crate::error::StoreError;
use crate::moment::Moment;
use crate::operational;

/// Endpoints that one look finds at most; the next look finds the others.
const AT_ONCE: i64 = 100;

/// An endpoint that was disabled just now.
#[derive(Debug, Clone)]
pub struct Disabled {
    /// Whose it is.
    pub company: CompanyId,
    /// Which.
    pub endpoint: EndpointId,
    /// Why.
    pub reason: DisableReason,
}

impl Store {
    /// Endpoints that answered 410, or only failed for so long, since they were last changed. What is found may be changed
    /// before it is disabled.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ailing(&self, after: Duration) -> Result<Vec<(CompanyId, EndpointId)>, StoreError> {
        let query = sqlx::query(
            "SELECT h.company, h.endpoint FROM endpoint_health h \
             JOIN endpoints e ON e.company = h.company AND e.id = h.endpoint \
             WHERE NOT e.disabled AND (h.gone_at IS NOT NULL OR h.failing_since IS NOT NULL) AND (h.gone_at > e.updated_at \
             OR h.last_failure_at - greatest(h.failing_since, e.updated_at) >= make_interval(secs => $1)) \
             ORDER BY h.company, h.endpoint LIMIT $2",
        )
        .bind(after.as_secs_f64())
        .bind(AT_ONCE);
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        let ids = rows.iter().map(|row| {
            let company: String = row.try_get("company")?;
            let endpoint: String = row.try_get("endpoint")?;
            Ok((
                CompanyId::parse(&company).map_err(|_| StoreError::Corrupt("company"))?,
                EndpointId::parse(&endpoint).map_err(|_| StoreError::Corrupt("endpoint id"))?,
            ))
        });
        ids.collect()
    }

    /// Disables an endpoint, if it still is to be. Dispatchers are told, the audit says who did it, and an event for its
    /// company waits to be published.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed then.
    pub async fn disable_ailing(
        &self,
        company: &CompanyId,
        id: &EndpointId,
        after: Duration,
    ) -> Result<Option<Disabled>, StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            let endpoint = match locked(&mut transaction, company, id).await {
                Ok(row) => row.endpoint,
                // Removed meanwhile.
                Err(StoreError::NotFound) => return Ok(None),
                Err(error) => return Err(error),
            };
            let Some(health) = locked_health(&mut transaction, company, id).await? else {
                return Ok(None);
            };
            let reason = verdict(&health, endpoint.updated_at, after).filter(|_| !endpoint.disabled);
            let Some(reason) = reason else {
                return Ok(None);
            };
            let disabled = disable(&mut transaction, &endpoint, reason).await?;
            let deed = Deed {
                company,
                actor: &Actor::Hookline,
                action: "endpoint.disabled",
                object: id.as_str(),
                before: Some(endpoint.masked()),
                after: Some(disabled.masked()),
            };
            audit::record(&mut transaction, deed).await?;
            operational::tell_disabled(&mut transaction, &disabled, reason, &health).await?;
            transaction.commit().await?;
            Ok(Some(Disabled {
                company: company.clone(),
                endpoint: id.clone(),
                reason,
            }))
        })
        .await
    }
}

async fn locked_health(
    transaction: &mut PgConnection,
    company: &CompanyId,
    id: &EndpointId,
) -> Result<Option<EndpointHealth>, StoreError> {
    let row = sqlx::query("SELECT * FROM endpoint_health WHERE company = $1 AND endpoint = $2 FOR UPDATE")
        .bind(company.as_str())
        .bind(id.as_str())
        .fetch_optional(transaction)
        .await?;
    row.as_ref().map(health).transpose()
}

/// The endpoint as it is then.
async fn disable(
    transaction: &mut PgConnection,
    endpoint: &Registered,
    reason: DisableReason,
) -> Result<Registered, StoreError> {
    let row = sqlx::query(
        "UPDATE endpoints SET disabled = true, disabled_reason = $3, updated_at = now() \
         WHERE company = $1 AND id = $2 RETURNING updated_at",
    )
    .bind(endpoint.company.as_str())
    .bind(endpoint.id.as_str())
    .bind(reason.to_string())
    .fetch_one(transaction)
    .await?;
    let mut disabled = endpoint.clone();
    disabled.disabled = true;
    disabled.disabled_reason = Some(reason.to_string());
    disabled.updated_at = row.try_get::<Moment, _>("updated_at")?.0;
    Ok(disabled)
}
