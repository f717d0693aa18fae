//! Looking through a queue from its head, and taking single messages out of it: for people who look after it.
//!
//! What is read is held and not taken. When the connection ends, all of it goes back, except for what was
//! acknowledged. That it goes back to where it was needs some care; RabbitMQ 3.10 was seen to behave so:
//!
//! - What comes back is handed out before what was never handed out, but behind what came back before. So a
//!   queue that somebody has looked through is read to its end before it is given back, or it would be turned
//!   round.
//! - What is on its way to a channel while that closes comes back in a random order. So everything is
//!   received first.
//! - What the consumers of one channel hold comes back in one step, in the order of their tags, while they
//!   are at most 32. With a channel for each, a killed program left a shuffled queue. A queue of any depth is
//!   read with several consumers (windows), because a client that asked one for all of it would have to hold
//!   it all.
//! - Acknowledgements wait in the broker's channel when they are many, and are lost when it closes.
//!   Cancelling a consumer waits for the queue, and what waits is sent on before the close is looked at.
//!
//! - A leader that is down or frozen is answered for with "empty". So nothing counts as empty but what the queue said itself.
//!
//! A program that is killed while it reads loses nothing, but may leave the queue turned round.

use std::mem::take;
use std::time::Duration;

use futures_util::future::Either;
use futures_util::stream::SelectAll;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use tokio::time::{Instant, sleep, timeout};

use super::connect::{CALL_TIMEOUT, LinkSettings, Opened, in_time, open, open_channel};
use super::depth::{Asked, QueueDepth, QueueError, ask_depth, ask_queue};
use super::error::BrokerError;
use super::wire;
use crate::message::Message;

/// So many consumers of one channel are given back in order.
const WINDOWS_PER_CHANNEL: u16 = 32;
/// Few enough to be held in memory even if all are as long as they may be (100 MB).
const LEAST_WINDOW: u16 = 1000;
/// How long another consumer may take to hang up: perhaps somebody has just looked.
const HANGING_UP: Duration = Duration::from_secs(1);
/// After so long without a message the broker is asked whether there is any left.
const QUIET: Duration = Duration::from_millis(300);
/// The same where nothing is waited for, but what may still be on its way.
const STILL: Duration = Duration::from_millis(50);
/// So often in a row, before a queue that has messages and hands out none is given up.
const QUIET_ROUNDS: u32 = 30;
/// How long what was held may take to come back, which it does in milliseconds. It comes all the same afterwards.
const COMES_BACK: Duration = Duration::from_secs(2);
const WHAT: &str = "reading the queue";

/// Reads a queue from its head, as far as it went when it was opened, over a connection of its own.
pub struct Browser {
    opened: Opened,
    queue: ShortString,
    depth: QueueDepth,
    /// The first message, where asking whether there is any brought it. Its channel gives back before the others.
    head: Option<(Channel, Option<Delivery>)>,
    /// Messages still to read, without that one.
    left: u32,
    /// How many messages one consumer holds at most.
    window: u16,
    channels: Vec<Channel>,
    consumers: SelectAll<lapin::Consumer>,
    tags: Vec<ShortString>,
    /// How many messages all consumers hold at most.
    capacity: u64,
    /// Messages received and not acknowledged.
    held: u64,
    /// Messages that were taken out.
    acknowledged: u32,
}

/// A message that a [`Browser`] holds.
#[derive(Debug)]
pub struct Held {
    /// The message itself.
    pub message: Message,
    /// What acknowledges it.
    pub receipt: HeldReceipt,
}

/// What acknowledges one message on the [`Browser`] that holds it.
#[derive(Debug)]
pub struct HeldReceipt {
    delivery: Delivery,
    /// Whether it is held by a window, and not by the channel that asked for the first message.
    is_in_window: bool,
}

impl Browser {
    /// Connects, once, and looks how many messages wait in `queue`; `None` where there is no such queue.
    ///
    /// Others who consume it are given a moment to go, for what they hold cannot be seen.
    ///
    /// # Errors
    /// [`QueueError`] when the broker cannot be reached or asked, or the queue does not answer.
    pub async fn open(settings: &LinkSettings, queue: &str) -> Result<Option<Self>, QueueError> {
        let opened = open(settings).await?;
        let since = Instant::now();
        let (depth, head) = loop {
            match ask_queue(&opened.connection, queue, CALL_TIMEOUT).await? {
                Asked::Missing => {
                    opened.close().await;
                    return Ok(None);
                }
                Asked::Head(depth, channel, head) => break (depth, Some((channel, Some(*head)))),
                Asked::Depth(depth) if depth.consumers == 0 || since.elapsed() >= HANGING_UP => {
                    break (depth, None);
                }
                Asked::Depth(_) => sleep(Duration::from_millis(50)).await,
            }
        };
        Ok(Some(Self {
            opened,
            queue: ShortString::try_new(queue).unwrap_or_default(),
            depth,
            left: depth.ready - u32::from(head.is_some()),
            head,
            window: window_for(depth.ready),
            channels: Vec::new(),
            consumers: SelectAll::new(),
            tags: Vec::new(),
            capacity: 0,
            held: 0,
            acknowledged: 0,
        }))
    }

    /// What the queue held, and who else read it, when it was opened.
    #[must_use]
    pub fn depth(&self) -> QueueDepth {
        self.depth
    }

    /// Whether the next message needs a further window, for none of those held so far will be acknowledged.
    fn is_full(&self) -> bool {
        self.held >= self.capacity
    }

    /// The next message; `None` after as many as there were at the start, or when others have taken the rest.
    ///
    /// # Errors
    /// [`QueueError`] when the connection or the queue is gone, or the queue hands out nothing of what it has.
    pub async fn next(&mut self) -> Result<Option<Held>, QueueError> {
        if let Some(head) = self.head.as_mut().and_then(|(_, head)| head.take()) {
            return Ok(Some(held(head, false)));
        }
        if self.left == 0 {
            return Ok(None);
        }
        if self.is_full() {
            self.widen().await?;
        }
        let mut was_empty = false;
        for _ in 0..QUIET_ROUNDS {
            if let Ok(next) = timeout(QUIET, self.consumers.next()).await {
                return self.received(next).map(Some);
            }
            let is_empty = match self.is_empty_or_brings().await? {
                Either::Right(next) => return self.received(next).map(Some),
                Either::Left(is_empty) => is_empty,
            };
            if is_empty && was_empty {
                // What was on its way came before the last answer.
                return match self.consumers.next().now_or_never() {
                    Some(next) => self.received(next).map(Some),
                    None => {
                        self.left = 0;
                        Ok(None)
                    }
                };
            }
            was_empty = is_empty;
        }
        Err(self.no_answer(u64::from(QUIET_ROUNDS) * QUIET.as_millis() as u64 / 1000))
    }

    /// What the consumers brought.
    fn received(&mut self, next: Option<lapin::Result<Delivery>>) -> Result<Held, QueueError> {
        let Some(delivery) = next else {
            return Err(self.no_answer(0));
        };
        let delivery = delivery.map_err(BrokerError::call(WHAT))?;
        self.left -= 1;
        self.held += 1;
        Ok(held(delivery, true))
    }

    /// Whether the queue says that it has handed out all it has. The last of it may still be on its way to us: asked on the channels
    /// that it comes by, where it may be behind one answer and not behind the next. On a slow link messages may stand before the answer
    /// for a long time; so what comes first counts, the answer or a message.
    async fn is_empty_or_brings(
        &mut self,
    ) -> Result<Either<bool, Option<lapin::Result<Delivery>>>, QueueError> {
        tokio::select! {
            biased;
            next = self.consumers.next() => Ok(Either::Right(next)),
            is_empty = is_empty(&self.channels, &self.queue) => is_empty.map(Either::Left),
        }
    }

    fn no_answer(&self, seconds: u64) -> QueueError {
        QueueError::of_leader(self.queue.as_str(), BrokerError::NoAnswer { what: WHAT, seconds })
    }

    /// Takes up the queue once more, for the messages behind those that are held, and for no more than are to
    /// be read.
    async fn widen(&mut self) -> Result<(), QueueError> {
        if self.tags.len().is_multiple_of(usize::from(WINDOWS_PER_CHANNEL)) {
            self.channels.push(open_channel(&self.opened.connection).await?);
        }
        let Some(channel) = self.channels.last() else {
            return Ok(());
        };
        let window = u16::try_from(self.left).unwrap_or(u16::MAX).min(self.window);
        in_time(
            "setting the prefetch",
            channel.basic_qos(window, BasicQosOptions::default()),
        )
        .await?;
        let tag = ShortString::try_new(format!("window-{:05}", self.tags.len())).unwrap_or_default();
        let (queue, options) = (self.queue.clone(), BasicConsumeOptions::default());
        let consume = channel.basic_consume(queue, tag.clone(), options, FieldTable::default());
        let consumer = in_time("consuming", consume).await;
        let consumer = consumer.map_err(|error| QueueError::of_leader(self.queue.as_str(), error))?;
        self.consumers.push(consumer);
        self.tags.push(tag);
        self.capacity += u64::from(window);
        Ok(())
    }

    /// Takes one message out of the queue.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection is gone: the message is in the queue again.
    pub async fn ack(&mut self, receipt: HeldReceipt) -> Result<(), BrokerError> {
        const WHAT: &str = "acknowledging";
        // False where the channel is closed, and with it all that it held given back.
        if !in_time(WHAT, receipt.delivery.acker.ack(BasicAckOptions::default())).await? {
            return Err(BrokerError::NoAnswer {
                what: WHAT,
                seconds: 0,
            });
        }
        if receipt.is_in_window {
            self.held = self.held.saturating_sub(1);
        }
        self.acknowledged += 1;
        Ok(())
    }

    /// Makes sure of every acknowledgement so far: returns when the broker has seen them. Those on their way are lost with
    /// the connection.
    ///
    /// # Errors
    /// [`BrokerError`] when it does not answer.
    pub async fn flush_acks(&self) -> Result<(), BrokerError> {
        for channel in self.all_channels() {
            // Any call with an answer does. This one would only touch consumers that are yet to come, which set their own.
            let answered = channel.basic_qos(self.window, BasicQosOptions::default());
            in_time("acknowledging", answered).await?;
        }
        Ok(())
    }

    /// All channels that hold messages, in the order in which they give them back.
    fn all_channels(&self) -> impl Iterator<Item = &Channel> {
        let head = self.head.as_ref().map(|(channel, _)| channel);
        head.into_iter().chain(&self.channels)
    }

    /// Reads what is left, gives back what is held, and returns when the broker has seen every
    /// acknowledgement.
    ///
    /// # Errors
    /// [`QueueError`] when it did not say so: what was acknowledged may be in the queue again.
    pub async fn close(mut self) -> Result<(), QueueError> {
        while self.next().await?.is_some() {}
        self.receive_the_rest().await?;
        if self.acknowledged > 0 {
            self.flush_acks().await?;
            self.cancel().await?;
        }
        for channel in self.all_channels() {
            in_time("closing a channel", channel.close(200, "done".into())).await?;
        }
        self.all_is_back().await;
        // Nothing is held any more, and the broker has seen every acknowledgement: so nothing is cut off where the library
        // refuses to close, as it does while one of its channels still does so by itself.
        self.opened.close().await;
        Ok(())
    }

    /// Waits until the queue has again what was held: the broker answers that a channel is closed before the queue has heard of
    /// it, and whoever looked then would miss what is there.
    async fn all_is_back(&self) {
        let wanted = self.depth.ready.saturating_sub(self.acknowledged);
        let since = Instant::now();
        while since.elapsed() < COMES_BACK {
            let channel = open_channel(&self.opened.connection).await;
            let asked = match &channel {
                Ok(channel) => ask_depth(channel, self.queue.as_str()).await,
                Err(_) => return,
            };
            match asked {
                // Where others read it as well, nobody knows how much will stand there.
                Ok(Some(depth)) if depth.ready < wanted && depth.consumers == 0 => {}
                _ => return,
            }
            sleep(STILL).await;
        }
    }

    /// Receives what came since, where acknowledging made room for it.
    async fn receive_the_rest(&mut self) -> Result<(), QueueError> {
        let (mut quiet_rounds, mut was_empty) = (0, false);
        while self.held < self.capacity && quiet_rounds < QUIET_ROUNDS {
            let looked = match timeout(STILL, self.consumers.next()).await {
                Ok(next) => Either::Right(next),
                Err(_) => self.is_empty_or_brings().await?,
            };
            match looked {
                Either::Right(Some(Ok(_))) => self.held += 1,
                Either::Right(Some(Err(error))) => return Err(BrokerError::call(WHAT)(error).into()),
                Either::Right(None) => return Err(self.no_answer(0)),
                Either::Left(true) if was_empty => break,
                Either::Left(is_empty) => {
                    was_empty = is_empty;
                    quiet_rounds += 1;
                }
            }
        }
        Ok(())
    }

    async fn cancel(&self) -> Result<(), BrokerError> {
        for (index, tag) in self.tags.iter().enumerate() {
            if let Some(channel) = self.channels.get(index / usize::from(WINDOWS_PER_CHANNEL)) {
                let cancel = channel.basic_cancel(tag.clone(), BasicCancelOptions::default());
                in_time("cancelling a consumer", cancel).await?;
            }
        }
        Ok(())
    }
}

/// Whether `queue` says on each of the channels that nothing waits in it. Asked only while windows of ours consume it, so that an
/// answer which knows of no consumer is none of its own.
async fn is_empty(channels: &[Channel], queue: &ShortString) -> Result<bool, QueueError> {
    for channel in channels {
        let Some(depth) = ask_depth(channel, queue.as_str()).await? else {
            let error = BrokerError::NoAnswer {
                what: WHAT,
                seconds: 0,
            };
            return Err(QueueError::of_leader(queue.as_str(), error));
        };
        if depth.ready > 0 || depth.consumers == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn held(mut delivery: Delivery, is_in_window: bool) -> Held {
    let (properties, body) = (take(&mut delivery.properties), take(&mut delivery.data));
    Held {
        message: wire::from_broker(&properties, body),
        receipt: HeldReceipt {
            delivery,
            is_in_window,
        },
    }
}

/// Wide enough for one channel to reach the end, where that is possible.
fn window_for(messages: u32) -> u16 {
    let even_share = messages.div_ceil(u32::from(WINDOWS_PER_CHANNEL));
    u16::try_from(even_share).unwrap_or(u16::MAX).max(LEAST_WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_small_and_wide_enough_for_one_channel() {
        for (messages, window) in [
            (0, 1000),
            (32_000, 1000),
            (32_001, 1001),
            (2_097_120, 65_535),
            (u32::MAX, 65_535),
        ] {
            assert_eq!(window_for(messages), window, "{messages}");
        }
    }
}
