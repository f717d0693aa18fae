//! What can go wrong between us and the broker.

use std::error::Error;
use std::sync::Arc;

use super::declare::Discrepancy;

/// A failure at the broker. [`BrokerError::is_final`] tells the one kind that trying again does not mend.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A call failed; the connection or the channel may be gone.
    #[error("{what} failed: {source}")]
    Call {
        /// What was being done.
        what: &'static str,
        /// The client library's own error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The broker did not answer in time.
    #[error("{what}: no answer from the broker within {seconds} s")]
    NoAnswer {
        /// What was being done.
        what: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// There is no connection, and this is why.
    #[error("no connection to the broker: {0}")]
    Unreachable(Arc<BrokerError>),
    /// An object stands on the broker with other arguments than ours.
    #[error("{0}")]
    Mismatch(Discrepancy),
}

impl BrokerError {
    pub(super) fn call(what: &'static str) -> impl FnOnce(lapin::Error) -> Self {
        move |source| Self::Call {
            what,
            source: Box::new(source),
        }
    }

    /// Whether only a person can mend it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Mismatch(_) => true,
            Self::Unreachable(error) => error.is_final(),
            Self::Call { .. } | Self::NoAnswer { .. } => false,
        }
    }
}
