//! What waits and what has failed, in figures.

use hookline_common::ids::CompanyId;
use jiff::Timestamp;
use sqlx::Row as _;

use crate::connect::{Store, within};
use crate::deliveries::moment;
use crate::error::StoreError;

/// What is not delivered yet, as far as the log knows: a delivery is known there from its first attempt on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Deliveries that are tried again.
    pub retrying: u64,
    /// When the oldest of them was made.
    pub oldest_at: Option<Timestamp>,
    /// Deliveries that failed for good and that nobody has retried or discarded.
    pub failed: u64,
}

/// Both parts are read from indexes that hold all of it.
macro_rules! backlog {
    ($and:literal) => {
        concat!(
            "SELECT count(*) AS retrying, min(created_at) AS oldest_at, \
             (SELECT count(*) FROM dead_letters WHERE retried_at IS NULL",
            $and,
            ") AS failed FROM deliveries WHERE status = 'retrying'",
            $and
        )
    };
}

impl Store {
    /// What waits and has failed of a company, or of all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn backlog(&self, company: Option<&CompanyId>) -> Result<Backlog, StoreError> {
        // Planned for each company, as some have far more of it than others.
        let query = match company {
            Some(company) => sqlx::query(backlog!(" AND company = $1")).bind(company.as_str()),
            None => sqlx::query(backlog!("")),
        };
        let query = query.persistent(false);
        let row = within(async { Ok(query.fetch_one(&self.pool).await?) }).await?;
        let count = |column: &str| -> Result<u64, StoreError> {
            u64::try_from(row.try_get::<i64, _>(column)?)
                .map_err(|_| StoreError::Corrupt("number of deliveries"))
        };
        Ok(Backlog {
            retrying: count("retrying")?,
            oldest_at: moment(&row, "oldest_at")?,
            failed: count("failed")?,
        })
    }
}
