//! Dead letters that nobody wants any more.

use hookline_common::ids::{CompanyId, EndpointId, EventId};
use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::discarded::{Discarded, remember};
use super::filter::DeadLetterFilter;
use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::log::in_order;

/// Dead letters that are removed in one transaction: a second's work at most. A company with more discards them in several.
const AT_ONCE: usize = 5_000;

/// The parts of [`Discarded`].
macro_rules! returning {
    () => {
        " RETURNING event, endpoint, failed_at, CASE WHEN retried_at IS NOT NULL THEN retry END"
    };
}

impl Store {
    /// Removes a dead letter for good.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is none.
    pub async fn discard_dead_letter(
        &self,
        company: &CompanyId,
        event: &EventId,
        endpoint: &EndpointId,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            in_order(&mut transaction).await?;
            let gone: Vec<Discarded> = sqlx::query_as(concat!(
                "DELETE FROM dead_letters WHERE company = $1 AND event = $2 AND endpoint = $3",
                returning!()
            ))
            .bind(company.as_str())
            .bind(event.as_str())
            .bind(endpoint.as_str())
            .fetch_all(&mut *transaction)
            .await?;
            if gone.is_empty() {
                return Err(StoreError::NotFound);
            }
            set_discarded(&mut transaction, company, &gone).await?;
            let after = json!({"event": event.as_str(), "count": 1});
            note(&mut transaction, company, actor, endpoint.as_str(), after).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    /// Removes the dead letters that a filter means at this moment for good, and returns how many. What
    /// removes nothing leaves no line in the audit.
    ///
    /// # Errors
    /// [`StoreError`]. What was removed before it is gone and stands in the audit.
    pub async fn discard_dead_letters(
        &self,
        company: &CompanyId,
        filter: &DeadLetterFilter,
        actor: &Actor,
    ) -> Result<u64, StoreError> {
        let last = within(async {
            let mut query =
                QueryBuilder::<Postgres>::new("SELECT COALESCE(max(position), -1) FROM dead_letters");
            filter.push(&mut query, company);
            Ok(query.build_query_scalar::<i64>().fetch_one(&self.pool).await?)
        })
        .await?;
        let mut all = 0;
        loop {
            let removed = within(self.discard_some(company, filter, last, actor)).await?;
            all += removed;
            if removed < AT_ONCE {
                return Ok(u64::try_from(all).unwrap_or(u64::MAX));
            }
        }
    }

    async fn discard_some(
        &self,
        company: &CompanyId,
        filter: &DeadLetterFilter,
        last: i64,
        actor: &Actor,
    ) -> Result<usize, StoreError> {
        let mut transaction = self.begin().await?;
        in_order(&mut transaction).await?;
        let mut query = QueryBuilder::<Postgres>::new(
            "DELETE FROM dead_letters WHERE (company, event, endpoint, failed_at) IN \
             (SELECT company, event, endpoint, failed_at FROM dead_letters",
        );
        filter.push(&mut query, company);
        query.push(" AND position <= ").push_bind(last);
        query
            .push(" ORDER BY position LIMIT ")
            .push_bind(i64::try_from(AT_ONCE).unwrap_or(i64::MAX));
        query.push(concat!(")", returning!()));
        let removed: Vec<Discarded> = query.build_query_as().fetch_all(&mut *transaction).await?;
        if !removed.is_empty() {
            set_discarded(&mut transaction, company, &removed).await?;
            let after = json!({"filter": filter.to_audit(), "count": removed.len()});
            note(&mut transaction, company, actor, "failed", after).await?;
        }
        transaction.commit().await?;
        Ok(removed.len())
    }
}

async fn note(
    transaction: &mut PgConnection,
    company: &CompanyId,
    actor: &Actor,
    object: &str,
    after: Value,
) -> Result<(), StoreError> {
    let deed = Deed {
        company,
        actor,
        action: "failed.discarded",
        object,
        before: None,
        after: Some(after),
    };
    audit::record(transaction, deed).await
}

/// One that is being sent again stays so: what comes of it is told by its records.
async fn set_discarded(
    transaction: &mut PgConnection,
    company: &CompanyId,
    gone: &[Discarded],
) -> Result<(), StoreError> {
    remember(transaction, company, gone).await?;
    let (events, endpoints): (Vec<&str>, Vec<&str>) = gone
        .iter()
        .map(|(event, endpoint, ..)| (event.as_str(), endpoint.as_str()))
        .unzip();
    sqlx::query(
        "UPDATE deliveries d SET status = 'discarded' FROM unnest($2::text[], $3::text[]) AS u (event, endpoint) \
         WHERE d.company = $1 AND d.event = u.event AND d.endpoint = u.endpoint AND d.status = 'failed'",
    )
    .bind(company.as_str())
    .bind(events)
    .bind(endpoints)
    .execute(transaction)
    .await?;
    Ok(())
}
