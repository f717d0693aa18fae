//! What one process knows of endpoints, which others change: late, and of a database that is away nothing new.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_common::ids::CompanyId;
use tokio::time::sleep;

use super::mistakes::{Mistake, is_back};
use super::plan::{Plan, Source, UNKNOWN_GRACE};
use super::world::World;
use crate::endpoints::{Endpoints, Lookup};

/// How long a message waits for a database that does not answer, as with the real registry.
const WAITS: u64 = 500;
/// How fresh an answer is enough not to ask again, and to hold for how it is.
const JUST_NOW: u64 = 1_000;
const CURRENT: u64 = 3_000;

pub(super) struct Known {
    world: World,
    plan: Arc<Plan>,
    began: u64,
    /// By how much it lags behind.
    lag: u64,
    /// When a company was last looked up.
    looked: Arc<Mutex<BTreeMap<CompanyId, u64>>>,
}

impl Known {
    pub(super) fn new(world: &World, plan: &Arc<Plan>) -> Self {
        let lag = world.lock().random.within(0, plan.known_within());
        Self {
            began: world.now(),
            world: world.clone(),
            plan: Arc::clone(plan),
            lag,
            looked: Arc::default(),
        }
    }

    fn looked(&self) -> MutexGuard<'_, BTreeMap<CompanyId, u64>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As of when the company is known, if it is.
    fn seen(&self, company: &CompanyId) -> Option<u64> {
        let now = self.world.now();
        match self.plan.source {
            Source::File => Some(self.began.max(now.saturating_sub(self.lag))),
            Source::Registry { away } => {
                let looked = self.looked().get(company).copied()?;
                let told = match away {
                    Some((from, to)) if (from..to + self.lag).contains(&now) => from,
                    _ => now,
                };
                Some(looked.max(told.saturating_sub(self.lag)))
            }
        }
    }
}

impl Endpoints for Known {
    fn lookup(&self, company: &CompanyId) -> Lookup {
        let Some(seen) = self.seen(company) else {
            return Lookup::NotYet;
        };
        let (since, endpoints) = self.plan.endpoints_at(company.as_str(), seen);
        // Who has lost all endpoints may get them back, as far as the process has seen them go.
        let has_just_vanished = endpoints.count() == 0 && since > self.began && seen < since + UNKNOWN_GRACE;
        if has_just_vanished {
            return Lookup::NotYet;
        }
        Lookup::Known(endpoints)
    }

    fn look_again(&self, company: &CompanyId) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        if self.plan.source == Source::File {
            return None;
        }
        let now = self.world.now();
        if self
            .looked()
            .get(company)
            .is_some_and(|looked| now < looked + JUST_NOW)
        {
            return None;
        }
        let takes = self.world.lock().random.within(0, 30);
        let (world, plan, looked) = (
            self.world.clone(),
            Arc::clone(&self.plan),
            Arc::clone(&self.looked),
        );
        let company = company.clone();
        Some(Box::pin(async move {
            sleep(Duration::from_millis(takes)).await;
            if plan.is_away(world.now()) {
                sleep(Duration::from_millis(WAITS)).await;
            } else {
                let mut looked = looked.lock().unwrap_or_else(PoisonError::into_inner);
                looked.insert(company, world.now());
            }
        }))
    }

    fn is_current(&self, company: &CompanyId) -> bool {
        let now = self.world.now();
        self.plan.source == Source::File
            || self
                .looked()
                .get(company)
                .is_some_and(|looked| now < looked + CURRENT)
    }

    fn is_told_of(&self, _: &CompanyId) -> bool {
        let now = self.world.now();
        let is_told = match self.plan.source {
            Source::Registry {
                away: Some((from, to)),
            } => !(from..to + self.lag).contains(&now),
            _ => true,
        };
        is_told || is_back(Mistake::TrustsOldNews)
    }
}
