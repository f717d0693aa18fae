//! Endpoints from the console's database, which dispatchers only read.
//!
//! A company's endpoints are loaded when its first message comes, and kept in memory (`cache`), also that it has none: no
//! later message asks the database. What changes there is told by it, and loaded again at once (`changes`); what was not
//! told is found within a minute (`Settings::registry_refresh`). One task loads (`loader`) whatever somebody waits for or what has changed
//! (`orders`). While the database is away, companies that are known go on as they were, and what comes for others is set
//! aside until it is back.

mod cache; // what is known
mod orders; // what is to be loaded
mod unopened; // what cannot be read of it
mod emptied; // when it is not believed
mod counts; // how often it was asked
mod state; // all of that together
mod loader; // loads what is wanted
mod changes; // hears what has changed
mod meters; // what is told of it

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hookline_common::guard::Policy;
use hookline_common::ids::CompanyId;
use hookline_common::shutdown::Shutdown;
use hookline_store::Store;
use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::info;

use self::state::State;
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

/// How long the events of a company wait after its last endpoint went, as with the file: a database that was emptied by mistake,
/// or came back as an older one, may be mended.
const GRACE: Duration = Duration::from_secs(120);

/// The registry as one dispatcher knows it.
pub struct Registry(Arc<State>);

impl Registry {
    /// A registry of which nothing is known yet. Requests may go where `policy` lets them. With `allow_none` it is believed when
    /// it is found empty where it was not, however that came about. Everything that is known is loaded again every
    /// `refresh_every`, which must not be zero.
    #[must_use]
    pub fn new(store: Store, policy: Policy, allow_none: bool, refresh_every: Duration) -> Arc<Self> {
        Arc::new(Self(Arc::new(State::new(
            store,
            policy,
            allow_none,
            refresh_every,
        ))))
    }

    /// Loads and hears of changes until shutdown; `reload` has everything loaded again.
    pub async fn follow(self: Arc<Self>, shutdown: Shutdown, reload: Arc<Notify>) {
        let state = &self.0;
        meters::observe(state);
        let reloading = async {
            loop {
                reload.notified().await;
                info!("all endpoints are loaded again");
                state.load_all_again();
            }
        };
        tokio::select! {
            () = shutdown.requested() => {}
            () = changes::hear(state) => {}
            () = loader::load(state) => {}
            () = reloading => {}
        }
        state.store.close().await;
    }

    /// Returns when the database was reached for the first time. Before, no message should be taken.
    pub async fn reached(&self) {
        self.0.reached().await;
    }
}

impl Endpoints for Registry {
    fn lookup(&self, company: &CompanyId) -> Lookup {
        match self.0.cache.get(company) {
            Some(known) if !known.has_just_vanished(GRACE) => Lookup::Known(known.endpoints),
            _ => Lookup::NotYet,
        }
    }

    fn look_again(&self, company: &CompanyId) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let known = self.0.cache.get(company);
        if known.is_some_and(|known| known.is_younger_than(JUST_NOW)) && !self.has_news_of(company) {
            return None;
        }
        let loaded = self.0.orders.want(company)?;
        self.0.counts.awaited();
        Some(Box::pin(async move {
            // Whether it was loaded, or is not to be had now, is seen by looking.
            drop(timeout(WAIT, loaded).await);
        }))
    }

    fn has_news_of(&self, company: &CompanyId) -> bool {
        self.0.orders.has_news_of(company)
    }

    fn is_current(&self, company: &CompanyId) -> bool {
        let known = self.0.cache.get(company);
        known.is_some_and(|known| known.is_younger_than(CURRENT))
    }

    fn is_told_of(&self, company: &CompanyId) -> bool {
        self.0.is_told_of(company)
    }

    fn obstacle(&self) -> Option<String> {
        self.0.obstacle()
    }
}
