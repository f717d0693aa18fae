//! What is asked of the counts: a chart's steps, an endpoint's last hours, companies at a glance.

use std::collections::HashMap;
use std::sync::LazyLock;

use hookline_common::ids::{CompanyId, EndpointId};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::columns::{SUMS, counts};
use super::tally::{Counts, Step};
use crate::connect::{Store, within};
use crate::deliveries::moment;
use crate::error::StoreError;
use crate::moment::Moment;

/// What was counted from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountsAt {
    /// When the step begins.
    pub at: Timestamp,
    /// What happened in it.
    pub counts: Counts,
}

/// Steps begin at $3 and every $5 seconds from there.
static STEPS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT date_bin(make_interval(secs => $5), at, $3) AS at, {} FROM attempt_counts \
         WHERE company = $1 AND step_s = $2 AND at >= $3 AND at < $4 GROUP BY 1 ORDER BY 1",
        *SUMS
    )
});
static ENDPOINTS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT endpoint, at, {} FROM attempt_counts \
         WHERE company = $1 AND step_s = 3600 AND at >= $2 AND endpoint = ANY($3) GROUP BY endpoint, at ORDER BY at",
        *SUMS
    )
});
static COMPANIES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT company, {} FROM attempt_counts \
         WHERE company = ANY($1) AND step_s = 3600 AND at >= $2 GROUP BY company",
        *SUMS
    )
});

impl Store {
    /// What was counted of a company, or of all, between two moments, in steps of so many seconds; steps without attempts are
    /// left out. `rows` says which rows are added up: those of minutes are kept for a day, those of hours for a week.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn counts(
        &self,
        company: Option<&CompanyId>,
        rows: Step,
        (since, until): (Timestamp, Timestamp),
        step_s: u32,
    ) -> Result<Vec<CountsAt>, StoreError> {
        let query = sqlx::query(AssertSqlSafe(STEPS.as_str()))
            .bind(company.map_or("", CompanyId::as_str))
            .bind(rows.seconds())
            .bind(Moment(since))
            .bind(Moment(until))
            .bind(f64::from(step_s));
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        let of_row = |row: &PgRow| {
            Ok(CountsAt {
                at: moment(row, "at")?.ok_or(StoreError::Corrupt("time of a count"))?,
                counts: counts(row)?,
            })
        };
        rows.iter().map(of_row).collect()
    }

    /// The hours of these endpoints of a company since a moment, in their order; hours without attempts are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hours_of_endpoints(
        &self,
        company: &CompanyId,
        endpoints: &[EndpointId],
        since: Timestamp,
    ) -> Result<HashMap<EndpointId, Vec<CountsAt>>, StoreError> {
        let ids: Vec<&str> = endpoints.iter().map(EndpointId::as_str).collect();
        let query = sqlx::query(AssertSqlSafe(ENDPOINTS.as_str()))
            .bind(company.as_str())
            .bind(Moment(since))
            .bind(ids);
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        let mut hours: HashMap<EndpointId, Vec<CountsAt>> = HashMap::new();
        for row in &rows {
            let id = EndpointId::parse(row.try_get("endpoint")?)
                .map_err(|_| StoreError::Corrupt("endpoint of a count"))?;
            hours.entry(id).or_default().push(CountsAt {
                at: moment(row, "at")?.ok_or(StoreError::Corrupt("time of a count"))?,
                counts: counts(row)?,
            });
        }
        Ok(hours)
    }

    /// What was counted of these companies since a moment, in whole hours; a company without attempts is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn counts_of_companies(
        &self,
        companies: &[CompanyId],
        since: Timestamp,
    ) -> Result<HashMap<CompanyId, Counts>, StoreError> {
        let ids: Vec<&str> = companies.iter().map(CompanyId::as_str).collect();
        let query = sqlx::query(AssertSqlSafe(COMPANIES.as_str()))
            .bind(ids)
            .bind(Moment(since));
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        let of_row = |row: &PgRow| {
            let company = CompanyId::parse(row.try_get("company")?)
                .map_err(|_| StoreError::Corrupt("company of a count"))?;
            Ok((company, counts(row)?))
        };
        rows.iter().map(of_row).collect()
    }
}
