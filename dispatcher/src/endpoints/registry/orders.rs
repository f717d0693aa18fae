//! Which companies are to be loaded, and who waits for it. Those that somebody waits for come first.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_common::ids::CompanyId;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// Companies in one query: enough that ten thousand are loaded within a second, and few enough that what is found of them
/// is opened in the time of a few deliveries, which wait for it.
const BATCH: usize = 100;
/// Companies that may be waited for at once. Whatever is beyond is set aside, and asks again when it comes back. As many may
/// have changed that nobody has asked for yet: they are loaded when somebody does.
const MAX_AWAITED: usize = 10_000;
/// How long a query may have been under way before nobody new waits for it: the database is slow or gone, and a message
/// that waits holds a place of its queue's window.
const SLOW: Duration = Duration::from_millis(300);

/// What is to be loaded.
#[derive(Default)]
pub(super) struct Orders {
    state: Mutex<State>,
    something_is_wanted: Notify,
    /// How many companies there are news of, for whoever asks with each message.
    news: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// Somebody waits for these.
    awaited: HashMap<CompanyId, Vec<oneshot::Sender<()>>>,
    /// These may have changed.
    stale: HashSet<CompanyId>,
    /// These have changed, or nobody would have told, and what is known of them is from before.
    news: HashSet<CompanyId>,
    /// Those of them that are loaded now.
    news_under_way: HashSet<CompanyId>,
    /// These are loaded now, perhaps as they were before what is told of them.
    under_way: Vec<CompanyId>,
    /// Since when a query is under way.
    asked_at: Option<Instant>,
    /// Whether the last query failed.
    is_away: bool,
}

/// Resolves when a company was loaded, or could not be.
pub(super) type Loaded = oneshot::Receiver<()>;

impl State {
    /// Whether a query takes too long.
    fn is_slow(&self) -> bool {
        self.asked_at.is_some_and(|since| since.elapsed() > SLOW)
    }

    fn count_news(&self) -> usize {
        self.news.len() + self.news_under_way.len()
    }
}

impl Orders {
    /// Has a company loaded. `None` where waiting for it would be in vain: it is loaded when the database is back.
    pub(super) fn want(&self, company: &CompanyId) -> Option<Loaded> {
        let mut state = self.state();
        if state.awaited.len() >= MAX_AWAITED && !state.awaited.contains_key(company) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        let is_worth_it = !state.is_slow() && !state.is_away;
        let waiting = state.awaited.entry(company.clone()).or_default();
        waiting.extend(is_worth_it.then_some(sender));
        drop(state);
        self.something_is_wanted.notify_one();
        is_worth_it.then_some(receiver)
    }

    /// Has a company loaded again, as it has changed: where it is known, or is becoming so, or there is room for it.
    pub(super) fn want_again(&self, company: CompanyId, is_known: bool) {
        let mut state = self.state();
        if is_known || state.stale.len() < MAX_AWAITED || state.under_way.contains(&company) {
            state.news.insert(company.clone());
            state.stale.insert(company);
        }
        self.news.store(state.count_news(), Ordering::Relaxed);
        drop(state);
        self.something_is_wanted.notify_one();
    }

    /// Whether a company has changed since it was loaded, and will be loaded in a moment: the database answers.
    pub(super) fn has_news_of(&self, company: &CompanyId) -> bool {
        // Most often there are none of anybody, and each message asks.
        if self.news.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let state = self.state();
        let has_news = state.news.contains(company) || state.news_under_way.contains(company);
        has_news && !state.is_slow() && !state.is_away
    }

    /// Whether all that is told of a company is known, however long it takes to load the rest.
    pub(super) fn knows_all_of(&self, company: &CompanyId) -> bool {
        if self.news.load(Ordering::Relaxed) == 0 {
            return true;
        }
        let state = self.state();
        !state.news.contains(company) && !state.news_under_way.contains(company)
    }

    /// Has all of these loaded again, and what is loaded now, as any of them may have changed while nobody heard of it.
    pub(super) fn want_all_unheard(&self, companies: impl IntoIterator<Item = CompanyId>) {
        let mut state = self.state();
        let under_way = state.under_way.clone();
        for company in companies.into_iter().chain(under_way) {
            state.news.insert(company.clone());
            state.stale.insert(company);
        }
        self.news.store(state.count_news(), Ordering::Relaxed);
        drop(state);
        self.something_is_wanted.notify_one();
    }

    /// Has all of these loaded again, and what is loaded now.
    pub(super) fn want_all(&self, companies: impl IntoIterator<Item = CompanyId>) {
        let mut state = self.state();
        let under_way = state.under_way.clone();
        state.stale.extend(under_way);
        state.stale.extend(companies);
        drop(state);
        self.something_is_wanted.notify_one();
    }

    /// Whether the last query failed.
    pub(super) fn is_away(&self) -> bool {
        self.state().is_away
    }

    /// The companies of the next query, as soon as there are some. One caller at a time.
    pub(super) async fn next(&self) -> Batch {
        loop {
            let batch = self.take();
            if !batch.is_empty() {
                return batch;
            }
            self.something_is_wanted.notified().await;
        }
    }

    fn take(&self) -> Batch {
        let mut state = self.state();
        let awaited: Vec<_> = state.awaited.keys().take(BATCH).cloned().collect();
        let mut batch = HashMap::new();
        for company in awaited {
            let waiting = state.awaited.remove(&company).unwrap_or_default();
            let is_stale = state.stale.remove(&company);
            batch.insert(company, Order { waiting, is_stale });
        }
        let room = BATCH.saturating_sub(batch.len());
        let stale: Vec<_> = state.stale.iter().take(room).cloned().collect();
        for company in stale {
            state.stale.remove(&company);
            let order = Order {
                waiting: Vec::new(),
                is_stale: true,
            };
            batch.insert(company, order);
        }
        for company in batch.keys() {
            if state.news.remove(company) {
                state.news_under_way.insert(company.clone());
            }
        }
        if !batch.is_empty() {
            state.asked_at = Some(Instant::now());
            state.under_way = batch.keys().cloned().collect();
        }
        Batch(batch)
    }

    /// The query was answered, and what it told is known.
    pub(super) fn loaded(&self, batch: Batch) {
        let mut state = self.state();
        (state.asked_at, state.is_away) = (None, false);
        state.under_way.clear();
        state.news_under_way.clear();
        self.news.store(state.count_news(), Ordering::Relaxed);
        drop(state);
        for waiting in batch.0.into_values().flat_map(|order| order.waiting) {
            // Who waits no longer needs no answer.
            let _unless_gone = waiting.send(());
        }
    }

    /// The query failed: nobody waits for it any longer, and what it asked for is asked for again, as far as that is
    /// bounded. A company that nobody knows asks for itself with its next message.
    pub(super) fn failed(&self, batch: Batch) {
        let mut state = self.state();
        (state.asked_at, state.is_away) = (None, true);
        state.under_way.clear();
        let again = std::mem::take(&mut state.news_under_way);
        state.news.extend(again);
        for (company, order) in batch.0 {
            if order.is_stale {
                state.stale.insert(company);
            } else if state.awaited.len() < MAX_AWAITED {
                state.awaited.entry(company).or_default();
            }
        }
        state.awaited.values_mut().for_each(Vec::clear);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The companies of one query.
pub(super) struct Batch(HashMap<CompanyId, Order>);

/// Why a company is in it.
struct Order {
    /// Who waits for it.
    waiting: Vec<oneshot::Sender<()>>,
    /// Whether it may have changed.
    is_stale: bool,
}

impl Batch {
    pub(super) fn companies(&self) -> impl ExactSizeIterator<Item = &CompanyId> {
        self.0.keys()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company(name: &str) -> CompanyId {
        CompanyId::parse(name).unwrap()
    }

    fn names(batch: &Batch) -> Vec<String> {
        let mut names: Vec<_> = batch.companies().map(ToString::to_string).collect();
        names.sort_unstable();
        names
    }

    #[tokio::test]
    async fn a_company_is_asked_for_once_whoever_waits_for_it() {
        let orders = Orders::default();
        let (first, second) = (
            orders.want(&company("a")).unwrap(),
            orders.want(&company("a")).unwrap(),
        );
        orders.want_again(company("a"), true);
        let batch = orders.next().await;
        assert_eq!(names(&batch), ["a"]);
        orders.loaded(batch);
        first.await.unwrap();
        second.await.unwrap();
        assert!(orders.take().is_empty());
    }

    #[tokio::test]
    async fn whoever_is_waited_for_comes_before_what_may_have_changed() {
        let orders = Orders::default();
        orders.want_all((0..BATCH * 2).map(|number| company(&format!("c{number}"))));
        let _waiting = orders.want(&company("fresh")).unwrap();
        let batch = orders.next().await;
        assert!(names(&batch).contains(&"fresh".to_owned()));
        assert_eq!(batch.companies().len(), BATCH);
    }

    #[tokio::test]
    async fn what_changes_while_it_is_loaded_is_loaded_again() {
        let orders = Orders::default();
        orders.want_again(company("a"), true);
        let batch = orders.next().await;
        orders.want_again(company("a"), true);
        orders.loaded(batch);
        assert_eq!(names(&orders.next().await), ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_is_news_until_it_is_loaded_after_that() {
        let (orders, acme) = (Orders::default(), company("acme"));
        orders.want_again(acme.clone(), true);
        assert!(orders.has_news_of(&acme) && !orders.has_news_of(&company("other")));
        let batch = orders.next().await;
        assert!(orders.has_news_of(&acme), "it is loaded now");
        // This comes while it is loaded, perhaps too late for that.
        orders.want_again(acme.clone(), true);
        orders.loaded(batch);
        assert!(orders.has_news_of(&acme), "it changed meanwhile");
        let batch = orders.next().await;
        orders.failed(batch);
        assert!(
            !orders.has_news_of(&acme),
            "nobody waits for a database that is away"
        );
        let batch = orders.next().await;
        tokio::time::advance(SLOW * 2).await;
        assert!(!orders.has_news_of(&acme), "nor for one that is slow");
        orders.loaded(batch);
        assert!(!orders.has_news_of(&acme));
        assert_eq!(orders.news.load(Ordering::Relaxed), 0);
        // That all is loaded again now and then is no news.
        orders.want_all([acme.clone()]);
        assert!(!orders.has_news_of(&acme) && orders.knows_all_of(&acme));
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_changed_unheard_is_not_known_until_it_is_loaded_however_slow_that_is() {
        let (orders, acme, fresh) = (Orders::default(), company("acme"), company("fresh"));
        let _waiting = orders.want(&fresh).unwrap();
        let batch = orders.next().await;
        // `fresh` is loaded as it was before anything is told.
        orders.want_all_unheard([acme.clone()]);
        orders.loaded(batch);
        assert!(!orders.knows_all_of(&acme) && !orders.knows_all_of(&fresh));
        let batch = orders.next().await;
        assert_eq!(names(&batch), ["acme", "fresh"]);
        tokio::time::advance(SLOW * 2).await;
        assert!(
            !orders.has_news_of(&acme) && !orders.knows_all_of(&acme),
            "nobody waits, and nobody takes it for known"
        );
        orders.failed(batch);
        assert!(!orders.knows_all_of(&acme), "nor while the database is away");
        let batch = orders.next().await;
        orders.loaded(batch);
        assert!(orders.knows_all_of(&acme) && orders.knows_all_of(&fresh));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_database_that_is_slow_or_gone_and_nothing_wanted_is_forgotten() {
        let orders = Orders::default();
        let first = orders.want(&company("a")).unwrap();
        let batch = orders.next().await;
        let second = orders.want(&company("b")).unwrap();
        tokio::time::advance(SLOW * 2).await;
        assert!(orders.want(&company("c")).is_none(), "it is slow");
        orders.failed(batch);
        assert!(first.await.is_err() && second.await.is_err(), "both are told");
        assert!(orders.want(&company("d")).is_none(), "it is gone");
        let batch = orders.next().await;
        assert_eq!(names(&batch), ["a", "b", "c", "d"]);
        orders.loaded(batch);
        assert!(orders.want(&company("e")).is_some(), "it is back");
    }

    #[tokio::test]
    async fn what_was_loaded_while_nobody_heard_of_changes_is_loaded_again() {
        let orders = Orders::default();
        let _waiting = orders.want(&company("new")).unwrap();
        let batch = orders.next().await;
        orders.want_all([company("known")]);
        orders.loaded(batch);
        assert_eq!(names(&orders.next().await), ["known", "new"]);
    }

    #[tokio::test]
    async fn an_outage_gathers_no_more_than_is_bounded() {
        let orders = Orders::default();
        orders.want_all([company("known")]);
        for round in 0..2 * MAX_AWAITED / BATCH {
            for number in 0..BATCH {
                orders.want(&company(&format!("made-up-{round}-{number}")));
            }
            let batch = orders.next().await;
            orders.failed(batch);
        }
        let state = orders.state();
        assert!(state.awaited.len() <= MAX_AWAITED && state.stale.len() <= 1);
        drop(state);
        for number in 0..2 * MAX_AWAITED {
            orders.want_again(company(&format!("changed-{number}")), false);
        }
        assert_eq!(orders.state().stale.len(), MAX_AWAITED);
        orders.want_again(company("known"), true);
        assert!(orders.state().stale.contains(&company("known")));
    }

    #[test]
    fn what_is_waited_for_is_bounded() {
        let orders = Orders::default();
        let waiting: Vec<_> = (0..MAX_AWAITED)
            .filter_map(|number| orders.want(&company(&format!("c{number}"))))
            .collect();
        assert_eq!(waiting.len(), MAX_AWAITED);
        assert!(orders.want(&company("another")).is_none());
        assert!(orders.want(&company("c1")).is_some());
    }
}
