//! Which endpoints cannot be sent to, so that each is told of once and not with each look.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookline_common::ids::{CompanyId, EndpointId};
use hookline_store::Unopened;
use tracing::error;

/// So many are named at most: a wrong key opens none of tens of thousands.
const NAMED: usize = 20;

/// Those that were found, by company: no company without one.
#[derive(Default)]
pub(super) struct AllUnopened(Mutex<HashMap<CompanyId, Vec<EndpointId>>>);

impl AllUnopened {
    /// These are all that were found of `company` now.
    pub(super) fn found(&self, company: &CompanyId, unopened: &[Unopened]) {
        if unopened.is_empty() {
            self.state().remove(company);
            return;
        }
        let before = self.state().get(company).cloned().unwrap_or_default();
        let new = unopened.iter().filter(|one| !before.contains(&one.endpoint));
        for (one, number) in new.zip(self.number()..) {
            let (endpoint, error) = (&one.endpoint, &one.error);
            if number < NAMED {
                error!(%company, %endpoint, "what is for this endpoint has to wait until it can be read: {error}");
            } else if number == NAMED {
                error!("there are more of them, which are not named; hookline_registry_unopened counts them");
            }
        }
        let ids = unopened.iter().map(|one| one.endpoint.clone()).collect();
        self.state().insert(company.clone(), ids);
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.number()).unwrap_or(u64::MAX)
    }

    fn number(&self) -> usize {
        self.state().values().map(Vec::len).sum()
    }

    fn state(&self) -> MutexGuard<'_, HashMap<CompanyId, Vec<EndpointId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
