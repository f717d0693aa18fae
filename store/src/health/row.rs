//! How an endpoint's health stands in its table, and how it is forgotten.

use std::collections::HashMap;

use hookline_common::ids::{CompanyId, EndpointId};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::fold::EndpointHealth;
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::Moment;

/// Everything of a row.
pub(super) fn health(row: &PgRow) -> Result<EndpointHealth, StoreError> {
    let time = |column: &str| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.try_get::<Option<Moment>, _>(column)?.map(|moment| moment.0))
    };
    let failures: i64 = row.try_get("consecutive_failures")?;
    Ok(EndpointHealth {
        consecutive_failures: u64::try_from(failures).unwrap_or_default(),
        failing_since: time("failing_since")?,
        last_success_at: time("last_success_at")?,
        last_failure_at: time("last_failure_at")?,
        gone_at: time("gone_at")?,
    })
}

impl Store {
    /// How these endpoints of a company fare; one of which the log knows nothing is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn health(
        &self,
        company: &CompanyId,
        endpoints: &[EndpointId],
    ) -> Result<HashMap<EndpointId, EndpointHealth>, StoreError> {
        if endpoints.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<&str> = endpoints.iter().map(EndpointId::as_str).collect();
        let query = sqlx::query("SELECT * FROM endpoint_health WHERE company = $1 AND endpoint = ANY($2)")
            .bind(company.as_str())
            .bind(ids);
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        let of_row = |row: &PgRow| {
            let id: String = row.try_get("endpoint")?;
            let id = EndpointId::parse(&id).map_err(|_| StoreError::Corrupt("endpoint id"))?;
            Ok((id, health(row)?))
        };
        rows.iter().map(of_row).collect()
    }
}

/// The endpoint starts afresh: what failed before counts no more. When it last succeeded and failed stays known.
pub(crate) async fn forget_failures(
    transaction: &mut PgConnection,
    company: &CompanyId,
    endpoint: &EndpointId,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE endpoint_health SET consecutive_failures = 0, failing_since = NULL, gone_at = NULL \
         WHERE company = $1 AND endpoint = $2",
    )
    .bind(company.as_str())
    .bind(endpoint.as_str())
    .execute(transaction)
    .await?;
    Ok(())
}

/// The endpoint is no more.
pub(crate) async fn forget(
    transaction: &mut PgConnection,
    company: &CompanyId,
    endpoint: &EndpointId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM endpoint_health WHERE company = $1 AND endpoint = $2")
        .bind(company.as_str())
        .bind(endpoint.as_str())
        .execute(transaction)
        .await?;
    Ok(())
}
