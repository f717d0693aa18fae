//! Taking messages from queues, and acknowledging them, over a connection that comes back.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
    BasicQosOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection};
use tokio::time::{Instant, timeout};

use super::connect::{LinkSettings, in_time, open_channel};
use super::error::BrokerError;
use super::established::{Established, Prepare};
use super::link::{Link, NoLink};
use super::loss::Loss;
use super::stats::BrokerStats;
use super::wire;
use crate::message::Message;

/// How long a broker that is asked for no more messages, or for its last word on acknowledgements, may take. Both are
/// asked at the end of a process, which a silent broker must not hold up: what it did not see, it gives out again.
const LAST_WORD_TIMEOUT: Duration = Duration::from_secs(1);

/// Consumes over a connection of its own, apart from any that publishes: a broker in alarm stalls whole connections.
/// Clones share it.
#[derive(Clone)]
pub struct Consumer {
    link: Link<()>,
    stats: Arc<BrokerStats>,
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
        let stats = Arc::clone(&settings.stats);
        Self {
            link: Link::start(settings, Nothing),
            stats,
        }
    }

    /// Whether a line on trouble with the broker may be written now: they are at most one a second, those on connections
    /// included. How many were left out before it, if it may.
    #[must_use]
    pub fn may_tell(&self) -> Option<u64> {
        self.stats.lines.may_tell(Instant::now())
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
        let established = linked(self.link.up(None).await)?;
        let prefetch = if established.is_careful { 1 } else { prefetch };
        let subscribed = subscribe_on(&established, queue, prefetch).await;
        if let Err(error) = &subscribed {
            established.give_up(format!("consuming {queue:?}: {error}; {}", error.advice()));
        }
        subscribed
    }

    /// As [`Consumer::subscribe`], but the broker sends nothing by itself: each message is asked for by
    /// [`Subscription::get`].
    ///
    /// # Errors
    /// As [`Consumer::subscribe`].
    pub async fn subscribe_without_push(&self, queue: &str) -> Result<Subscription, BrokerError> {
        let established = linked(self.link.up(None).await)?;
        match open_channel(&established.connection).await {
            Ok(channel) => Ok(Subscription {
                prefetch: 0,
                stream: None,
                acker: Acker {
                    queue: ShortString::try_new(queue).unwrap_or_default(),
                    channel,
                    established,
                },
            }),
            Err(error) => {
                established.give_up(format!("consuming {queue:?}: {error}"));
                Err(error)
            }
        }
    }

    /// Closes the connection for good; what is unacknowledged goes back to its queues.
    pub async fn close(&self) {
        self.link.close().await;
    }
}

fn linked(link: Result<Arc<Established<()>>, NoLink>) -> Result<Arc<Established<()>>, BrokerError> {
    link.map_err(|no_link| match no_link {
        NoLink::Late(Some(error)) | NoLink::Final(error) => BrokerError::Unreachable(error),
        NoLink::Late(None) => BrokerError::NoAnswer {
            what: "connecting",
            seconds: 0,
        },
    })
}

async fn subscribe_on(
    established: &Arc<Established<()>>,
    queue: &str,
    prefetch: u16,
) -> Result<Subscription, BrokerError> {
    let channel = open_channel(&established.connection).await?;
    let queue = ShortString::try_new(queue).unwrap_or_default();
    let stream = consume_on(&channel, &queue, prefetch).await?;
    Ok(Subscription {
        prefetch,
        stream: Some(stream),
        acker: Acker {
            queue,
            channel,
            established: Arc::clone(established),
        },
    })
}

async fn consume_on(
    channel: &Channel,
    queue: &ShortString,
    prefetch: u16,
) -> Result<lapin::Consumer, BrokerError> {
    let set = channel.basic_qos(prefetch, BasicQosOptions::default());
    in_time("setting the prefetch", set).await?;
    let consume = channel.basic_consume(
        queue.clone(),
        ShortString::default(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    in_time("consuming", consume).await
}

/// One queue being consumed, for as long as the connection lives. Its delivery tags count up from 1, without gaps.
pub struct Subscription {
    prefetch: u16,
    /// None while the broker is asked for nothing.
    stream: Option<lapin::Consumer>,
    acker: Acker,
}

impl Subscription {
    /// The next message, or `None` when the connection, the channel or the queue is gone, or, after
    /// [`Subscription::cancel`], when everything that was on its way has been handed out.
    pub async fn next(&mut self) -> Option<Incoming> {
        let established = &self.acker.established;
        let stream = self.stream.as_mut()?;
        if established.is_gone() {
            return None;
        }
        let delivery = tokio::select! {
            delivery = stream.next() => delivery,
            _ = established.ended() => None,
        };
        match delivery {
            Some(Ok(delivery)) => Some(Incoming::from_broker(delivery)),
            Some(Err(error)) => {
                tracing::debug!(%error, "a subscription ended");
                established.give_up_after(
                    Loss::of(&error).during(&format!("consuming {:?}", self.acker.queue.as_str())),
                );
                None
            }
            None => {
                self.stream = None;
                None
            }
        }
    }

    /// Asks for one message; `None` where the queue has none ready.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection, the channel or the queue is gone.
    pub async fn get(&self) -> Result<Option<Incoming>, BrokerError> {
        let get = self
            .acker
            .channel
            .basic_get(self.acker.queue.clone(), BasicGetOptions { no_ack: false });
        let got = in_time("asking for a message", get).await;
        if let Err(error) = &got {
            self.acker.give_up(error);
        }
        Ok(got?.map(|message| Incoming::from_broker(message.delivery)))
    }

    /// Whether messages are taken one at a time, because one could not be read at all.
    #[must_use]
    pub fn is_careful(&self) -> bool {
        self.acker.established.is_careful
    }

    /// Whether the connection that it lives on is gone.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.acker.is_void()
    }

    /// Says that the broker has ended the subscription, and it is of no use any more, so that its connection is made anew.
    pub fn give_up(&self) {
        self.acker.established.give_up(format!(
            "the broker cancelled the consumer of {:?}: the queue was deleted, or has another leader",
            self.acker.queue.as_str()
        ));
    }

    /// What acknowledges this subscription's messages.
    #[must_use]
    pub fn acker(&self) -> Acker {
        self.acker.clone()
    }

    /// Unacknowledged messages at most; 0 while the broker is asked for none.
    #[must_use]
    pub fn prefetch(&self) -> u16 {
        if self.stream.is_some() { self.prefetch } else { 0 }
    }

    /// Asks the broker for no more messages. What was on its way is still handed out by [`Subscription::next`]; all that
    /// is unacknowledged stays ours until the connection ends.
    pub async fn cancel(&self) {
        let Some(stream) = &self.stream else { return };
        let cancel = self
            .acker
            .channel
            .basic_cancel(stream.tag(), BasicCancelOptions::default());
        let cancelled = timeout(LAST_WORD_TIMEOUT, cancel).await;
        if !matches!(cancelled, Ok(Ok(()))) {
            let queue = self.acker.queue.as_str();
            self.acker
                .established
                .give_up(format!("the consumer of {queue:?} could not be cancelled"));
        }
    }

    /// Asks for messages again after [`Subscription::cancel`], once [`Subscription::next`] has handed out the last, with
    /// at most `prefetch` of them unacknowledged. Tags go on counting.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection, the channel or the queue is gone.
    pub async fn resume(&mut self, prefetch: u16) -> Result<(), BrokerError> {
        match consume_on(&self.acker.channel, &self.acker.queue, prefetch).await {
            Ok(stream) => {
                self.stream = Some(stream);
                self.prefetch = prefetch;
                Ok(())
            }
            Err(error) => {
                self.acker.give_up(&error);
                Err(error)
            }
        }
    }
}

/// Acknowledges the messages of one subscription, or gives them back. Its tags mean nothing on any other.
#[derive(Clone)]
pub struct Acker {
    queue: ShortString,
    channel: Channel,
    established: Arc<Established<()>>,
}

impl Acker {
    /// Acknowledges these messages. All go out together: waiting for one after the other would cost several times as much.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection is gone: the broker gives the messages to somebody again.
    pub async fn ack_each(&self, tags: Vec<u64>) -> Result<(), BrokerError> {
        let sent = join_all(tags.into_iter().map(|tag| self.ack(tag, false))).await;
        sent.into_iter().collect()
    }

    /// Acknowledges every message up to this one.
    ///
    /// # Errors
    /// As [`Acker::ack_each`].
    pub async fn ack_through(&self, tag: u64) -> Result<(), BrokerError> {
        self.ack(tag, true).await
    }

    /// Gives these messages back to their queue, for whoever asks next. RabbitMQ counts that as a return up to 4.2.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection is gone, and with it all that it held given back.
    pub async fn give_back_each(&self, tags: Vec<u64>) -> Result<(), BrokerError> {
        let sent = join_all(tags.into_iter().map(|tag| self.give_back(tag))).await;
        sent.into_iter().collect()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the Acker")]
    async fn ack(&self, tag: u64, multiple: bool) -> Result<(), BrokerError> {
        let ack = self.channel.basic_ack(tag, BasicAckOptions { multiple });
        self.giving_up(in_time("acknowledging", ack).await)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the Acker")]
    async fn give_back(&self, tag: u64) -> Result<(), BrokerError> {
        let options = BasicNackOptions {
            multiple: false,
            requeue: true,
        };
        let nack = self.channel.basic_nack(tag, options);
        self.giving_up(in_time("giving a message back", nack).await)
    }

    fn giving_up(&self, sent: Result<(), BrokerError>) -> Result<(), BrokerError> {
        if let Err(error) = &sent {
            self.give_up(error);
        }
        sent
    }

    fn give_up(&self, error: &BrokerError) {
        let (queue, advice) = (self.queue.as_str(), error.advice());
        self.established
            .give_up(format!("consuming {queue:?}: {error}; {advice}"));
    }

    /// Returns when the broker has seen every acknowledgement sent before: it drops those that are still on their way
    /// when the channel closes.
    ///
    /// # Errors
    /// [`BrokerError`] when it does not answer within a second.
    pub async fn flush(&self) -> Result<(), BrokerError> {
        const WHAT: &str = "acknowledging";
        // Any call with an answer does; this one changes nothing for a consumer that was cancelled.
        let answered = self.channel.basic_qos(1, BasicQosOptions::default());
        match timeout(LAST_WORD_TIMEOUT, answered).await {
            Ok(answered) => answered.map_err(BrokerError::call(WHAT)),
            Err(_) => Err(BrokerError::NoAnswer {
                what: WHAT,
                seconds: LAST_WORD_TIMEOUT.as_secs(),
            }),
        }
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
        let mut message = wire::from_broker(&delivery.properties, delivery.data);
        message.sender.exchange = delivery.exchange.into();
        message.sender.routing_key = delivery.routing_key.into();
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
