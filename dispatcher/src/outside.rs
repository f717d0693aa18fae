//! What the dispatcher's decisions meet outside of the process: the broker that keeps messages, the log, and the receivers. And the
//! time of day. In a simulation they are played.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hookline_common::broker::{Address, PublishFault, Publisher, Stored};
use hookline_common::message::Message;
use hookline_outbound::client::{Answer, Client, SendError};
use http_body_util::Full;
use hyper::Request;
use jiff::Timestamp;

#[cfg(test)]
use crate::tests::simulation::clock;

/// The time of day, which may be set forward and back at any moment: what takes a while is measured by another clock.
#[must_use]
pub fn time_of_day() -> Timestamp {
    #[cfg(test)]
    if let Some(played) = clock::time_of_day() {
        return played;
    }
    Timestamp::now()
}

/// Keeps messages: the broker.
pub trait Keeps: Send + Sync + 'static {
    /// Whether a connection stands.
    fn is_up(&self) -> bool;

    /// Waits for a connection, for as long as it takes.
    ///
    /// # Errors
    /// [`PublishFault::Final`].
    fn connected(&self) -> BoxFuture<'_, Result<(), PublishFault>>;

    /// Publishes for as long as it takes.
    ///
    /// # Errors
    /// [`PublishFault::Final`], and [`PublishFault::Refused`] for a message that the broker never takes.
    fn publish_until_stored<'a>(
        &'a self,
        to: &'a Address,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<Stored, PublishFault>>;

    /// Something was found missing: it is looked for and made again.
    fn look_for_missing(&self);
}

impl Keeps for Publisher {
    fn is_up(&self) -> bool {
        Self::is_up(self)
    }

    fn connected(&self) -> BoxFuture<'_, Result<(), PublishFault>> {
        Box::pin(Self::connected(self, None))
    }

    fn publish_until_stored<'a>(
        &'a self,
        to: &'a Address,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<Stored, PublishFault>> {
        Box::pin(Self::publish_until_stored(self, to, message))
    }

    fn look_for_missing(&self) {
        Self::look_for_missing(self);
    }
}

/// Sends requests to receivers.
pub trait Sends: Send + Sync + 'static {
    /// Sends a request, and reads the answer.
    ///
    /// # Errors
    /// [`SendError`] where there is none.
    fn send(&self, request: Request<Full<Bytes>>) -> BoxFuture<'_, Result<Answer, SendError>>;
}

impl Sends for Client {
    fn send(&self, request: Request<Full<Bytes>>) -> BoxFuture<'_, Result<Answer, SendError>> {
        Box::pin(Self::send(self, request))
    }
}

/// Keeps batches of records: the log.
pub trait Logs: Send + Sync + 'static {
    /// Writes a batch of so many records, for as long as that takes: whether the log has it.
    ///
    /// # Errors
    /// The broker's words where it takes no message of this size.
    fn write<'a>(&'a self, batch: &'a Message, records: usize) -> BoxFuture<'a, Result<bool, String>>;
}
