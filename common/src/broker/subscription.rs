//! One queue being consumed, for as long as its connection lives, and its messages as they were received.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;
use lapin::Channel;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use tokio::time::timeout;

use super::acker::{Acker, CANCEL_TIMEOUT};
use super::connect::{CALL_TIMEOUT, in_time, open_channel};
use super::error::BrokerError;
use super::established::Established;
use super::loss::Loss;
use super::wire;
use crate::message::Message;

/// One queue being consumed, for as long as the connection lives. Its delivery tags count up from 1, without gaps.
pub struct Subscription {
    prefetch: u16,
    /// None while the broker is asked for nothing.
    stream: Option<lapin::Consumer>,
    /// Whether a message has come since somebody last looked.
    is_coming: Arc<AtomicBool>,
    acker: Acker,
}

impl Subscription {
    pub(super) async fn begin(
        established: &Arc<Established<()>>,
        queue: &str,
        prefetch: u16,
    ) -> Result<Self, BrokerError> {
        let mut subscription = Self::without_push(established, queue).await?;
        let acker = &subscription.acker;
        subscription.stream = Some(consume_on(&acker.channel, &acker.queue, prefetch).await?);
        subscription.prefetch = prefetch;
        Ok(subscription)
    }

    pub(super) async fn without_push(
        established: &Arc<Established<()>>,
        queue: &str,
    ) -> Result<Self, BrokerError> {
        established.heard.unread.bound();
        Ok(Self {
            prefetch: 0,
            stream: None,
            is_coming: Arc::default(),
            acker: Acker {
                queue: ShortString::try_new(queue).unwrap_or_default(),
                channel: open_channel(&established.connection).await?,
                established: Arc::clone(established),
            },
        })
    }

    /// The next message, or `None` when the connection, the channel or the queue is gone, or, after
    /// [`Subscription::cancel`] or [`Subscription::pause`], when everything that was on its way has been handed out.
    pub async fn next(&mut self) -> Option<Incoming> {
        let established = &self.acker.established;
        let stream = self.stream.as_mut()?;
        if established.is_gone() {
            return None;
        }
        let delivery = tokio::select! {
            // What has come is taken without a look at the connection, which costs as much again.
            biased;
            delivery = stream.next() => delivery,
            _ = established.ended() => None,
        };
        match delivery {
            Some(Ok(delivery)) => {
                self.is_coming.store(true, Ordering::Relaxed);
                Some(self.taken(delivery))
            }
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
        Ok(got?.map(|message| self.taken(message.delivery)))
    }

    fn taken(&self, delivery: lapin::message::Delivery) -> Incoming {
        self.acker.established.heard.unread.taken(delivery.data.len());
        Incoming::from_broker(delivery)
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

    /// Returns when that connection is gone.
    pub async fn is_over(&self) {
        self.acker.established.ended().await;
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

    /// Asks the broker for no more messages, at the end of a process. What was on its way is still handed out by
    /// [`Subscription::next`], which is to be called meanwhile, as the answer stands behind it; all that is unacknowledged stays ours
    /// until the connection ends. `false` where the broker does not say within a moment that it has heard of it, so that more may
    /// come: the connection is kept, as what is in hand would be delivered twice without it.
    pub fn cancel(&self) -> impl Future<Output = bool> + Send + use<> {
        let (cancelled, acker) = (self.cancelled(), self.acker.clone());
        async move {
            let is_cancelled = timeout(CANCEL_TIMEOUT, cancelled).await == Ok(true);
            // What comes of a broker that is slow to answer is taken out by nobody, and other answers stand behind it.
            acker.established.heard.unread.unbound();
            is_cancelled
        }
    }

    /// The same for a while: see [`Subscription::resume`]. The answer stands behind all that is on its way, so
    /// [`Subscription::next`] is to be called meanwhile. A broker that is slow has all the time that any answer has, counted from the last
    /// message that came, since what is in hand would be delivered twice if it was given up.
    pub fn pause(&self) -> impl Future<Output = ()> + Send + use<> {
        let (cancelled, acker) = (self.cancelled(), self.acker.clone());
        let is_coming = Arc::clone(&self.is_coming);
        async move {
            let mut cancelled = pin!(cancelled);
            is_coming.store(false, Ordering::Relaxed);
            let is_cancelled = loop {
                match timeout(CALL_TIMEOUT, &mut cancelled).await {
                    Ok(is_cancelled) => break is_cancelled,
                    Err(_) if is_coming.swap(false, Ordering::Relaxed) => {}
                    Err(_) => break false,
                }
            };
            if !is_cancelled {
                let queue = acker.queue.as_str();
                acker
                    .established
                    .give_up(format!("the consumer of {queue:?} could not be cancelled"));
            }
        }
    }

    /// Cancels it, if it stands; whether that was done, or its connection is gone.
    fn cancelled(&self) -> impl Future<Output = bool> + Send + use<> {
        let (acker, tag) = (self.acker.clone(), self.stream.as_ref().map(lapin::Consumer::tag));
        async move {
            let Some(tag) = tag else { return true };
            let cancel = acker.channel.basic_cancel(tag, BasicCancelOptions::default());
            tokio::select! {
                cancelled = cancel => cancelled.is_ok(),
                // Whoever made another connection meanwhile waits for no answer on this one.
                _ = acker.established.ended() => true,
            }
        }
    }

    /// Asks for messages again after [`Subscription::pause`], once [`Subscription::next`] has handed out the last, with
    /// at most `prefetch` of them unacknowledged. Tags go on counting.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection, the channel or the queue is gone.
    pub async fn resume(&mut self, prefetch: u16) -> Result<(), BrokerError> {
        let consuming = tokio::select! {
            consuming = consume_on(&self.acker.channel, &self.acker.queue, prefetch) => consuming,
            lost = self.acker.established.lost("consuming") => Err(lost),
        };
        match consuming {
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
