//! The channels of one connection that publishes. What the broker refuses closes a channel, never the connection.

use std::collections::HashMap;
use std::sync::{self, Arc, PoisonError, RwLock};

use lapin::{Channel, Connection};
use tokio::sync::Mutex;

use super::address::Address;
use super::confirm_channel::{ConfirmChannel, Sent};
use super::error::BrokerError;
use super::returns::Returns;
use crate::message::Message;

/// The channels of one connection.
///
/// Each destination has one of its own. A channel's first message to a quorum queue is a call for the broker, and where the
/// queue has no quorum, the whole channel waits for it.
pub(super) struct PublishChannels {
    by_destination: RwLock<HashMap<String, Arc<ConfirmChannel>>>,
    /// Held by whoever opens one of them.
    opening: Mutex<()>,
    /// For messages that may be what closed a destination's channel: one at a time of each, so that it is known which one did.
    suspects: sync::Mutex<HashMap<String, Arc<Mutex<Option<ConfirmChannel>>>>>,
    /// What came back on the connection.
    returns: Returns,
    /// For questions about queues.
    pub(super) asking: Mutex<Option<Channel>>,
}

impl PublishChannels {
    /// None yet, of a connection on which this comes back.
    pub(super) fn new(returns: Returns) -> Self {
        Self {
            by_destination: RwLock::default(),
            opening: Mutex::default(),
            suspects: sync::Mutex::default(),
            returns,
            asking: Mutex::default(),
        }
    }

    /// The channel of a destination that was published to before.
    pub(super) fn known(&self, destination: &str) -> Option<Arc<ConfirmChannel>> {
        let channels = self.by_destination.read();
        let channels = channels.unwrap_or_else(PoisonError::into_inner);
        channels.get(destination).map(Arc::clone)
    }

    /// The channel of a destination, opened if it has none.
    pub(super) async fn open(
        &self,
        connection: &Connection,
        destination: &str,
    ) -> Result<Arc<ConfirmChannel>, BrokerError> {
        let _one_at_a_time = self.opening.lock().await;
        match self.known(destination) {
            Some(channel) => Ok(channel),
            None => self.open_anew(connection, destination).await,
        }
    }

    /// Opens the channel of a destination anew where it is still the `old` one. The connection stays, and what is sent on
    /// other channels, or still on the old one. Says whether it was.
    pub(super) async fn reopen(
        &self,
        connection: &Connection,
        destination: &str,
        old: &Arc<ConfirmChannel>,
    ) -> Result<bool, BrokerError> {
        let _one_at_a_time = self.opening.lock().await;
        let is_replaced = self
            .known(destination)
            .is_some_and(|known| !Arc::ptr_eq(&known, old));
        if !is_replaced {
            self.open_anew(connection, destination).await?;
        }
        Ok(!is_replaced)
    }

    async fn open_anew(
        &self,
        connection: &Connection,
        destination: &str,
    ) -> Result<Arc<ConfirmChannel>, BrokerError> {
        let channel = Arc::new(ConfirmChannel::open(connection, &self.returns).await?);
        let channels = self.by_destination.write();
        let mut channels = channels.unwrap_or_else(PoisonError::into_inner);
        channels.insert(destination.to_owned(), Arc::clone(&channel));
        Ok(channel)
    }

    /// Publishes a message with nothing beside it.
    pub(super) async fn send_alone(
        &self,
        connection: &Connection,
        to: &Address,
        message: &Message,
    ) -> Result<Sent, BrokerError> {
        let slot = {
            let mut slots = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(to.destination().to_owned()).or_default())
        };
        let mut suspects = slot.lock().await;
        // Taken out, so that a channel whose answer nobody waits for any more is not used again.
        let channel = match suspects.take() {
            Some(channel) if channel.is_open() => channel,
            _ => ConfirmChannel::open(connection, &self.returns).await?,
        };
        let sent = channel.send(to, message).await;
        if sent.answer.is_ok() && channel.has_stored() {
            *suspects = Some(channel);
        }
        Ok(sent)
    }
}
