//! Tokens that were good a moment ago, so that thousands of requests a second do not each ask the database, and a database
//! that is away for a moment keeps nobody from publishing.

use std::time::Duration;

use hookline_common::ids::CompanyId;
use hookline_store::PresentedToken;
use moka::sync::Cache;

/// How long an answer of the database counts. What was asked for before and comes late may add some hundred milliseconds;
/// together they stay below the five seconds after which a revoked token must be refused everywhere.
const COUNTS_FOR: Duration = Duration::from_secs(4);
/// Tokens at most: two megabytes. Those that were used least make room.
const MAX_TOKENS: u64 = 10_000;

/// Good tokens by their hashes, each with its company and its id.
pub(crate) struct KnownTokens(Cache<PresentedToken, (CompanyId, String)>);

impl KnownTokens {
    pub(crate) fn new() -> Self {
        let tokens = Cache::builder().max_capacity(MAX_TOKENS).time_to_live(COUNTS_FOR);
        Self(tokens.build())
    }

    /// Whose it is, if that was asked for a moment ago.
    pub(crate) fn get(&self, token: &PresentedToken) -> Option<(CompanyId, String)> {
        self.0.get(token)
    }

    /// The database has just said whose it is.
    pub(crate) fn insert(&self, token: PresentedToken, whose: (CompanyId, String)) {
        self.0.insert(token, whose);
    }

    /// One was revoked, which happens too seldom to find out which.
    pub(crate) fn forget_all(&self) {
        self.0.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_revoked_is_known_no_more() {
        let token = PresentedToken::parse("hkl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA2Mt09tIe").unwrap();
        let (known, acme) = (KnownTokens::new(), CompanyId::parse("acme").unwrap());
        assert_eq!(known.get(&token), None);
        known.insert(token, (acme.clone(), "tok_1".to_owned()));
        assert_eq!(known.get(&token), Some((acme.clone(), "tok_1".to_owned())));
        known.forget_all();
        assert_eq!(known.get(&token), None);
        known.insert(token, (acme, "tok_1".to_owned()));
        assert!(known.get(&token).is_some(), "what is asked for afterwards counts");
    }
}
