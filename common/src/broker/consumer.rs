//! Taking messages from queues, and acknowledging them, over a connection that comes back.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection};

use super::connect::{LinkSettings, in_time, open_channel};
use super::error::BrokerError;
use super::link::{Established, Link, NoLink, Prepare};
use super::wire;
use crate::message::Message;

/// Consumes over a connection of its own, apart from any that publishes: a broker in alarm stalls whole connections.
/// Clones share it.
#[derive(Clone)]
pub struct Consumer {
    link: Link<()>,
}

struct Nothing;

impl Prepare for Nothing {
    type Ready = ();

    async fn prepare(&self, _: &Connection) -> Result<(), BrokerError> {
        Ok(())
    }
}

impl Consumer {
    /// Starts to connect.
    #[must_use]
    pub fn start(settings: LinkSettings) -> Self {
        Self {
            link: Link::start(settings, Nothing),
        }
    }

    /// Whether a connection stands.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// Waits for a connection and takes up `queue` on a channel of its own, with at most `prefetch` messages
    /// unacknowledged. After a message that could not be read at all it is one, so that no other is counted as
    /// returned with it; such a message comes back until the broker's own limit sets it aside.
    ///
    /// # Errors
    /// [`BrokerError`] when the queue is missing or the connection went meanwhile; the connection is made anew then.
    pub async fn subscribe(&self, queue: &str, prefetch: u16) -> Result<Subscription, BrokerError> {
        self.take_up(self.link.up(None).await, queue, prefetch).await
    }

    /// As [`Consumer::subscribe`], but gives up when the first try to connect fails.
    ///
    /// # Errors
    /// [`BrokerError`] of that try, or as [`Consumer::subscribe`].
    pub async fn subscribe_at_first_try(
        &self,
        queue: &str,
        prefetch: u16,
    ) -> Result<Subscription, BrokerError> {
        self.take_up(self.link.up_at_first_try().await, queue, prefetch)
            .await
    }

    async fn take_up(
        &self,
        link: Result<Arc<Established<()>>, NoLink>,
        queue: &str,
        prefetch: u16,
    ) -> Result<Subscription, BrokerError> {
        let established = link.map_err(|no_link| {
            let (NoLink::Late(Some(error)) | NoLink::Final(error)) = no_link else {
                return BrokerError::NoAnswer {
                    what: "connecting",
                    seconds: 0,
                };
            };
            BrokerError::Unreachable(error)
        })?;
        let prefetch = if established.is_careful { 1 } else { prefetch };
        let subscribed = subscribe_on(&established, queue, prefetch).await;
        if subscribed.is_err() {
            established.give_up();
        }
        subscribed
    }

    /// Closes the connection for good; what is unacknowledged goes back to its queues.
    pub async fn close(&self) {
        self.link.close().await;
    }
}

async fn subscribe_on(
    established: &Arc<Established<()>>,
    queue: &str,
    prefetch: u16,
) -> Result<Subscription, BrokerError> {
    let channel = open_channel(&established.connection).await?;
    in_time(
        "setting the prefetch",
        channel.basic_qos(prefetch, BasicQosOptions::default()),
    )
    .await?;
    let consume = channel.basic_consume(
        ShortString::try_new(queue).unwrap_or_default(),
        ShortString::default(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let stream = in_time("consuming", consume).await?;
    Ok(Subscription {
        stream,
        acker: Acker {
            channel,
            established: Arc::clone(established),
        },
    })
}

/// One queue being consumed, for as long as the connection lives.
pub struct Subscription {
    stream: lapin::Consumer,
    acker: Acker,
}

impl Subscription {
    /// The next message, or `None` when the connection, the channel or the queue is gone.
    pub async fn next(&mut self) -> Option<Incoming> {
        let established = &self.acker.established;
        if established.is_gone() {
            return None;
        }
        let delivery = tokio::select! {
            delivery = self.stream.next() => delivery,
            () = established.ended() => None,
        };
        match delivery {
            Some(Ok(delivery)) => Some(Incoming::from_broker(delivery)),
            Some(Err(error)) => {
                tracing::debug!(%error, "a subscription ended");
                established.give_up_after(&error);
                None
            }
            None => {
                established.give_up();
                None
            }
        }
    }

    /// Whether messages are taken one at a time, because one could not be read at all.
    #[must_use]
    pub fn is_careful(&self) -> bool {
        self.acker.established.is_careful
    }

    /// What acknowledges this subscription's messages.
    #[must_use]
    pub fn acker(&self) -> Acker {
        self.acker.clone()
    }

    /// Asks the broker for no more messages. Those unacknowledged stay ours until the connection ends.
    pub async fn cancel(&self) {
        let cancel = self
            .acker
            .channel
            .basic_cancel(self.stream.tag(), BasicCancelOptions::default());
        if let Err(error) = in_time("cancelling a consumer", cancel).await {
            tracing::debug!(%error, "a consumer could not be cancelled; the connection is given up");
            self.acker.established.give_up();
        }
    }
}

/// Acknowledges the messages of one subscription. Its tags mean nothing on any other.
#[derive(Clone)]
pub struct Acker {
    channel: Channel,
    established: Arc<Established<()>>,
}

impl Acker {
    /// Acknowledges these messages. All go out together: waiting for one after the other would cost several times as much.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection is gone: the broker gives the messages to somebody again.
    pub async fn ack_each(&self, tags: Vec<u64>) -> Result<(), BrokerError> {
        let sent = join_all(tags.into_iter().map(|tag| self.send(tag, false))).await;
        sent.into_iter().collect()
    }

    /// Acknowledges every message up to this one.
    ///
    /// # Errors
    /// As [`Acker::ack_each`].
    pub async fn ack_through(&self, tag: u64) -> Result<(), BrokerError> {
        self.send(tag, true).await
    }

    #[expect(clippy::disallowed_methods, reason = "this is the Acker")]
    async fn send(&self, tag: u64, multiple: bool) -> Result<(), BrokerError> {
        let acked = in_time(
            "acknowledging",
            self.channel.basic_ack(tag, BasicAckOptions { multiple }),
        )
        .await;
        if acked.is_err() {
            self.established.give_up();
        }
        acked
    }

    /// Returns when the broker has seen every acknowledgement sent before: it drops those that are still on their way
    /// when the channel closes.
    ///
    /// # Errors
    /// As [`Acker::ack_each`].
    pub async fn seen(&self) -> Result<(), BrokerError> {
        // Any call with an answer does; this one changes nothing for a consumer that was cancelled.
        let answered = in_time(
            "acknowledging",
            self.channel.basic_qos(1, BasicQosOptions::default()),
        );
        answered.await
    }

    /// Whether the connection that these acknowledgements belong to is gone.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.established.is_gone()
    }

    /// Counts the connections: a later subscription has a higher number.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.established.generation
    }
}

/// A message as it was received.
#[derive(Debug)]
pub struct Incoming {
    /// What acknowledges it on its subscription.
    pub tag: u64,
    /// Whether the broker gave it to somebody before.
    pub redelivered: bool,
    /// How often it came back unacknowledged, as quorum queues count.
    pub returned: u32,
    /// The message itself.
    pub message: Message,
}

impl Incoming {
    fn from_broker(delivery: lapin::message::Delivery) -> Self {
        let message = wire::from_broker(&delivery.properties, delivery.data);
        // The broker counts from the first return on; before that, the header is whatever its publisher wrote.
        let counted = message.headers.integer("x-delivery-count").ok().flatten();
        let returned = counted
            .filter(|count| delivery.redelivered && *count > 0)
            .unwrap_or(0);
        Self {
            tag: delivery.delivery_tag,
            redelivered: delivery.redelivered,
            returned: u32::try_from(returned).unwrap_or(u32::MAX),
            message,
        }
    }
}
