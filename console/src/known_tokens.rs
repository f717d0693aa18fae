//! Tokens that were good a moment ago, and some that were nobody's, so that thousands of requests a second do not each ask
//! the database, and a database that is away for a moment keeps nobody from publishing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookline_common::ids::CompanyId;
use hookline_store::PresentedToken;
use moka::sync::Cache;

/// How long an answer of the database counts. What was asked for before and comes late may add some hundred milliseconds;
/// together they stay below the five seconds after which a revoked token must be refused everywhere.
const COUNTS_FOR: Duration = Duration::from_secs(4);
/// For how long one that was good is looked up without being counted with those that others at its address make up.
const LET_IN_FOR: Duration = Duration::from_secs(15 * 60);
/// Tokens at most, of each kind: two megabytes. Those that were used least make room.
const MAX_TOKENS: u64 = 10_000;

/// Whose a token is, by its company and its own id.
type Whose = (CompanyId, String);

/// Tokens by their hashes. Those of nobody stand apart: whoever makes them up pushes no good one out.
pub(crate) struct KnownTokens {
    good: Cache<PresentedToken, (Whose, Asked)>,
    /// What is nobody's never becomes somebody's: a new token is made of random bytes.
    nobodys: Cache<PresentedToken, ()>,
    /// Those that were good a while ago. Each is looked up all the same: it may be revoked by now.
    were_good: Cache<PresentedToken, ()>,
    /// How often one was revoked here.
    revocations: AtomicU64,
}

/// When the database was asked: answers from before a revocation count for nothing after it, those too that come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked(u64);

impl KnownTokens {
    pub(crate) fn new() -> Self {
        Self {
            good: bounded(COUNTS_FOR),
            nobodys: bounded(COUNTS_FOR),
            were_good: bounded(LET_IN_FOR),
            revocations: AtomicU64::new(0),
        }
    }

    /// Whose it is, or that it is nobody's, if that was asked for a moment ago.
    pub(crate) fn get(&self, token: &PresentedToken) -> Option<Option<Whose>> {
        match self.good.get(token) {
            Some((whose, asked)) if asked == self.asked() => Some(Some(whose)),
            Some(_) => None,
            None => self.nobodys.get(token).map(|()| None),
        }
    }

    /// To be taken before the database is asked.
    pub(crate) fn asked(&self) -> Asked {
        Asked(self.revocations.load(Ordering::SeqCst))
    }

    /// The database, which was asked then, has just said whose it is.
    pub(crate) fn insert(&self, token: PresentedToken, whose: Option<Whose>, asked: Asked) {
        match whose {
            Some(whose) => {
                self.good.insert(token, (whose, asked));
                self.were_good.insert(token, ());
            }
            None => {
                self.nobodys.insert(token, ());
                self.were_good.invalidate(&token);
            }
        }
    }

    /// Whether it was good when it was last looked up, within the last quarter of an hour.
    pub(crate) fn was_good(&self, token: &PresentedToken) -> bool {
        self.were_good.contains_key(token)
    }

    /// One was revoked, which happens too seldom to find out which.
    pub(crate) fn forget_all(&self) {
        self.revocations.fetch_add(1, Ordering::SeqCst);
        self.good.invalidate_all();
    }
}

fn bounded<T: Clone + Send + Sync + 'static>(kept_for: Duration) -> Cache<PresentedToken, T> {
    let cache = Cache::builder().max_capacity(MAX_TOKENS);
    cache.time_to_live(kept_for).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "hkl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA2Mt09tIe";

    fn acme() -> Whose {
        (CompanyId::parse("acme").unwrap(), "tok_1".to_owned())
    }

    #[test]
    fn what_was_revoked_is_known_no_more() {
        let (known, token) = (KnownTokens::new(), PresentedToken::parse(TEXT).unwrap());
        assert_eq!(known.get(&token), None);
        known.insert(token, Some(acme()), known.asked());
        assert_eq!(known.get(&token), Some(Some(acme())));
        known.forget_all();
        assert_eq!(known.get(&token), None);
        known.insert(token, Some(acme()), known.asked());
        assert!(known.get(&token).is_some(), "what is asked for afterwards counts");
    }

    #[test]
    fn what_was_asked_for_before_a_revocation_does_not_count_when_it_comes_after_it() {
        let (known, token) = (KnownTokens::new(), PresentedToken::parse(TEXT).unwrap());
        let asked = known.asked();
        known.forget_all();
        known.insert(token, Some(acme()), asked);
        assert_eq!(known.get(&token), None);
    }

    #[test]
    fn one_that_was_good_is_known_to_have_been_until_it_is_nobodys() {
        let (known, token) = (KnownTokens::new(), PresentedToken::parse(TEXT).unwrap());
        assert!(!known.was_good(&token));
        known.insert(token, Some(acme()), known.asked());
        known.forget_all();
        assert!(
            known.get(&token).is_none() && known.was_good(&token),
            "it is looked up, uncounted"
        );
        known.insert(token, None, known.asked());
        assert!(!known.was_good(&token));
    }

    #[test]
    fn a_token_of_nobody_is_not_asked_for_twice() {
        let (known, token) = (KnownTokens::new(), PresentedToken::parse(TEXT).unwrap());
        known.insert(token, None, known.asked());
        assert_eq!(known.get(&token), Some(None));
    }
}
