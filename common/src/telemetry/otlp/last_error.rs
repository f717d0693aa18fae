//! What a transport said last, told beside the way that errors usually take.

use std::sync::{Arc, Mutex, PoisonError};

/// Why the last request was not answered, which the library does not tell whoever asked it to export.
#[derive(Debug, Clone, Default)]
pub(super) struct LastError(Arc<Mutex<Option<String>>>);

impl LastError {
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn put(&self, error: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}
