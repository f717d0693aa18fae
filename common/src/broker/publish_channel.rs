//! Channels in confirm mode on one connection. What the broker refuses closes a channel, never the connection.

use std::sync::{Arc, PoisonError, RwLock};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::sync::Mutex;

use super::address::Address;
use super::connect::{in_time, open_channel, short};
use super::error::BrokerError;
use super::wire;
use crate::message::Message;

/// The channels of one connection.
pub(super) struct PublishChannels {
    shared: RwLock<Arc<Channel>>,
    /// Held by whoever opens the shared channel again.
    reopening: Mutex<()>,
    /// For messages that may be what closed the shared channel: one at a time, so that it is known which one did.
    suspects: Mutex<Option<Channel>>,
    /// For questions about queues.
    pub(super) asking: Mutex<Option<Channel>>,
}

impl PublishChannels {
    pub(super) async fn open(connection: &Connection) -> Result<Self, BrokerError> {
        let shared = open_confirming(connection).await?;
        Ok(Self {
            shared: RwLock::new(Arc::new(shared)),
            reopening: Mutex::default(),
            suspects: Mutex::default(),
            asking: Mutex::default(),
        })
    }

    /// The channel that messages share.
    pub(super) fn shared(&self) -> Arc<Channel> {
        let shared = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&shared)
    }

    /// Opens the shared channel again where it is still the `closed` one. The connection stays, and what is sent on other
    /// channels.
    pub(super) async fn reopen(
        &self,
        connection: &Connection,
        closed: &Arc<Channel>,
    ) -> Result<(), BrokerError> {
        let _one_at_a_time = self.reopening.lock().await;
        if !Arc::ptr_eq(&self.shared(), closed) {
            return Ok(());
        }
        let channel = Arc::new(open_confirming(connection).await?);
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = channel;
        Ok(())
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
    let channel = open_channel(connection).await?;
    in_time(
        "switching to confirms",
        channel.confirm_select(ConfirmSelectOptions::default()),
    )
    .await?;
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
