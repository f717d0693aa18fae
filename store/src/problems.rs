//! What fails, grouped as a person solves it: one endpoint that fails in one way is one problem, however many deliveries it
//! holds up.

use hookline_common::ids::{CompanyId, EndpointId, EventId};
use hookline_common::outcome::Outcome;
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::connect::{Store, within};
use crate::deliveries::{moment, number, outcome};
use crate::error::StoreError;

/// Deliveries of one endpoint whose last attempt ended alike.
#[derive(Debug, Clone, PartialEq)]
pub struct FailingGroup {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// How the last attempts ended; none where nothing was attempted, because the endpoint is disabled.
    pub outcome: Option<Outcome>,
    /// Their HTTP status, if there was one.
    pub status: Option<u16>,
    /// Deliveries that are tried again.
    pub retrying: u64,
    /// Those that failed for good and that nobody has retried.
    pub failed: u64,
    /// Since when: the first of these deliveries was made, or failed for good.
    pub first_at: Timestamp,
    /// When the last attempt was made, or the last one failed for good.
    pub last_at: Timestamp,
    /// One of them: the newest, where ids are in the order of time, as those that are made here are.
    pub sample: EventId,
}

/// Rows of the answer at most. More kinds of faults than that are one fault, and the rest is told when these are mended.
const MAX_GROUPS: i64 = 200;

/// Both parts are read from indexes that hold all of it.
const QUERY: &str = "\
WITH failing AS (
    SELECT endpoint, last_outcome, last_status, count(*) AS retrying, 0::bigint AS failed,
        min(created_at) AS first_at, max(COALESCE(last_attempt_at, created_at)) AS last_at,
        max(event COLLATE \"C\") AS sample
    FROM deliveries WHERE company = $1 AND status = 'retrying'
    GROUP BY endpoint, last_outcome, last_status
    UNION ALL
    SELECT endpoint, last_outcome, last_status, 0, count(*), min(failed_at), max(failed_at), max(event COLLATE \"C\")
    FROM dead_letters WHERE company = $1 AND retried_at IS NULL
    GROUP BY endpoint, last_outcome, last_status
)
SELECT endpoint, last_outcome, last_status, sum(retrying)::bigint AS retrying, sum(failed)::bigint AS failed,
    min(first_at) AS first_at, max(last_at) AS last_at, max(sample) AS sample
FROM failing GROUP BY endpoint, last_outcome, last_status
ORDER BY last_at DESC, endpoint, last_outcome, last_status LIMIT $2";

/// The same over all companies, with those first that hold most up.
const OF_ALL: &str = "\
WITH failing AS (
    SELECT company, endpoint, last_outcome, last_status, count(*) AS retrying, 0::bigint AS failed,
        min(created_at) AS first_at, max(COALESCE(last_attempt_at, created_at)) AS last_at,
        max(event COLLATE \"C\") AS sample
    FROM deliveries WHERE status = 'retrying'
    GROUP BY company, endpoint, last_outcome, last_status
    UNION ALL
    SELECT company, endpoint, last_outcome, last_status, 0, count(*), min(failed_at), max(failed_at), max(event COLLATE \"C\")
    FROM dead_letters WHERE retried_at IS NULL
    GROUP BY company, endpoint, last_outcome, last_status
)
SELECT company, endpoint, last_outcome, last_status, sum(retrying)::bigint AS retrying, sum(failed)::bigint AS failed,
    min(first_at) AS first_at, max(last_at) AS last_at, max(sample) AS sample
FROM failing GROUP BY company, endpoint, last_outcome, last_status
ORDER BY sum(retrying) + sum(failed) DESC, last_at DESC, company, endpoint, last_outcome, last_status LIMIT $1";

impl Store {
    /// What fails at a company now, and what has failed for good and was not retried: that which failed last comes first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn problems(&self, company: &CompanyId) -> Result<Vec<FailingGroup>, StoreError> {
        // Planned for each company, as some have far more of it than others.
        let query = sqlx::query(QUERY)
            .bind(company.as_str())
            .bind(MAX_GROUPS)
            .persistent(false);
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        rows.iter().map(group).collect()
    }

    /// What fails anywhere, the first `limit` of the groups that hold most deliveries up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn problems_of_all(&self, limit: u32) -> Result<Vec<(CompanyId, FailingGroup)>, StoreError> {
        let query = sqlx::query(OF_ALL).bind(i64::from(limit)).persistent(false);
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        let of_row = |row: &PgRow| {
            let company = CompanyId::parse(row.try_get("company")?)
                .map_err(|_| StoreError::Corrupt("company of a failing delivery"))?;
            Ok((company, group(row)?))
        };
        rows.iter().map(of_row).collect()
    }
}

fn group(row: &PgRow) -> Result<FailingGroup, StoreError> {
    const BAD: StoreError = StoreError::Corrupt("failing delivery");
    let text = |column: &str| row.try_get::<&str, _>(column);
    let count = |column: &str| -> Result<u64, StoreError> {
        u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| BAD)
    };
    Ok(FailingGroup {
        endpoint: EndpointId::parse(text("endpoint")?).map_err(|_| BAD)?,
        outcome: outcome(row, "last_outcome")?,
        status: number(row, "last_status")?,
        retrying: count("retrying")?,
        failed: count("failed")?,
        first_at: moment(row, "first_at")?.ok_or(BAD)?,
        last_at: moment(row, "last_at")?.ok_or(BAD)?,
        sample: EventId::parse(text("sample")?).map_err(|_| BAD)?,
    })
}
