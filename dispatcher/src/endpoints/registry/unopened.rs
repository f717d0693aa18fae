//! Which endpoints cannot be sent to, so that each is told of once and not with each look.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookline_common::ids::{CompanyId, EndpointId};
use hookline_store::Unopened;
use tracing::error;

/// Those that were found, by company: no company without one.
#[derive(Default)]
pub(super) struct AllUnopened(Mutex<HashMap<CompanyId, Vec<EndpointId>>>);

impl AllUnopened {
    /// These are all that were found of `company` now.
    pub(super) fn found(&self, company: &CompanyId, unopened: &[Unopened]) {
        let ids = unopened.iter().map(|one| one.endpoint.clone()).collect();
        let before = if unopened.is_empty() {
            self.state().remove(company)
        } else {
            self.state().insert(company.clone(), ids)
        };
        let before = before.unwrap_or_default();
        for one in unopened.iter().filter(|one| !before.contains(&one.endpoint)) {
            let (endpoint, error) = (&one.endpoint, &one.error);
            error!(%company, %endpoint, "what is for this endpoint has to wait until it can be read: {error}");
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        let count: usize = self.state().values().map(Vec::len).sum();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    fn state(&self) -> MutexGuard<'_, HashMap<CompanyId, Vec<EndpointId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
