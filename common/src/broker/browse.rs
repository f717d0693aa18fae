//! Looking through a queue from its head, and taking single messages out of it: for people who look after it.
//!
//! What is read is held and not taken. When the connection ends, however it ends, all of it goes back to where it was,
//! except for what was acknowledged.
//!
//! A queue of any depth is read in windows: a client that asked for all of it at once would have to hold it all. Each
//! window is a consumer of its own, all of them on one channel, because a quorum queue gives back what the consumers of
//! one channel hold in one step and in the order of their tags. With a channel for each, a killed program was seen to leave
//! the windows shuffled; and so were more than 32 consumers, whose order the broker no longer keeps.

use std::mem::take;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::SelectAll;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection};
use tokio::time::{Instant, sleep, timeout};

use super::declare::{QueueDepth, depth_on};
use super::error::BrokerError;
use super::link::{LinkSettings, in_time, open, open_channel};
use super::wire::Message;

/// So many consumers of one channel are given back in order.
const WINDOWS_PER_CHANNEL: u16 = 32;
/// Few enough to be held in memory even if all are as long as they may be (100 MB).
const LEAST_WINDOW: u16 = 1000;
/// How long another consumer may take to hang up: perhaps somebody has just looked.
const HANGING_UP: Duration = Duration::from_secs(1);
/// After so long without a message the broker is asked whether there is any left.
const QUIET: Duration = Duration::from_millis(300);
/// So often in a row, before a queue that has messages and hands out none is given up.
const QUIET_ROUNDS: u32 = 30;
const WHAT: &str = "reading the queue";

/// Reads a queue from its head, as far as it went when it was opened, over a connection of its own.
pub struct Browser {
    connection: Connection,
    queue: ShortString,
    depth: QueueDepth,
    /// Messages still to read.
    left: u32,
    /// How many messages one consumer holds at most.
    window: u16,
    windows: u16,
    channels: Vec<Channel>,
    consumers: SelectAll<lapin::Consumer>,
    /// Messages read and not acknowledged.
    held: u64,
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
pub struct HeldReceipt(Delivery);

impl Browser {
    /// Connects, once, and looks how many messages wait in `queue`; `None` where there is no such queue.
    ///
    /// Others who consume it are given a moment to go, for what they hold cannot be seen.
    ///
    /// # Errors
    /// [`BrokerError`] when the broker cannot be reached or asked.
    pub async fn open(settings: &LinkSettings, queue: &str) -> Result<Option<Self>, BrokerError> {
        let connection = open(settings).await?;
        let since = Instant::now();
        let depth = loop {
            match depth_on(&connection, queue).await? {
                None => return Ok(None),
                Some(depth) if depth.consumers == 0 || since.elapsed() >= HANGING_UP => break depth,
                Some(_) => sleep(Duration::from_millis(50)).await,
            }
        };
        Ok(Some(Self {
            connection,
            queue: ShortString::try_new(queue).unwrap_or_default(),
            depth,
            left: depth.ready,
            window: window_for(depth.ready),
            windows: 0,
            channels: Vec::new(),
            consumers: SelectAll::new(),
            held: 0,
        }))
    }

    /// What the queue held, and who else read it, when it was opened.
    #[must_use]
    pub fn depth(&self) -> QueueDepth {
        self.depth
    }

    /// Whether the next message needs a further window, for none of those held so far will be acknowledged. Settle first
    /// what is on its way: what an older window takes up later is given back before a newer one's.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held >= u64::from(self.window) * u64::from(self.windows)
    }

    /// The next message; `None` after as many as there were at the start, or when others have taken the rest.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection or the queue is gone, or the broker hands out nothing of what it has.
    pub async fn next(&mut self) -> Result<Option<Held>, BrokerError> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.is_full() {
            self.widen().await?;
        }
        let mut was_empty = false;
        for _ in 0..QUIET_ROUNDS {
            match timeout(QUIET, self.consumers.next()).await {
                Ok(Some(Ok(delivery))) => return Ok(Some(self.hold(delivery))),
                Ok(Some(Err(error))) => return Err(BrokerError::call(WHAT)(error)),
                Ok(None) => return Err(no_answer(0)),
                Err(_) => {
                    let is_empty = self.is_empty().await?;
                    // Twice, because the last message can be on its way to us while the queue is empty already.
                    if is_empty && was_empty {
                        self.left = 0;
                        return Ok(None);
                    }
                    was_empty = is_empty;
                }
            }
        }
        Err(no_answer(
            u64::from(QUIET_ROUNDS) * QUIET.as_millis() as u64 / 1000,
        ))
    }

    async fn is_empty(&self) -> Result<bool, BrokerError> {
        let depth = depth_on(&self.connection, self.queue.as_str()).await?;
        Ok(depth.is_none_or(|depth| depth.ready == 0))
    }

    fn hold(&mut self, mut delivery: Delivery) -> Held {
        self.left -= 1;
        self.held += 1;
        let (properties, body) = (take(&mut delivery.properties), take(&mut delivery.data));
        Held {
            message: Message::from_broker(&properties, body),
            receipt: HeldReceipt(delivery),
        }
    }

    /// Takes up the queue once more, for the messages behind those that are held.
    async fn widen(&mut self) -> Result<(), BrokerError> {
        if self.windows.is_multiple_of(WINDOWS_PER_CHANNEL) {
            self.channels.push(open_channel(&self.connection).await?);
        }
        let Some(channel) = self.channels.last() else {
            return Ok(());
        };
        in_time(
            "setting the prefetch",
            channel.basic_qos(self.window, BasicQosOptions::default()),
        )
        .await?;
        let tag = ShortString::try_new(format!("window-{:05}", self.windows)).unwrap_or_default();
        let options = BasicConsumeOptions::default();
        let consume = channel.basic_consume(self.queue.clone(), tag, options, FieldTable::default());
        self.consumers.push(in_time("consuming", consume).await?);
        self.windows += 1;
        Ok(())
    }

    /// Takes one message out of the queue.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection is gone: the message is in the queue again.
    pub async fn ack(&mut self, receipt: HeldReceipt) -> Result<(), BrokerError> {
        const WHAT: &str = "acknowledging";
        // False where the channel is closed, and with it all that it held given back.
        if !in_time(WHAT, receipt.0.acker.ack(BasicAckOptions::default())).await? {
            return Err(BrokerError::NoAnswer {
                what: WHAT,
                seconds: 0,
            });
        }
        self.held = self.held.saturating_sub(1);
        Ok(())
    }

    /// Gives back what is held, and returns when the broker has seen every acknowledgement.
    ///
    /// # Errors
    /// [`BrokerError`] when it did not say so: what was acknowledged may be in the queue again.
    pub async fn close(self) -> Result<(), BrokerError> {
        for channel in &self.channels {
            in_time("closing a channel", channel.close(200, "done".into())).await?;
        }
        in_time(
            "closing the connection",
            self.connection.close(200, "done".into()),
        )
        .await
    }
}

fn no_answer(seconds: u64) -> BrokerError {
    BrokerError::NoAnswer { what: WHAT, seconds }
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
