//! The tables that are cut into days, and which of their days are known to be there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;

/// A table that is cut into days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum DayTable {
    /// By the time at which attempts began.
    Attempts,
    /// By the time of the first attempt.
    Deliveries,
    /// By the time at which they were recorded.
    Events,
}

impl DayTable {
    pub(super) const ALL: [Self; 3] = [Self::Attempts, Self::Deliveries, Self::Events];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Deliveries => "deliveries",
            Self::Events => "events",
        }
    }

    /// The table of one day: `attempts_20261128`.
    pub(super) fn of_day(self, day: Date) -> String {
        let name = self.name();
        format!("{name}_{:04}{:02}{:02}", day.year(), day.month(), day.day())
    }
}

/// The days that are known to be there. Clones of a store share them.
#[derive(Clone, Default)]
pub(crate) struct KnownDays(Arc<Mutex<HashSet<(DayTable, Date)>>>);

impl KnownDays {
    pub(super) fn has(&self, day: (DayTable, Date)) -> bool {
        let days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        days.contains(&day)
    }

    pub(super) fn add(&self, day: (DayTable, Date)) {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        days.insert(day);
    }

    /// They are looked for again: some were dropped, or it is another database.
    pub(super) fn forget(&self) {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        days.clear();
    }
}
