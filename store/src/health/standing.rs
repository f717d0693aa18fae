//! Whether an endpoint answers, as a person is told: one word for each, and how many there are of each word.

use std::collections::HashMap;

use hookline_common::ids::CompanyId;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::fold::EndpointHealth;
use crate::connect::{Store, within};
use crate::endpoints::Registered;
use crate::error::StoreError;

/// How many attempts in a row must have failed before an endpoint that answered is said to fail: one that fails now and
/// then, and takes the next try, answers.
const FAILING_AFTER: u64 = 3;

/// How an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Hookline disabled it, for how it fared.
    Disabled,
    /// The last attempts failed, or none ever succeeded.
    Failing,
    /// It was paused by hand.
    Paused,
    /// Nothing was sent to it yet.
    Untried,
    /// It answers.
    Answering,
}

impl Standing {
    /// How an endpoint stands, by what the registry and the log know of it.
    #[must_use]
    pub fn of(endpoint: &Registered, health: &EndpointHealth) -> Self {
        Self::held(endpoint).unwrap_or_else(|| Self::of_health(health))
    }

    /// Whether nothing is sent to an endpoint, and who saw to that: [`Self::Disabled`], [`Self::Paused`] or none.
    #[must_use]
    pub fn held(endpoint: &Registered) -> Option<Self> {
        match (endpoint.disabled, &endpoint.disabled_reason) {
            (true, Some(_)) => Some(Self::Disabled),
            (true, None) => Some(Self::Paused),
            (false, _) => None,
        }
    }

    fn of_health(health: &EndpointHealth) -> Self {
        match (health.consecutive_failures, health.last_success_at) {
            (0, None) => Self::Untried,
            (_, None) | (FAILING_AFTER.., _) => Self::Failing,
            _ => Self::Answering,
        }
    }
}

/// How many endpoints stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standings {
    /// Companies that have endpoints.
    pub companies: u64,
    /// Those that [`Standing::Disabled`] is said of, and so on.
    pub disabled: u64,
    /// See [`Standing::Failing`].
    pub failing: u64,
    /// See [`Standing::Paused`].
    pub paused: u64,
    /// See [`Standing::Untried`].
    pub untried: u64,
    /// See [`Standing::Answering`].
    pub answering: u64,
}

impl Standings {
    /// All endpoints.
    #[must_use]
    pub fn endpoints(&self) -> u64 {
        self.disabled + self.failing + self.paused + self.untried + self.answering
    }
}

/// As [`Standing::of`] has it; $1 is [`FAILING_AFTER`].
macro_rules! standings {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " count(DISTINCT company) AS companies, \
             count(*) FILTER (WHERE standing = 'disabled') AS disabled, \
             count(*) FILTER (WHERE standing = 'failing') AS failing, \
             count(*) FILTER (WHERE standing = 'paused') AS paused, \
             count(*) FILTER (WHERE standing = 'untried') AS untried, \
             count(*) FILTER (WHERE standing = 'answering') AS answering \
             FROM (SELECT e.company, CASE \
                 WHEN e.disabled AND e.disabled_reason IS NOT NULL THEN 'disabled' \
                 WHEN e.disabled THEN 'paused' \
                 WHEN COALESCE(h.consecutive_failures, 0) = 0 AND h.last_success_at IS NULL THEN 'untried' \
                 WHEN h.last_success_at IS NULL OR h.consecutive_failures >= $1 THEN 'failing' \
                 ELSE 'answering' END AS standing \
               FROM endpoints e LEFT JOIN endpoint_health h ON h.company = e.company AND h.endpoint = e.id ",
            $rest
        )
    };
}

impl Store {
    /// How the endpoints of all companies stand.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn standings(&self) -> Result<Standings, StoreError> {
        let query = sqlx::query(standings!("", ") found")).bind(failing_after());
        let row = within(async { Ok(query.fetch_one(&self.pool).await?) }).await?;
        standings(&row)
    }

    /// The same of each of these companies; one without endpoints is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn standings_of_companies(
        &self,
        companies: &[CompanyId],
    ) -> Result<HashMap<CompanyId, Standings>, StoreError> {
        let ids: Vec<&str> = companies.iter().map(CompanyId::as_str).collect();
        let query = sqlx::query(standings!(
            "company,",
            "WHERE e.company = ANY($2)) found GROUP BY company"
        ))
        .bind(failing_after())
        .bind(ids);
        let rows = within(async { Ok(query.fetch_all(&self.pool).await?) }).await?;
        let of_row = |row: &PgRow| {
            let company =
                CompanyId::parse(row.try_get("company")?).map_err(|_| StoreError::Corrupt("company"))?;
            Ok((company, standings(row)?))
        };
        rows.iter().map(of_row).collect()
    }
}

fn failing_after() -> i64 {
    i64::try_from(FAILING_AFTER).unwrap_or(i64::MAX)
}

fn standings(row: &PgRow) -> Result<Standings, StoreError> {
    let count = |column: &str| -> Result<u64, StoreError> {
        u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| StoreError::Corrupt("number of endpoints"))
    };
    Ok(Standings {
        companies: count("companies")?,
        disabled: count("disabled")?,
        failing: count("failing")?,
        paused: count("paused")?,
        untried: count("untried")?,
        answering: count("answering")?,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn one_that_takes_the_next_try_answers_and_one_that_never_did_does_not() {
        let health = |failures, has_succeeded: bool| EndpointHealth {
            consecutive_failures: failures,
            last_success_at: has_succeeded.then_some(Timestamp::UNIX_EPOCH),
            ..EndpointHealth::default()
        };
        for (failures, has_succeeded, standing) in [
            (0, false, Standing::Untried),
            (1, false, Standing::Failing),
            (0, true, Standing::Answering),
            (2, true, Standing::Answering),
            (3, true, Standing::Failing),
        ] {
            assert_eq!(
                Standing::of_health(&health(failures, has_succeeded)),
                standing,
                "{failures}"
            );
        }
    }
}
