//! A manual retry of many: what is asked for, who asked, and how far it has come.

use hookline_common::ids::{CompanyId, EndpointId};
use jiff::Timestamp;
use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, QueryBuilder, Row as _};

use super::filter::DeadLetterFilter;
use crate::audit::{self, Actor, Deed};
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::Moment;
use crate::random::new_id;

/// Retries of one company at most that are not done. One is enough for all that it has.
const MAX_OPEN: u32 = 50;

/// How many dead letters of one endpoint a filter means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointLetters {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// How many.
    pub count: u64,
    /// Whether the endpoint can be sent to: it is there, and enabled.
    pub can_be_sent_to: bool,
    last_position: i64,
}

/// A retry that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryJob {
    /// Its id; `None` where there is nothing to send, so that nothing was asked for.
    pub id: Option<String>,
    /// Dead letters that are sent again.
    pub count: u64,
    /// Those of endpoints that are disabled or gone, which stay.
    pub skipped: u64,
}

/// How far a retry has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryState {
    /// Its id.
    pub id: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Dead letters that it meant at the start.
    pub total: u64,
    /// Those that were sent.
    pub done: u64,
    /// Those of them that were delivered.
    pub delivered: u64,
    /// Those that failed again, and are dead letters once more.
    pub failed_again: u64,
    /// Those that were discarded since, sent by a later retry, or sent when their endpoint was removed: the last ones stay.
    pub left_otherwise: u64,
    /// Those of endpoints that were disabled or gone at the start, or removed meanwhile.
    pub skipped: u64,
    /// When the last one was sent, or was found to be gone; `None` while it runs.
    pub finished_at: Option<Timestamp>,
}

impl RetryState {
    /// Those that were sent, and of which nothing is known yet.
    #[must_use]
    pub fn under_way(&self) -> u64 {
        let known = self.delivered + self.failed_again + self.left_otherwise;
        self.done.saturating_sub(known)
    }
}

impl Store {
    /// Counts the dead letters that a filter means, by endpoint.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_dead_letters(
        &self,
        company: &CompanyId,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<EndpointLetters>, StoreError> {
        within(async {
            let mut lent = self.lend().await?;
            let counted = count(lent.connection()?, company, filter).await?;
            lent.give_back();
            Ok(counted)
        })
        .await
    }

    /// Asks for a retry of the dead letters that a filter means at this moment. Where there is none that can be sent, nothing is
    /// written.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::TooManyRetries`] where as many of the company's are not done as may be.
    pub async fn create_retry(
        &self,
        company: &CompanyId,
        filter: &DeadLetterFilter,
        actor: &Actor,
    ) -> Result<RetryJob, StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            let counted = count(&mut transaction, company, filter).await?;
            let (sent, left): (Vec<_>, Vec<_>) = counted.iter().partition(|letters| letters.can_be_sent_to);
            let sum = |of: &[&EndpointLetters]| of.iter().map(|letters| letters.count).sum();
            let id = new_id("rty");
            let mut job = RetryJob {
                id: None,
                count: sum(&sent),
                skipped: sum(&left),
            };
            if job.count == 0 {
                return Ok(job);
            }
            need_room(&mut transaction, company).await?;
            insert(&mut transaction, company, filter, &id, &job, &sent).await?;
            let deed = Deed {
                company,
                actor,
                action: "failed.retried",
                object: &id,
                before: None,
                after: Some(json!({"filter": filter.to_audit(), "count": job.count, "skipped": job.skipped})),
            };
            audit::record(&mut transaction, deed).await?;
            transaction.commit().await?;
            job.id = Some(id);
            Ok(job)
        })
        .await
    }

    /// How far a retry has come.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where the company has none of this id.
    pub async fn retry_state(&self, company: &CompanyId, id: &str) -> Result<RetryState, StoreError> {
        let query = sqlx::query(
            "SELECT r.id, r.created_at, r.total, r.skipped, r.delivered, r.failed_again, r.left_otherwise, COALESCE(sum(p.done), 0)::bigint AS done, \
             COALESCE(max(p.finished_at), r.created_at) AS finished_at, \
             count(p.*) FILTER (WHERE p.finished_at IS NULL) AS open \
             FROM retries r LEFT JOIN retry_parts p ON p.company = r.company AND p.retry = r.id \
             WHERE r.company = $1 AND r.id = $2 GROUP BY r.company, r.id",
        )
        .bind(company.as_str())
        .bind(id);
        let row = within(async { Ok(query.fetch_one(&self.pool).await?) }).await?;
        state(&row)
    }
}

fn state(row: &PgRow) -> Result<RetryState, StoreError> {
    let open: i64 = row.try_get("open")?;
    let finished_at = row.try_get::<Moment, _>("finished_at")?.0;
    Ok(RetryState {
        id: row.try_get("id")?,
        created_at: row.try_get::<Moment, _>("created_at")?.0,
        total: number(row, "total")?,
        done: number(row, "done")?,
        delivered: number(row, "delivered")?,
        failed_again: number(row, "failed_again")?,
        left_otherwise: number(row, "left_otherwise")?,
        skipped: number(row, "skipped")?,
        finished_at: (open == 0).then_some(finished_at),
    })
}

fn number(row: &PgRow, column: &str) -> Result<u64, StoreError> {
    let number: i64 = row.try_get(column)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

async fn count(
    connection: &mut PgConnection,
    company: &CompanyId,
    filter: &DeadLetterFilter,
) -> Result<Vec<EndpointLetters>, StoreError> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT l.endpoint, l.count, l.last_position, COALESCE(NOT e.disabled, false) AS can_be_sent_to FROM \
         (SELECT company, endpoint, count(*) AS count, max(position) AS last_position FROM dead_letters",
    );
    filter.push(&mut query, company);
    query.push(
        " GROUP BY company, endpoint) l LEFT JOIN endpoints e ON e.company = l.company AND e.id = l.endpoint \
         ORDER BY l.endpoint",
    );
    let rows = query.build().fetch_all(connection).await?;
    let letters = rows.iter().map(|row| {
        let endpoint: String = row.try_get("endpoint")?;
        Ok(EndpointLetters {
            endpoint: EndpointId::parse(&endpoint)
                .map_err(|_| StoreError::Corrupt("endpoint of a dead letter"))?,
            count: number(row, "count")?,
            can_be_sent_to: row.try_get("can_be_sent_to")?,
            last_position: row.try_get("last_position")?,
        })
    });
    letters.collect()
}

/// Whether a company may ask for one more: what is not done is looked through again and again.
async fn need_room(transaction: &mut PgConnection, company: &CompanyId) -> Result<(), StoreError> {
    let query = "SELECT count(DISTINCT retry) FROM retry_parts WHERE company = $1 AND finished_at IS NULL";
    let open: i64 = sqlx::query_scalar(query)
        .bind(company.as_str())
        .fetch_one(transaction)
        .await?;
    if open < i64::from(MAX_OPEN) {
        Ok(())
    } else {
        Err(StoreError::TooManyRetries { limit: MAX_OPEN })
    }
}

async fn insert(
    transaction: &mut PgConnection,
    company: &CompanyId,
    filter: &DeadLetterFilter,
    id: &str,
    job: &RetryJob,
    sent: &[&EndpointLetters],
) -> Result<(), StoreError> {
    let as_number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query("INSERT INTO retries (company, id, filter, total, skipped) VALUES ($1, $2, $3, $4, $5)")
        .bind(company.as_str())
        .bind(id)
        .bind(filter.to_json().to_string())
        .bind(as_number(job.count))
        .bind(as_number(job.skipped))
        .execute(&mut *transaction)
        .await?;
    let endpoints: Vec<&str> = sent.iter().map(|letters| letters.endpoint.as_str()).collect();
    let through: Vec<i64> = sent.iter().map(|letters| letters.last_position).collect();
    sqlx::query(
        "INSERT INTO retry_parts (company, retry, endpoint, created_at, after_position, through_position) \
         SELECT $1, $2, u.endpoint, now(), -1, u.through FROM unnest($3::text[], $4::bigint[]) AS u (endpoint, through)",
    )
    .bind(company.as_str())
    .bind(id)
    .bind(endpoints)
    .bind(through)
    .execute(transaction)
    .await?;
    Ok(())
}
