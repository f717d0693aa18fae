//! Channels in confirm mode on one connection. What the broker refuses closes a channel, never the connection.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::sync::Mutex;

use super::address::Address;
use super::connect::short;
use super::error::BrokerError;
use super::wire;
use crate::message::Message;

/// The channels of one connection.
///
/// Each destination has one of its own. A channel's first message to a quorum queue is a call for the broker, and where the
/// queue has no quorum, the whole channel waits for it.
#[derive(Default)]
pub(super) struct PublishChannels {
    by_destination: RwLock<HashMap<String, Arc<Channel>>>,
    /// Held by whoever opens one of them.
    opening: Mutex<()>,
    /// For messages that may be what closed a destination's channel: one at a time, so that it is known which one did.
    suspects: Mutex<Option<Channel>>,
    /// For questions about queues.
    pub(super) asking: Mutex<Option<Channel>>,
}

impl PublishChannels {
    /// The channel of a destination that was published to before.
    pub(super) fn known(&self, destination: &str) -> Option<Arc<Channel>> {
        let channels = self.by_destination.read();
        let channels = channels.unwrap_or_else(PoisonError::into_inner);
        channels.get(destination).map(Arc::clone)
    }

    /// The channel of a destination, opened if it has none. That takes as long as the connection needs: what was sent before
    /// may be a long queue on a slow link.
    pub(super) async fn open(
        &self,
        connection: &Connection,
        destination: &str,
    ) -> Result<Arc<Channel>, BrokerError> {
        let _one_at_a_time = self.opening.lock().await;
        match self.known(destination) {
            Some(channel) => Ok(channel),
            None => self.open_anew(connection, destination).await,
        }
    }

    /// Opens the channel of a destination again where it is still the `closed` one. The connection stays, and what is sent
    /// on other channels.
    pub(super) async fn reopen(
        &self,
        connection: &Connection,
        destination: &str,
        closed: &Arc<Channel>,
    ) -> Result<(), BrokerError> {
        let _one_at_a_time = self.opening.lock().await;
        let is_replaced = self
            .known(destination)
            .is_some_and(|known| !Arc::ptr_eq(&known, closed));
        if !is_replaced {
            self.open_anew(connection, destination).await?;
        }
        Ok(())
    }

    async fn open_anew(
        &self,
        connection: &Connection,
        destination: &str,
    ) -> Result<Arc<Channel>, BrokerError> {
        let channel = Arc::new(open_confirming(connection).await?);
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
    ) -> Result<Confirmation, BrokerError> {
        let mut suspects = self.suspects.lock().await;
        // Taken out, so that a channel whose answer nobody waits for any more is not used again.
        let channel = match suspects.take() {
            Some(channel) if channel.status().connected() => channel,
            _ => open_confirming(connection).await?,
        };
        let sent = send(&channel, to, message).await;
        if sent.is_ok() {
            *suspects = Some(channel);
        }
        sent
    }
}

async fn open_confirming(connection: &Connection) -> Result<Channel, BrokerError> {
    let opened = connection.create_channel().await;
    let channel = opened.map_err(BrokerError::call("opening a channel"))?;
    let selected = channel.confirm_select(ConfirmSelectOptions::default()).await;
    selected.map_err(BrokerError::call("switching to confirms"))?;
    Ok(channel)
}

/// Publishes a message and waits for the broker's answer, however long it takes.
#[expect(clippy::disallowed_methods, reason = "this is where the Publisher publishes")]
pub(super) async fn send(
    channel: &Channel,
    to: &Address,
    message: &Message,
) -> Result<Confirmation, BrokerError> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let sent = channel.basic_publish(
        short(&to.exchange),
        short(&to.routing_key),
        options,
        &message.body,
        wire::to_properties(message),
    );
    let confirmed = async { sent.await?.await };
    confirmed.await.map_err(BrokerError::call("publishing"))
}
