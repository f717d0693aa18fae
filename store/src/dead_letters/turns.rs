//! Whose turn it is of the retries that are not done: each company's in a line of its own, so that none waits for the many of
//! another, and in each line whoever waits longest first.

use std::time::Duration;

use hookline_common::ids::{CompanyId, EndpointId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::filter::DeadLetterFilter;
use super::step::RetryPart;
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::{Moment, millis};

impl Store {
    /// Parts of retries that may go on now, of each endpoint that can be sent to the oldest: at most `of_company` of each
    /// company and `limit` of all. First those that wait longest in each company's line, the company first that has had no
    /// turn for longest; then the second ones, and so on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_retry_parts(
        &self,
        of_company: usize,
        limit: usize,
    ) -> Result<Vec<RetryPart>, StoreError> {
        let query = sqlx::query(
            "SELECT p.*, r.filter FROM \
             (SELECT p.*, row_number() OVER (PARTITION BY p.company ORDER BY p.ready_at, p.retry, p.endpoint) AS place, \
              max(p.ready_at) OVER (PARTITION BY p.company) AS last_turn FROM \
              (SELECT DISTINCT ON (company, endpoint) * FROM retry_parts WHERE finished_at IS NULL \
               ORDER BY company, endpoint, created_at, retry) p \
              LEFT JOIN endpoints e ON e.company = p.company AND e.id = p.endpoint \
              WHERE p.ready_at <= now() AND e.disabled IS NOT TRUE) p \
             JOIN retries r ON r.company = p.company AND r.id = p.retry \
             WHERE p.place <= $1 ORDER BY p.place, p.last_turn, p.ready_at, p.company LIMIT $2",
        )
        .bind(i64::try_from(of_company).unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        rows.iter().map(part).collect()
    }

    /// Sends a part to the end of its company's line, where it may go on after `pause`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_off_retry(&self, part: &RetryPart, pause: Duration) -> Result<(), StoreError> {
        let query = sqlx::query(
            "UPDATE retry_parts SET ready_at = now() + $4::bigint * interval '1 millisecond' \
             WHERE company = $1 AND retry = $2 AND endpoint = $3 AND finished_at IS NULL",
        )
        .bind(part.company.as_str())
        .bind(&part.retry)
        .bind(part.endpoint.as_str())
        .bind(millis(pause));
        within(async { Ok(query.execute(&self.pool).await.map(drop)?) }).await
    }
}

fn part(row: &PgRow) -> Result<RetryPart, StoreError> {
    let text = |column: &str| -> Result<String, StoreError> { Ok(row.try_get(column)?) };
    let bad = |_| StoreError::Corrupt("part of a retry");
    Ok(RetryPart {
        company: CompanyId::parse(&text("company")?).map_err(bad)?,
        retry: text("retry")?,
        endpoint: EndpointId::parse(&text("endpoint")?).map_err(bad)?,
        created_at: row.try_get::<Moment, _>("created_at")?.0,
        filter: DeadLetterFilter::from_json(&text("filter")?)?,
        after: row.try_get("after_position")?,
        through: row.try_get("through_position")?,
        done: row.try_get("done")?,
    })
}
