//! Loads what is wanted, one query at a time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hookline_common::ids::CompanyId;
use hookline_store::{CompanyEndpoint, StoreError};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use super::cache::Known;
use super::state::State;
use crate::endpoints::{CompanyEndpoints, PreparedEndpoint, SealedEndpoint};

/// How long to wait before a database that did not answer is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often a database that stays away is told of.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The endpoints of some companies.
type Found = Vec<Result<CompanyEndpoint, hookline_store::Unopened>>;

/// Loads for ever.
pub(super) async fn load(registry: &State) {
    let mut refresh = interval(registry.refresh_every);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trouble = Trouble::default();
    loop {
        let batch = tokio::select! {
            batch = registry.orders.next() => batch,
            _ = refresh.tick() => {
                registry.load_all_again();
                continue;
            }
        };
        let companies: Vec<CompanyId> = batch.companies().cloned().collect();
        let asked_at = Instant::now();
        let told = registry.emptied.take_told(&companies);
        match ask(registry, &companies, &told).await {
            Ok(None) => {
                registry.emptied.refused();
                registry.emptied.put_back(told);
                registry.counts.failed();
                registry.orders.failed(batch);
                sleep(ASK_AGAIN_AFTER).await;
            }
            Ok(Some(found)) => {
                trouble.is_over();
                registry.emptied.is_over();
                registry.counts.loaded();
                take(registry, companies, found, asked_at);
                registry.orders.loaded(batch);
            }
            Err(error) => {
                trouble.tell(&error);
                registry.emptied.put_back(told);
                registry.counts.failed();
                registry.orders.failed(batch);
                sleep(ASK_AGAIN_AFTER).await;
            }
        }
    }
}

/// What stands there of these companies; nothing where the registry has lost all its endpoints and nobody told of it.
async fn ask(
    registry: &State,
    companies: &[CompanyId],
    told: &HashSet<CompanyId>,
) -> Result<Option<Found>, StoreError> {
    let found = registry.store.companies(companies).await?;
    if !found.is_empty() || registry.allow_none || registry.store.has_endpoints().await? {
        return Ok(Some(found));
    }
    let is_told = |company: &CompanyId| told.contains(company) || registry.emptied.is_told(company);
    Ok((!registry.cache.has_endpoints(is_told)).then_some(found))
}

/// What was found of each company, those of which nothing was found too.
fn take(registry: &State, companies: Vec<CompanyId>, found: Found, asked_at: Instant) {
    let mut by_company: HashMap<CompanyId, (Vec<Arc<PreparedEndpoint>>, Vec<_>)> = companies
        .into_iter()
        .map(|company| (company, Default::default()))
        .collect();
    for one in found {
        match one {
            Ok(CompanyEndpoint {
                endpoint,
                after_overlap,
            }) => {
                let company = endpoint.company.clone();
                let registered =
                    PreparedEndpoint::new(endpoint, &registry.policy).with_later_keys(after_overlap);
                by_company
                    .entry(company)
                    .or_default()
                    .0
                    .push(Arc::new(registered));
            }
            Err(unopened) => {
                let company = unopened.company.clone();
                by_company.entry(company).or_default().1.push(unopened);
            }
        }
    }
    for (company, (opened, unopened)) in by_company {
        registry.unopened.found(&company, &unopened);
        let unopened = unopened.into_iter().map(|one| SealedEndpoint {
            id: one.endpoint,
            format: one.format,
            events: one.events,
        });
        let endpoints = CompanyEndpoints::new(opened).with_unopened(unopened.collect());
        let known = Known::after(registry.cache.get(&company).as_ref(), endpoints, asked_at);
        registry.cache.put(company, known);
    }
}

/// What is said of a database that does not answer: at first, then once a minute, and when it is over.
#[derive(Default)]
struct Trouble {
    since: Option<Instant>,
    told_at: Option<Instant>,
}

impl Trouble {
    fn tell(&mut self, error: &StoreError) {
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.told_at.is_some_and(|told_at| told_at.elapsed() < TELL_EVERY) {
            return;
        }
        self.told_at = Some(Instant::now());
        let seconds = since.elapsed().as_secs();
        warn!(
            %error,
            seconds,
            "the registry cannot be read: companies that are known go on, what comes for others is set aside"
        );
    }

    fn is_over(&mut self) {
        if let Some(since) = self.since.take() {
            self.told_at = None;
            info!(
                seconds = since.elapsed().as_secs(),
                "the registry can be read again"
            );
        }
    }
}
