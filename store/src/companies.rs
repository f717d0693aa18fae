//! The companies that have anything here, for the operator's list. There is no table of them: a company is there once it
//! has an endpoint or a token.

use hookline_common::ids::CompanyId;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::connect::{Store, within};
use crate::error::StoreError;

/// A company, and how much it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompanySummary {
    /// Which.
    pub company: CompanyId,
    /// Its endpoints.
    pub endpoints: u32,
    /// Those of them that are paused.
    pub paused: u32,
    /// Its tokens that were not revoked and have not expired.
    pub tokens: u32,
}

impl Store {
    /// Companies whose names begin with `prefix`, by name, the first `limit` of those after `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn company_summaries(
        &self,
        prefix: &str,
        after: Option<&CompanyId>,
        limit: u32,
    ) -> Result<Vec<CompanySummary>, StoreError> {
        // Each half goes along its key and ends after so many companies; the first so many of both are among them.
        let query = sqlx::query(
            "SELECT company, sum(endpoints)::bigint AS endpoints, sum(paused)::bigint AS paused, \
                    sum(tokens)::bigint AS tokens \
             FROM ((SELECT company, count(*) AS endpoints, count(*) FILTER (WHERE disabled) AS paused, 0 AS tokens \
                    FROM endpoints WHERE company > $1 AND starts_with(company, $2) \
                    GROUP BY company ORDER BY 1 LIMIT $3) \
                   UNION ALL \
                   (SELECT company, 0, 0, count(*) FROM tokens \
                    WHERE company > $1 AND starts_with(company, $2) AND revoked_at IS NULL \
                      AND (expires_at IS NULL OR expires_at > now()) \
                    GROUP BY company ORDER BY 1 LIMIT $3)) AS found \
             GROUP BY company ORDER BY company LIMIT $3",
        )
        .bind(after.map_or("", CompanyId::as_str))
        .bind(prefix)
        .bind(i64::from(limit));
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        rows.iter().map(summary).collect()
    }
}

fn summary(row: &PgRow) -> Result<CompanySummary, StoreError> {
    let company: String = row.try_get("company")?;
    let count = |column: &str| -> Result<u32, StoreError> {
        Ok(u32::try_from(row.try_get::<i64, _>(column)?).unwrap_or(u32::MAX))
    };
    Ok(CompanySummary {
        company: CompanyId::parse(&company).map_err(|_| StoreError::Corrupt("company"))?,
        endpoints: count("endpoints")?,
        paused: count("paused")?,
        tokens: count("tokens")?,
    })
}
