//! A registry that is found wholly empty, though nobody has told of it: restored from nothing, or truncated. It is believed as
//! little as an endpoints file that is suddenly empty.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookline_common::ids::CompanyId;
use tracing::{error, info};

/// So many looks in a row find it so before it is told: the first may just have come before the call that explains it.
const TOLD_AFTER: u32 = 3;

/// What makes the difference: a company whose endpoints were removed one by one was told of.
#[derive(Default)]
pub(super) struct Emptied {
    /// Companies that were told of and not loaded since.
    told: Mutex<HashSet<CompanyId>>,
    /// How many looks in a row found it so.
    looks: Mutex<u32>,
}

impl Emptied {
    /// The database has told that this company's endpoints changed.
    pub(super) fn told(&self, company: CompanyId) {
        self.state().insert(company);
    }

    /// Those of these that were told of. To be taken before they are loaded: what is told meanwhile is about the next time.
    pub(super) fn take_told(&self, companies: &[CompanyId]) -> HashSet<CompanyId> {
        let mut told = self.state();
        companies
            .iter()
            .filter_map(|company| told.take(company))
            .collect()
    }

    /// They were not loaded after all.
    pub(super) fn put_back(&self, told: HashSet<CompanyId>) {
        self.state().extend(told);
    }

    /// Whether something was told of this company that was not loaded yet.
    pub(super) fn is_told(&self, company: &CompanyId) -> bool {
        self.state().contains(company)
    }

    /// It was found empty, and that is not believed.
    pub(super) fn refused(&self) {
        let mut looks = self.looks();
        *looks = looks.saturating_add(1);
        if *looks == TOLD_AFTER {
            error!(
                "the registry has no endpoint any more, and nobody removed them one by one: known companies go on as they \
                 were, and what comes for others is set aside. Restore the database; or, if it is meant to be empty, restart \
                 the dispatchers, or set HOOKLINE_ALLOW_NO_ENDPOINTS=true"
            );
        }
    }

    /// It has endpoints, or may be empty.
    pub(super) fn is_over(&self) {
        if std::mem::take(&mut *self.looks()) >= TOLD_AFTER {
            info!("the registry has endpoints again");
        }
    }

    fn state(&self) -> MutexGuard<'_, HashSet<CompanyId>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn looks(&self) -> MutexGuard<'_, u32> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
