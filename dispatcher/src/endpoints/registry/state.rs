//! What the parts of the registry share: what is known, what is wanted, and whether the database is there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hookline_common::guard::Policy;
use hookline_common::ids::CompanyId;
use hookline_store::{Store, StoreError};
use tokio::sync::watch;

use super::cache::Cache;
use super::counts::Counts;
use super::emptied::Emptied;
use super::orders::Orders;
use super::unopened::AllUnopened;

/// The state of one registry.
pub(super) struct State {
    pub(super) store: Store,
    pub(super) policy: Policy,
    pub(super) cache: Cache,
    pub(super) orders: Orders,
    pub(super) unopened: AllUnopened,
    pub(super) counts: Counts,
    pub(super) emptied: Emptied,
    /// Whether it may become empty however that comes about.
    pub(super) allow_none: bool,
    /// How often everything that is known is loaded again, should the database not have told of a change.
    pub(super) refresh_every: Duration,
    /// Whether the database was reached; until then nothing can be said about any company.
    reached: watch::Sender<bool>,
    /// Whether it would tell of a change now.
    is_heard: AtomicBool,
    /// Why it was not reached yet.
    obstacle: Mutex<String>,
}

impl State {
    /// Nothing is known yet.
    pub(super) fn new(store: Store, policy: Policy, allow_none: bool, refresh_every: Duration) -> Self {
        Self {
            store,
            policy,
            cache: Cache::new(),
            orders: Orders::default(),
            unopened: AllUnopened::default(),
            counts: Counts::default(),
            emptied: Emptied::default(),
            allow_none,
            refresh_every,
            reached: watch::Sender::new(false),
            is_heard: AtomicBool::new(false),
            obstacle: Mutex::new("it was not asked yet".to_owned()),
        }
    }

    /// Returns when the database was reached for the first time.
    pub(super) async fn reached(&self) {
        // The sender lives as long as this.
        drop(self.reached.subscribe().wait_for(|reached| *reached).await);
    }

    pub(super) fn is_reached(&self) -> bool {
        *self.reached.borrow()
    }

    /// Whether the database answers and tells of changes.
    pub(super) fn is_up(&self) -> bool {
        self.is_heard.load(Ordering::Relaxed) && !self.orders.is_away()
    }

    /// Whether what is known of a company is how it is: the database tells of changes, and all that it told is loaded.
    pub(super) fn is_told_of(&self, company: &CompanyId) -> bool {
        self.is_up() && self.orders.knows_all_of(company)
    }

    /// Changes are told from now on. What was known before is in doubt until it is loaded again. Returns whether the database had
    /// been reached before.
    pub(super) fn heard(&self) -> bool {
        self.all_have_changed();
        self.is_heard.store(true, Ordering::Relaxed);
        self.reached.send_replace(true)
    }

    /// Changes are not told any more, or not yet. Returns why, in words.
    pub(super) fn unheard(&self, error: &StoreError) -> String {
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

    pub(super) fn has_changed(&self, company: CompanyId) {
        let is_known = self.cache.has(&company);
        if is_known {
            self.emptied.told(company.clone());
        }
        self.orders.want_again(company, is_known);
    }

    /// Any of them may have.
    pub(super) fn all_have_changed(&self) {
        self.orders.want_all_unheard(self.cache.companies());
    }

    /// As nothing was told of any of them, this is only to make sure.
    pub(super) fn load_all_again(&self) {
        self.orders.want_all(self.cache.companies());
    }

    /// Why nothing can be said about any company yet.
    pub(super) fn obstacle(&self) -> Option<String> {
        let obstacle = self.obstacle.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.is_reached()).then(|| format!("the registry was not reached yet: {obstacle}"))
    }
}
