//! What is known of companies. Bounded, so that a publisher that makes companies up costs no more memory than this.

use std::sync::Arc;

use hookline_common::ids::CompanyId;
use moka::sync::Cache as Bounded;
use tokio::time::Instant;

use super::super::CompanyEndpoints;

/// Companies and endpoints together at most: some 3 KB each with what is prepared for their requests.
const CAPACITY: u64 = 200_000;

/// What is known of one company.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) endpoints: Arc<CompanyEndpoints>,
    /// When that was true at the latest.
    pub(super) loaded_at: Instant,
}

/// By company; those that were asked for least go first when there are too many.
pub(super) struct Cache(Bounded<CompanyId, Known>);

impl Cache {
    pub(super) fn new() -> Self {
        let weight = |_: &CompanyId, known: &Known| {
            u32::try_from(known.endpoints.iter().len()).map_or(u32::MAX, |count| count.saturating_add(1))
        };
        Self(Bounded::builder().max_capacity(CAPACITY).weigher(weight).build())
    }

    pub(super) fn get(&self, company: &CompanyId) -> Option<Known> {
        self.0.get(company)
    }

    pub(super) fn put(&self, company: CompanyId, known: Known) {
        self.0.insert(company, known);
    }

    pub(super) fn companies(&self) -> Vec<CompanyId> {
        self.0
            .iter()
            .map(|(company, _)| CompanyId::clone(&company))
            .collect()
    }
}
