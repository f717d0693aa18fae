//! How often the registry was asked, and what came of it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Queries by how they ended, and the messages that waited for one.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) awaited: AtomicU64,
    pub(super) loaded: AtomicU64,
    pub(super) failed: AtomicU64,
}

impl Counts {
    pub(super) fn awaited(&self) {
        self.awaited.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn loaded(&self) {
        self.loaded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}
