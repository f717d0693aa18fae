//! How much of the database each who asks may have at once, so that nobody's slow questions keep the others from having
//! theirs answered. Whoever admits a request says for whom it is ([`Share::hold`]); every operation of the store that is done
//! within it takes a place of that share, and one in all of the companies' places. What nobody is named for takes none.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use hookline_common::ids::CompanyId;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::error::StoreError;

/// How long a place stays taken whose operation was given up in the middle: the connection is at rest or closed by then.
/// Whoever hangs up on every answer would have more of them than its share otherwise.
const GIVEN_UP_FOR: Duration = Duration::from_secs(2);
/// The same of a stranger's, which reads a row or two: with two seconds, whoever hangs up at once would keep all other strangers
/// waiting. With less, a database that hangs would soon have all connections taken by those who hang up.
const STRANGER_GIVEN_UP_FOR: Duration = Duration::from_millis(500);
/// After so many companies those are forgotten that ask for nothing now. Requests are far fewer, so that others are left
/// seldom.
const REMEMBERED: usize = 1_024;

tokio::task_local! {
    /// Whose operations are done in this task, where somebody is named.
    static HELD: Option<Share>;
}

/// How many operations may go on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareSizes {
    /// Of one company.
    pub company: usize,
    /// Of all companies together.
    pub companies: usize,
    /// Of the operator.
    pub operator: usize,
    /// Of those of whom is not known yet who they are: lookups of what they show.
    pub strangers: usize,
    /// How long an operation waits for its place.
    pub patience: Duration,
}

/// The shares of all who ask.
pub struct Shares {
    sizes: ShareSizes,
    companies: Arc<Semaphore>,
    operator: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    /// Companies that ask for something now, and some that did.
    by_company: Mutex<HashMap<CompanyId, Weak<Semaphore>>>,
}

/// What one of them may have.
#[derive(Clone)]
pub struct Share {
    own: Arc<Semaphore>,
    /// What it has in common with others of its kind.
    common: Option<Arc<Semaphore>>,
    /// What it is told that waits in vain for its own.
    taken: fn() -> StoreError,
    patience: Duration,
    given_up_for: Duration,
}

impl Shares {
    /// Shares of these sizes.
    #[must_use]
    pub fn new(sizes: ShareSizes) -> Self {
        Self {
            sizes,
            companies: Arc::new(Semaphore::new(sizes.companies)),
            operator: Arc::new(Semaphore::new(sizes.operator)),
            strangers: Arc::new(Semaphore::new(sizes.strangers)),
            by_company: Mutex::default(),
        }
    }

    /// A company's, whatever of its tokens and people asks.
    #[must_use]
    pub fn company(&self, company: &CompanyId) -> Share {
        let mut known = self.by_company.lock().unwrap_or_else(PoisonError::into_inner);
        let own = known.get(company).and_then(Weak::upgrade).unwrap_or_else(|| {
            if known.len() >= REMEMBERED {
                known.retain(|_, share| share.strong_count() > 0);
            }
            let own = Arc::new(Semaphore::new(self.sizes.company));
            known.insert(company.clone(), Arc::downgrade(&own));
            own
        });
        Share {
            own,
            common: Some(Arc::clone(&self.companies)),
            taken: || StoreError::ShareTaken,
            patience: self.sizes.patience,
            given_up_for: GIVEN_UP_FOR,
        }
    }

    /// The operator's.
    #[must_use]
    pub fn operator(&self) -> Share {
        Share {
            own: Arc::clone(&self.operator),
            common: None,
            taken: || StoreError::Unavailable("the operator's other requests are not answered".to_owned()),
            patience: self.sizes.patience,
            given_up_for: GIVEN_UP_FOR,
        }
    }

    /// The share of all those of whom is not known yet who they are.
    #[must_use]
    pub fn strangers(&self) -> Share {
        Share {
            own: Arc::clone(&self.strangers),
            common: None,
            taken: || StoreError::ShareTaken,
            patience: self.sizes.patience,
            given_up_for: STRANGER_GIVEN_UP_FOR,
        }
    }
}

impl Share {
    /// Does `work`; each operation of a store in it takes a place of this share for as long as it takes.
    pub async fn hold<T>(self, work: impl Future<Output = T>) -> T {
        HELD.scope(Some(self), work).await
    }

    /// Waits for a place: first among its own, so that no more of these wait among the others' than may go on at once.
    async fn place(&self) -> Result<Place, StoreError> {
        let waiting = timeout(self.patience, Arc::clone(&self.own).acquire_owned()).await;
        let own = waiting.map_err(|_| (self.taken)())?;
        let common = match &self.common {
            None => None,
            Some(common) => {
                let waiting = timeout(self.patience, Arc::clone(common).acquire_owned()).await;
                Some(waiting.map_err(|_| StoreError::Unavailable("all connections are in use".to_owned()))?)
            }
        };
        let permits = [own.ok(), common.and_then(Result::ok)];
        Ok(Place {
            permits: permits.into_iter().flatten().collect(),
            given_up_for: self.given_up_for,
        })
    }
}

/// A place that is taken, until it is left; some seconds longer where it is dropped.
struct Place {
    permits: Vec<OwnedSemaphorePermit>,
    given_up_for: Duration,
}

impl Place {
    fn leave(mut self) {
        self.permits.clear();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (permits, given_up_for) = (std::mem::take(&mut self.permits), self.given_up_for);
        if let (false, Ok(runtime)) = (permits.is_empty(), Handle::try_current()) {
            runtime.spawn(async move {
                sleep(given_up_for).await;
                drop(permits);
            });
        }
    }
}

/// One operation, in a place of whoever is named for it.
pub(crate) async fn placed<T>(
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let held = HELD.try_with(Clone::clone).ok().flatten();
    let Some(share) = held else {
        return operation.await;
    };
    let place = share.place().await?;
    // What is asked for within it is part of it: it must not wait for a second place.
    let ended = HELD.scope(None, operation).await;
    place.leave();
    ended
}

impl fmt::Debug for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shares")
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::JoinSet;
    use tokio::time::Instant;

    use super::*;

    fn shares() -> Shares {
        Shares::new(ShareSizes {
            company: 2,
            companies: 3,
            operator: 1,
            strangers: 2,
            patience: Duration::from_secs(3),
        })
    }

    fn company(name: &str) -> CompanyId {
        CompanyId::parse(name).unwrap()
    }

    async fn takes(seconds: u64) -> Result<(), StoreError> {
        placed(async {
            sleep(Duration::from_secs(seconds)).await;
            Ok(())
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_company_has_so_many_at_once_and_others_do_not_wait_for_it() {
        let shares = shares();
        let (acme, globex) = (
            shares.company(&company("acme")),
            shares.company(&company("globex")),
        );
        let most = Arc::new(AtomicUsize::new(0));
        let now = Arc::new(AtomicUsize::new(0));
        let mut asked = JoinSet::new();
        for _ in 0..64 {
            let (most, now) = (Arc::clone(&most), Arc::clone(&now));
            asked.spawn(acme.clone().hold(placed(async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(Duration::from_secs(10)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })));
        }
        tokio::task::yield_now().await;
        let begun = Instant::now();
        for share in [globex, shares.operator()] {
            share.hold(takes(0)).await.unwrap();
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let ended = asked.join_all().await;
        let refused = ended
            .iter()
            .filter(|ended| matches!(ended, Err(StoreError::ShareTaken)));
        assert_eq!((refused.count(), most.load(Ordering::SeqCst)), (62, 2));
        assert_eq!(begun.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn all_companies_together_leave_room_for_the_operator_and_for_what_is_nobodys() {
        let shares = shares();
        let mut asked = JoinSet::new();
        for name in ["a", "b", "c"] {
            for _ in 0..2 {
                asked.spawn(shares.company(&company(name)).hold(takes(10)));
            }
        }
        tokio::task::yield_now().await;
        let begun = Instant::now();
        shares.operator().hold(takes(0)).await.unwrap();
        takes(0).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let refused = shares.company(&company("d")).hold(takes(0)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        asked.join_all().await;
        shares.company(&company("d")).hold(takes(0)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_strangers_are_looked_up_all_others_have_their_own() {
        let shares = shares();
        let mut asked = JoinSet::new();
        for _ in 0..64 {
            asked.spawn(shares.strangers().hold(takes(10)));
        }
        tokio::task::yield_now().await;
        let begun = Instant::now();
        for share in [shares.company(&company("acme")), shares.operator()] {
            share.hold(takes(0)).await.unwrap();
        }
        takes(0).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let refused = asked.join_all().await;
        assert_eq!(refused.iter().filter(|ended| ended.is_err()).count(), 62);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_for_within_an_operation_needs_no_place_of_its_own() {
        let operator = shares().operator();
        operator.hold(placed(takes(1))).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_was_given_up_stays_taken_for_a_moment() {
        let shares = shares();
        let given_up = timeout(Duration::from_secs(1), shares.operator().hold(takes(10))).await;
        assert!(given_up.is_err());
        let begun = Instant::now();
        shares.operator().hold(takes(0)).await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), GIVEN_UP_FOR.as_secs());
    }

    #[tokio::test]
    async fn companies_that_ask_for_nothing_are_forgotten() {
        let shares = shares();
        let kept = shares.company(&company("acme"));
        for number in 0..10 * REMEMBERED {
            drop(shares.company(&company(&format!("c{number}"))));
        }
        assert!(shares.by_company.lock().unwrap().len() <= REMEMBERED);
        assert!(Arc::ptr_eq(&kept.own, &shares.company(&company("acme")).own));
    }
}
