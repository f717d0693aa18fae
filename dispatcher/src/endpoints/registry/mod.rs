//! Endpoints from the console's database, which dispatchers only read.
//!
//! A company's endpoints are loaded when its first message comes, and kept in memory (`cache`), also that it has none: no
//! later message asks the database. What changes there is told by it, and loaded again at once (`changes`); what was not
//! told is found within [`REFRESH_EVERY`]. One task loads (`loader`) whatever somebody waits for or what has changed
//! (`orders`). While the database is away, companies that are known go on as they were, and what comes for others is set
//! aside until it is back.

mod cache; // what is known
mod orders; // what is to be loaded
mod loader; // loads it
mod changes; // hears what has changed

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hookline_common::guard::Policy;
use hookline_common::ids::CompanyId;
use hookline_common::shutdown::Shutdown;
use hookline_store::Store;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use self::cache::Cache;
use self::orders::Orders;
use super::{Endpoints, Lookup};

/// How long a message waits for its company to be loaded. A database in the same zone answers within a few milliseconds,
/// and a message that is set aside comes back after a second.
const WAIT: Duration = Duration::from_millis(500);
/// How fresh an answer must be to count as having just looked: who sends to endpoints that are not there gets one query a
/// second and company.
const JUST_NOW: Duration = Duration::from_secs(1);
/// How often everything that is known is loaded again, should the database not have told of a change.
const REFRESH_EVERY: Duration = Duration::from_secs(60);

/// The registry as one dispatcher knows it.
pub struct Registry {
    store: Store,
    policy: Policy,
    cache: Cache,
    orders: Orders,
    /// Whether the database was reached; until then nothing can be said about any company.
    reached: watch::Sender<bool>,
}

impl Registry {
    /// A registry of which nothing is known yet. Requests may go where `policy` lets them.
    #[must_use]
    pub fn new(store: Store, policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            store,
            policy,
            cache: Cache::new(),
            orders: Orders::default(),
            reached: watch::Sender::new(false),
        })
    }

    /// Loads and hears of changes until shutdown; `reload` has everything loaded again.
    pub async fn follow(self: Arc<Self>, shutdown: Shutdown, reload: Arc<Notify>) {
        let reloading = async {
            loop {
                reload.notified().await;
                self.load_all_again();
            }
        };
        tokio::select! {
            () = shutdown.requested() => {}
            () = changes::hear(&self) => {}
            () = loader::load(&self) => {}
            () = reloading => {}
        }
        self.store.close().await;
    }

    /// Returns when the database was reached for the first time. Before, no message should be taken.
    pub async fn reached(&self) {
        // The sender lives as long as this.
        drop(self.reached.subscribe().wait_for(|reached| *reached).await);
    }

    fn load_all_again(&self) {
        self.orders.want_all(self.cache.companies());
    }
}

impl Endpoints for Registry {
    fn lookup(&self, company: &CompanyId) -> Lookup {
        self.cache
            .get(company)
            .map_or(Lookup::NotYet, |known| Lookup::Known(known.endpoints))
    }

    fn look_again(&self, company: &CompanyId) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let known = self.cache.get(company);
        if known.is_some_and(|known| known.loaded_at.elapsed() < JUST_NOW) {
            return None;
        }
        let loaded = self.orders.want(company)?;
        Some(Box::pin(async move {
            // Whether it was loaded, or is not to be had now, is seen by looking.
            drop(timeout(WAIT, loaded).await);
        }))
    }

    fn obstacle(&self) -> Option<&'static str> {
        (!*self.reached.borrow()).then_some("the registry's database was not reached yet")
    }
}
