//! Who may have how much of the database at once: companies, the operator, strangers, and retries of many.

use std::time::Duration;

use hookline_common::ids::CompanyId;
use hookline_store::{Share, ShareSizes, Shares};

use crate::settings::DATABASE_CONNECTIONS;

/// How long a request waits for its place: far longer than any page of a list takes.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same for work in the background, which has time; an operation may take ten seconds in all.
const BACKGROUND_PATIENCE: Duration = Duration::from_secs(9);

/// What requests share. Of the connections, one at least is left for the tokens and sessions that each request begins with,
/// for sign-ins and for probes, whoever shows as many made-up ones as he likes.
const OF_REQUESTS: ShareSizes = ShareSizes {
    company: 4,
    companies: 5,
    operator: 2,
    strangers: 2,
    patience: PATIENCE,
};
const _: () = assert!(
    OF_REQUESTS.companies + OF_REQUESTS.operator + OF_REQUESTS.strangers < DATABASE_CONNECTIONS as usize
);

/// Connections of the background that retries of many have: those of one company one, however many of its endpoints are sent
/// to, as a filter that finds little may look for seconds.
const OF_RETRIES: ShareSizes = ShareSizes {
    company: 1,
    companies: CONNECTIONS_OF_RETRIES as usize,
    operator: 0,
    strangers: 0,
    patience: BACKGROUND_PATIENCE,
};

/// How many connections retries of all companies have at once.
pub(crate) const CONNECTIONS_OF_RETRIES: u32 = 3;

/// All shares.
pub(crate) struct DatabaseShares {
    requests: Shares,
    retries: Shares,
}

impl DatabaseShares {
    pub(crate) fn new() -> Self {
        Self {
            requests: Shares::new(OF_REQUESTS),
            retries: Shares::new(OF_RETRIES),
        }
    }

    /// What a request has: one of a company's tokens or people, or the operator's, whose company's things it may ask for.
    pub(crate) fn of_request(&self, company: Option<&CompanyId>) -> Share {
        company.map_or_else(
            || self.requests.operator(),
            |company| self.requests.company(company),
        )
    }

    /// What lookups of tokens, sessions and links have that were nobody's when they were last shown here, or never shown.
    pub(crate) fn of_strangers(&self) -> Share {
        self.requests.strangers()
    }

    /// What a company's retries of many have.
    pub(crate) fn of_retries(&self, company: &CompanyId) -> Share {
        self.retries.company(company)
    }
}
