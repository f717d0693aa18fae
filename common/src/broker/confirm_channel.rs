//! One channel in confirm mode: sends messages, waits for their answers, and knows which were under way together.
//!
//! What the broker refuses closes the channel, and everything that was under way on it ends with the same words. They are
//! about one message: about which is certain only where there was no other.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::time::Instant;

use super::address::Address;
use super::connect::short;
use super::error::BrokerError;
use super::returns::{Original, Returns};
use super::wire;
use crate::failpoint;
use crate::message::Message;

/// A channel in confirm mode.
pub(super) struct ConfirmChannel {
    channel: Channel,
    /// Held while the client library numbers a message and queues its frames. It does both at once for one thread; of two, one
    /// could number first and the other queue first, and each would get the other's answer.
    order: Mutex<()>,
    /// What came back on the connection.
    returns: Returns,
    traffic: Mutex<Traffic>,
    opened_at: Instant,
    /// When a queue last took something from it, in milliseconds from its opening, and one more; 0 where none did.
    stored_at: AtomicU64,
}

/// What the broker said of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// A queue has it.
    Stored,
    /// No queue takes it.
    Unroutable,
    /// A negative confirm: the queue is full, or has no quorum.
    Nacked,
}

/// How sending a message ended.
pub(super) struct Sent {
    pub(super) answer: Result<Answer, BrokerError>,
    /// Whether no other message was under way on the channel from the beginning to the end.
    pub(super) was_alone: bool,
}

impl ConfirmChannel {
    /// Opens one. That takes as long as the connection needs: what was sent before may be a long queue on a slow link.
    pub(super) async fn open(connection: &Connection, returns: &Returns) -> Result<Self, BrokerError> {
        let opened = connection.create_channel().await;
        let channel = opened.map_err(BrokerError::call("opening a channel"))?;
        let selected = channel.confirm_select(ConfirmSelectOptions::default()).await;
        selected.map_err(BrokerError::call("switching to confirms"))?;
        // What came back on one that had the number before.
        returns.forget(channel.id());
        Ok(Self {
            channel,
            order: Mutex::default(),
            returns: returns.clone(),
            traffic: Mutex::default(),
            opened_at: Instant::now(),
            stored_at: AtomicU64::new(0),
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.channel.status().connected()
    }

    /// Whether a queue has taken anything from it.
    pub(super) fn has_stored(&self) -> bool {
        self.stored_at.load(Ordering::Relaxed) > 0
    }

    /// For how long no queue has taken anything from it: since its opening, where none ever did.
    pub(super) fn stores_nothing_for(&self) -> Duration {
        let stored_at = Duration::from_millis(self.stored_at.load(Ordering::Relaxed));
        self.opened_at.elapsed().saturating_sub(stored_at)
    }

    /// Publishes a message and waits for the broker's answer, however long it takes.
    #[expect(clippy::disallowed_methods, reason = "this is where the Publisher publishes")]
    pub(super) async fn send(&self, to: &Address, message: &Message) -> Sent {
        let under_way = UnderWay::on(self);
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let properties = wire::to_properties(message);
        let mut publishing = pin!(self.channel.basic_publish(
            short(&to.exchange),
            short(&to.routing_key),
            options,
            &message.body,
            properties.clone(),
        ));
        let queued = poll_fn(|context| {
            let _in_order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
            publishing.as_mut().poll(context)
        });
        let confirmed = async {
            let confirm = queued.await?;
            failpoint::reached("sent", to.destination());
            confirm.await
        };
        let confirmed = confirmed.await.map_err(BrokerError::call("publishing"));
        let original = Original {
            properties: &properties,
            body_bytes: message.body.len() as u64,
        };
        let came_back = || self.returns.take(self.channel.id(), to, &original);
        let answer = confirmed.and_then(|confirmation| match confirmation {
            // Which message it was that came back is not what the client library says.
            Confirmation::Ack(_) if came_back() => Ok(Answer::Unroutable),
            Confirmation::Ack(_) => Ok(Answer::Stored),
            Confirmation::Nack(_) => Ok(Answer::Nacked),
            // The channel was put into confirm mode before anyone could publish on it.
            Confirmation::NotRequested => Err(BrokerError::Lost {
                what: "confirming",
                why: "the channel does not confirm".to_owned(),
            }),
        });
        if matches!(answer, Ok(Answer::Stored)) {
            let age = u64::try_from(self.opened_at.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
            self.stored_at.store(age + 1, Ordering::Relaxed);
            failpoint::reached("stored", to.destination());
        }
        Sent {
            answer,
            was_alone: under_way.ended(),
        }
    }

    fn traffic<T>(&self, change: impl FnOnce(&mut Traffic) -> T) -> T {
        // Nothing in there can be left half done.
        change(&mut self.traffic.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is under way on a channel. Pure.
#[derive(Debug, Default)]
struct Traffic {
    /// Messages begun so far.
    begun: u64,
    /// Of these, the ones that have no answer.
    unanswered: u64,
    /// Of these, the ones that somebody waits for.
    waited_for: u64,
}

/// A message's place in the traffic.
#[derive(Debug, Clone, Copy)]
struct Place {
    number: u64,
    began_alone: bool,
}

impl Traffic {
    fn begin(&mut self) -> Place {
        self.begun += 1;
        self.unanswered += 1;
        self.waited_for += 1;
        Place {
            number: self.begun,
            began_alone: self.unanswered == 1,
        }
    }

    /// A message has its answer: whether it was alone all the while. One that nobody waits for any more never has one, so
    /// that none after it on the same channel is taken for the only one.
    fn answered(&mut self, place: Place) -> bool {
        self.unanswered -= 1;
        place.began_alone && place.number == self.begun
    }

    /// Nobody waits for a message any more, whether it has its answer or not.
    fn left(&mut self) {
        self.waited_for -= 1;
    }
}

/// A message that is under way.
struct UnderWay<'a> {
    channel: &'a ConfirmChannel,
    place: Place,
}

impl<'a> UnderWay<'a> {
    fn on(channel: &'a ConfirmChannel) -> Self {
        let place = channel.traffic(|traffic| {
            // What lies there then is nobody's. While this is held nobody begins.
            if traffic.waited_for == 0 {
                channel.returns.forget(channel.channel.id());
            }
            traffic.begin()
        });
        Self { channel, place }
    }

    fn ended(self) -> bool {
        self.channel.traffic(|traffic| traffic.answered(self.place))
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.channel.traffic(Traffic::left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_alone_if_no_other_was_under_way_with_it() {
        let mut traffic = Traffic::default();
        let (first, second) = (traffic.begin(), traffic.begin());
        assert!(!traffic.answered(first), "another began behind it");
        assert!(!traffic.answered(second), "another was there before it");
        let third = traffic.begin();
        assert!(traffic.answered(third));
    }

    #[test]
    fn one_that_nobody_waits_for_is_under_way_for_ever() {
        let mut traffic = Traffic::default();
        let _dropped = traffic.begin();
        let next = traffic.begin();
        assert!(!traffic.answered(next));
        let another = traffic.begin();
        assert!(!traffic.answered(another));
    }
}
