//! What can go wrong between us and the broker.

use std::error::Error;
use std::sync::Arc;

use lapin::ErrorKind;

use super::declare::Discrepancy;

/// AMQP's code for an object that is not there.
pub(super) const NOT_FOUND: u16 = 404;

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

    /// Whether the exchange or queue that was asked for is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.reply_code() == Some(NOT_FOUND)
    }

    /// The broker's own code for its refusal, if it answered with one.
    pub(super) fn reply_code(&self) -> Option<u16> {
        let Self::Call { source, .. } = self else {
            return None;
        };
        match source.downcast_ref::<lapin::Error>()?.kind() {
            ErrorKind::ProtocolError(error) => Some(error.get_id()),
            _ => None,
        }
    }
}
