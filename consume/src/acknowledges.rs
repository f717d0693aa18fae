//! What takes acknowledgements: a subscription at the broker, and in a simulation what plays one.

use futures_util::future::BoxFuture;
use hookline_common::broker::{Acker, BrokerError};

/// Takes acknowledgements for the messages of one subscription. Its tags mean nothing on any other.
pub trait Acknowledges: Send + Sync + 'static {
    /// Counts the subscriptions: a later one has a higher number.
    fn generation(&self) -> u64;

    /// Whether the subscription is gone.
    fn is_void(&self) -> bool;

    /// Acknowledges every message up to this one.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection is gone: the broker gives the messages to somebody again.
    fn ack_through(&self, tag: u64) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Acknowledges these messages.
    ///
    /// # Errors
    /// As [`Self::ack_through`].
    fn ack_each(&self, tags: Vec<u64>) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Gives these messages back to their queue.
    ///
    /// # Errors
    /// As [`Self::ack_through`].
    fn give_back_each(&self, tags: Vec<u64>) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Returns when the broker's channel has every acknowledgement sent before.
    ///
    /// # Errors
    /// [`BrokerError`] when it does not answer.
    fn reach_channel(&self) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Returns when the queue has taken every acknowledgement sent before.
    ///
    /// # Errors
    /// As [`Self::reach_channel`].
    fn reach_queue(&self) -> BoxFuture<'_, Result<(), BrokerError>>;
}

impl Acknowledges for Acker {
    fn generation(&self) -> u64 {
        Self::generation(self)
    }

    fn is_void(&self) -> bool {
        Self::is_void(self)
    }

    fn ack_through(&self, tag: u64) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(Self::ack_through(self, tag))
    }

    fn ack_each(&self, tags: Vec<u64>) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(Self::ack_each(self, tags))
    }

    fn give_back_each(&self, tags: Vec<u64>) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(Self::give_back_each(self, tags))
    }

    fn reach_channel(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(Self::reach_channel(self))
    }

    fn reach_queue(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(Self::reach_queue(self))
    }
}
