//! What a relay counts, readable at any time and without a lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts of one relay since it was made.
#[derive(Debug, Default)]
pub struct RelayStats {
    published: AtomicU64,
    set_aside: AtomicU64,
    failed: AtomicU64,
    is_working: AtomicBool,
}

impl RelayStats {
    /// Events that the broker has confirmed.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Events that can never be published and were set aside.
    #[must_use]
    pub fn set_aside(&self) -> u64 {
        self.set_aside.load(Ordering::Relaxed)
    }

    /// Publishes that failed, and are tried again.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Whether the database answered, and the broker took what there was, the last time that they were asked.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.is_working.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, published: usize, set_aside: usize, failed: usize) {
        let add = |counter: &AtomicU64, number: usize| {
            counter.fetch_add(u64::try_from(number).unwrap_or_default(), Ordering::Relaxed);
        };
        add(&self.published, published);
        add(&self.set_aside, set_aside);
        add(&self.failed, failed);
    }

    pub(super) fn works(&self, is_working: bool) {
        self.is_working.store(is_working, Ordering::Relaxed);
    }
}
