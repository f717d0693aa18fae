//! What is known of companies. Bounded, so that a publisher that makes companies up costs no more memory than this.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::ids::CompanyId;
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Bounded;
use tokio::time::Instant;

use super::super::CompanyEndpoints;

/// Companies and endpoints together at most: some 2 KB each with what is prepared for their requests.
const CAPACITY: u64 = 200_000;

/// What is known of one company.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) endpoints: Arc<CompanyEndpoints>,
    /// When that was true at the latest.
    pub(super) loaded_at: Instant,
    /// Since when it has no endpoint, where it had some before.
    pub(super) vanished_at: Option<Instant>,
}

impl Known {
    /// What takes the place of `before`, as of `loaded_at`.
    pub(super) fn after(before: Option<&Self>, endpoints: CompanyEndpoints, loaded_at: Instant) -> Self {
        let had_some = |known: &&Self| known.endpoints.count() > 0;
        let vanished_at = if endpoints.count() > 0 {
            None
        } else {
            before.and_then(|known| {
                known
                    .vanished_at
                    .or_else(|| had_some(&known).then_some(loaded_at))
            })
        };
        Self {
            endpoints: Arc::new(endpoints),
            loaded_at,
            vanished_at,
        }
    }

    /// Whether it lost its last endpoint less than `grace` ago.
    pub(super) fn has_just_vanished(&self, grace: Duration) -> bool {
        self.vanished_at.is_some_and(|since| since.elapsed() < grace)
    }

    pub(super) fn is_younger_than(&self, age: Duration) -> bool {
        self.loaded_at.elapsed() < age
    }
}

/// By company; those that were asked for least lately go first when there are too many. Whoever is new always gets in: a
/// message waits for it.
pub(super) struct Cache(Bounded<CompanyId, Known>);

impl Cache {
    pub(super) fn new() -> Self {
        Self::bounded(CAPACITY)
    }

    fn bounded(capacity: u64) -> Self {
        let weight = |_: &CompanyId, known: &Known| {
            u32::try_from(known.endpoints.count()).map_or(u32::MAX, |count| count.saturating_add(1))
        };
        let bounded = Bounded::builder()
            .max_capacity(capacity)
            .weigher(weight)
            .eviction_policy(EvictionPolicy::lru());
        Self(bounded.build())
    }

    pub(super) fn get(&self, company: &CompanyId) -> Option<Known> {
        self.0.get(company)
    }

    pub(super) fn has(&self, company: &CompanyId) -> bool {
        self.0.contains_key(company)
    }

    pub(super) fn put(&self, company: CompanyId, known: Known) {
        self.0.insert(company, known);
    }

    /// How many companies are known, about.
    pub(super) fn count(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.entry_count()
    }

    /// Whether a company has endpoints, other than one of those that `is_left_out`.
    pub(super) fn has_endpoints(&self, is_left_out: impl Fn(&CompanyId) -> bool) -> bool {
        let has_some = |known: &Known| known.endpoints.count() > 0;
        self.0
            .iter()
            .any(|(company, known)| has_some(&known) && !is_left_out(&company))
    }

    pub(super) fn companies(&self) -> Vec<CompanyId> {
        self.0
            .iter()
            .map(|(company, _)| CompanyId::clone(&company))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use hookline_common::endpoint::{EventFilter, Format};
    use hookline_common::ids::EndpointId;

    use super::*;
    use crate::endpoints::SealedEndpoint;

    fn company(number: usize) -> CompanyId {
        CompanyId::parse(&format!("c{number}")).unwrap()
    }

    /// A company with so many endpoints.
    fn known(endpoints: usize) -> Known {
        let endpoint = |number: usize| SealedEndpoint {
            id: EndpointId::parse(&format!("ep_{number}")).unwrap(),
            format: Format::default(),
            events: EventFilter::default(),
        };
        let endpoints = CompanyEndpoints::default().with_unopened((0..endpoints).map(endpoint).collect());
        Known::after(None, endpoints, Instant::now())
    }

    #[test]
    fn companies_that_are_made_up_take_no_more_than_their_room_and_not_that_of_one_in_use() {
        let cache = Cache::bounded(100);
        let used = company(0);
        cache.put(used.clone(), known(2));
        for number in 1..5_000 {
            cache.put(company(number), known(0));
            cache.count();
            assert!(cache.get(&used).is_some(), "after {number} others");
        }
        // Three places are those of the company with two endpoints.
        assert!(cache.count() <= 98, "{}", cache.count());
        assert!(cache.has(&company(4_999)), "whoever is new gets in");
        assert!(!cache.has(&company(1)));
    }

    #[test]
    fn endpoints_count_as_companies_do() {
        let cache = Cache::bounded(100);
        for number in 0..1_000 {
            cache.put(company(number), known(9));
        }
        assert!(cache.count() <= 10, "{}", cache.count());
    }
}
