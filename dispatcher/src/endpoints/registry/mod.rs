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
mod unopened; // what cannot be read of it
mod changes; // hears what has changed
mod meters; // what is counted

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookline_common::guard::Policy;
use hookline_common::ids::CompanyId;
use hookline_common::shutdown::Shutdown;
use hookline_store::{Store, StoreError};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tracing::info;

use self::cache::Cache;
use self::meters::Loads;
use self::orders::Orders;
use self::unopened::AllUnopened;
use super::{Endpoints, Lookup};

/// How long a message waits for its company to be loaded. A database in the same zone answers within a few milliseconds,
/// and a message that is set aside comes back after a second.
const WAIT: Duration = Duration::from_millis(500);
/// How fresh an answer must be to count as having just looked: who sends to endpoints that are not there gets one query a
/// second and company.
const JUST_NOW: Duration = Duration::from_secs(1);
/// How fresh an answer must be for an endpoint that it does not have to count as gone: what was looked up afresh, though
/// this process had no processor for a while since. Far less than for how long it has to be unknown.
const CURRENT: Duration = Duration::from_secs(3);
/// How often everything that is known is loaded again, should the database not have told of a change.
const REFRESH_EVERY: Duration = Duration::from_secs(60);

/// The registry as one dispatcher knows it.
pub struct Registry {
    store: Store,
    policy: Policy,
    cache: Cache,
    orders: Orders,
    unopened: AllUnopened,
    loads: Loads,
    /// Whether the database was reached; until then nothing can be said about any company.
    reached: watch::Sender<bool>,
    /// Whether it would tell of a change now.
    is_heard: AtomicBool,
    /// Why it was not reached yet.
    obstacle: Mutex<String>,
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
            unopened: AllUnopened::default(),
            loads: Loads::default(),
            reached: watch::Sender::new(false),
            is_heard: AtomicBool::new(false),
            obstacle: Mutex::new("it was not asked yet".to_owned()),
        })
    }

    /// Loads and hears of changes until shutdown; `reload` has everything loaded again.
    pub async fn follow(self: Arc<Self>, shutdown: Shutdown, reload: Arc<Notify>) {
        meters::observe(&self);
        let reloading = async {
            loop {
                reload.notified().await;
                info!("all endpoints are loaded again");
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

    fn is_reached(&self) -> bool {
        *self.reached.borrow()
    }

    /// Whether the database answers and tells of changes.
    fn is_up(&self) -> bool {
        self.is_heard.load(Ordering::Relaxed) && !self.orders.is_away()
    }

    /// Changes are told from now on. Returns whether the database had been reached before.
    fn heard(&self) -> bool {
        self.is_heard.store(true, Ordering::Relaxed);
        self.reached.send_replace(true)
    }

    /// Changes are not told any more, or not yet. Returns why, in words.
    fn unheard(&self, error: &StoreError) -> String {
        self.is_heard.store(false, Ordering::Relaxed);
        let mut text = error.to_string();
        if error.lacks_schema() {
            text.push_str(
                "; hookline-console makes the schema when it starts, or `hookline-console migrate`",
            );
        }
        self.obstacle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&text);
        text
    }

    fn has_changed(&self, company: CompanyId) {
        let is_known = self.cache.has(&company);
        self.orders.want_again(company, is_known);
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
        if known.is_some_and(|known| known.is_younger_than(JUST_NOW)) {
            return None;
        }
        let loaded = self.orders.want(company)?;
        self.loads.awaited();
        Some(Box::pin(async move {
            // Whether it was loaded, or is not to be had now, is seen by looking.
            drop(timeout(WAIT, loaded).await);
        }))
    }

    fn is_current(&self, company: &CompanyId) -> bool {
        let known = self.cache.get(company);
        known.is_some_and(|known| known.is_younger_than(CURRENT))
    }

    fn obstacle(&self) -> Option<String> {
        let obstacle = self.obstacle.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.is_reached()).then(|| format!("the registry was not reached yet: {obstacle}"))
    }
}
