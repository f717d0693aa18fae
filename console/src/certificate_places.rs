//! How many certificates one console plays at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Each has ten connections at most, and a few kilobytes in hand.
const AT_ONCE: usize = 16;

/// Room for those that are being played.
pub(crate) struct CertificatePlaces(Arc<Semaphore>);

impl CertificatePlaces {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// A place for one, if there is any.
    pub(crate) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}
