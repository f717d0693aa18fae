//! What somebody sends again is sent once, however often it is asked for at the same moment: two tabs, a button that is pressed
//! twice, two people.

use hookline_common::ids::{CompanyId, EndpointId, EventId};
use sqlx::PgConnection;

use crate::connect::{Store, within};
use crate::error::StoreError;

/// Rows that are forgotten with each new one, as many as come in a moment at most.
const FORGOTTEN: i64 = 100;

impl Store {
    /// Claims a delivery for whoever is about to send it again.
    ///
    /// # Errors
    /// [`StoreError::SentAgain`] where it was claimed within the last second.
    pub async fn claim_retry(
        &self,
        company: &CompanyId,
        event: &EventId,
        endpoint: &EndpointId,
    ) -> Result<(), StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            claim(&mut transaction, company, event, Some(endpoint)).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }
}

/// Claims an event for one endpoint, or for all that want it, in the transaction that says who sends it. Whoever comes until that
/// has ended is refused, as for a second after it began: what all get, one of them gets, too.
pub(crate) async fn claim(
    transaction: &mut PgConnection,
    company: &CompanyId,
    event: &EventId,
    endpoint: Option<&EndpointId>,
) -> Result<(), StoreError> {
    const LOCK: &str =
        "SELECT pg_try_advisory_xact_lock(hashtextextended('hookline.sent_again.' || $1 || '/' || $2, 0))";
    let is_first: bool = sqlx::query_scalar(LOCK)
        .bind(company.as_str())
        .bind(event.as_str())
        .fetch_one(&mut *transaction)
        .await?;
    if !is_first {
        return Err(StoreError::SentAgain);
    }
    // What another transaction forgets already is left to it.
    sqlx::query(
        "DELETE FROM sent_again WHERE (company, event, endpoint) IN (SELECT company, event, endpoint FROM sent_again \
         WHERE company = $1 AND sent_at < now() - interval '1 minute' ORDER BY sent_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
    )
    .bind(company.as_str())
    .bind(FORGOTTEN)
    .execute(&mut *transaction)
    .await?;
    let claimed = sqlx::query(
        "INSERT INTO sent_again (company, event, endpoint, sent_at) SELECT $1, $2, $3, now() WHERE NOT EXISTS \
         (SELECT FROM sent_again WHERE company = $1 AND event = $2 AND sent_at > now() - interval '1 second' \
          AND (endpoint = $3 OR endpoint = '' OR $3 = '')) \
         ON CONFLICT (company, event, endpoint) DO UPDATE SET sent_at = excluded.sent_at",
    )
    .bind(company.as_str())
    .bind(event.as_str())
    .bind(endpoint.map_or("", EndpointId::as_str))
    .execute(transaction)
    .await?;
    if claimed.rows_affected() == 0 {
        return Err(StoreError::SentAgain);
    }
    Ok(())
}
