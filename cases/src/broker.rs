//! A model of RabbitMQ's quorum queues, as far as Hookline relies on them: what is ready and what is given out, counts of returns,
//! delays by time to live, full queues that refuse, and dead letters at the limit of deliveries. Pure: time is a parameter.
//!
//! It is held against the real broker by the scenario `broker_model` (crate `hookline-tests`).

use std::collections::{BTreeMap, VecDeque};

/// After so long the broker tries again to move what its target did not take, in milliseconds: as the services here are set up.
const MOVES_AGAIN_AFTER: u64 = 5_000;

/// The arguments of a queue.
#[derive(Debug, Clone, Default)]
pub struct QueueArguments {
    /// Milliseconds after which a message moves on.
    pub ttl: Option<u64>,
    /// The queue that a message moves to: when its time is over, or when it came back too often.
    pub dead_letters_to: Option<String>,
    /// Messages at most; more are refused.
    pub max_length: Option<usize>,
    /// Returns at most; with one more a message moves on.
    pub delivery_limit: Option<u32>,
}

/// What became of a message that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// A queue holds it.
    Stored,
    /// The queue is full.
    Refused,
    /// There is no such queue.
    Unroutable,
}

/// A message as it is given to a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<M> {
    /// What acknowledges it on its channel.
    pub tag: u64,
    /// How often it came back.
    pub returned: u32,
    /// Whether it was given to somebody before.
    pub redelivered: bool,
    /// The message itself.
    pub message: M,
}

/// An acknowledgement of what the channel does not hold, for which the broker closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownTag(pub u64);

/// The broker.
#[derive(Debug)]
pub struct Broker<M> {
    queues: BTreeMap<String, Queue<M>>,
    channels: BTreeMap<u64, Channel<M>>,
    next_channel: u64,
    next_position: u64,
}

#[derive(Debug)]
struct Queue<M> {
    arguments: QueueArguments,
    ready: VecDeque<Stored<M>>,
}

#[derive(Debug)]
struct Stored<M> {
    /// Where it stands among all, so that what comes back stands where it stood.
    position: u64,
    returned: u32,
    redelivered: bool,
    /// When it moves on.
    due: Option<u64>,
    message: M,
}

#[derive(Debug)]
struct Channel<M> {
    queue: String,
    prefetch: usize,
    next_tag: u64,
    given: BTreeMap<u64, Stored<M>>,
}

impl<M> Default for Broker<M> {
    fn default() -> Self {
        Self {
            queues: BTreeMap::new(),
            channels: BTreeMap::new(),
            next_channel: 0,
            next_position: 0,
        }
    }
}

impl<M: Clone> Broker<M> {
    /// Makes a queue, where there is none of the name.
    pub fn declare(&mut self, name: &str, arguments: QueueArguments) {
        self.queues.entry(name.to_owned()).or_insert(Queue {
            arguments,
            ready: VecDeque::new(),
        });
    }

    /// Publishes a message to a queue, as at `now`.
    pub fn publish(&mut self, queue: &str, message: M, now: u64) -> Published {
        let Some(stored) = self.queues.get(queue) else {
            return Published::Unroutable;
        };
        if let Some(max) = stored.arguments.max_length
            && self.depth(queue) >= max
        {
            return Published::Refused;
        }
        let due = stored.arguments.ttl.map(|ttl| now + ttl);
        self.next_position += 1;
        let stored = Stored {
            position: self.next_position,
            returned: 0,
            redelivered: false,
            due,
            message,
        };
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.ready.push_back(stored);
        }
        Published::Stored
    }

    /// Opens a channel that consumes a queue, so many unacknowledged at most.
    pub fn consume(&mut self, queue: &str, prefetch: usize) -> u64 {
        self.next_channel += 1;
        let channel = Channel {
            queue: queue.to_owned(),
            prefetch,
            next_tag: 0,
            given: BTreeMap::new(),
        };
        self.channels.insert(self.next_channel, channel);
        self.next_channel
    }

    /// Cancels a channel's consumer: it gets nothing more, and keeps what it holds.
    pub fn cancel(&mut self, channel: u64) {
        if let Some(channel) = self.channels.get_mut(&channel) {
            channel.prefetch = 0;
        }
    }

    /// The next message for a channel, if there is one and the channel may have it.
    pub fn give(&mut self, channel: u64) -> Option<Given<M>> {
        let channel = self.channels.get_mut(&channel)?;
        if channel.given.len() >= channel.prefetch {
            return None;
        }
        let stored = self.queues.get_mut(&channel.queue)?.ready.pop_front()?;
        channel.next_tag += 1;
        let given = Given {
            tag: channel.next_tag,
            returned: stored.returned,
            redelivered: stored.redelivered,
            message: stored.message.clone(),
        };
        channel.given.insert(channel.next_tag, stored);
        Some(given)
    }

    /// Acknowledges a message, or with `multiple` all up to it.
    ///
    /// # Errors
    /// [`UnknownTag`] where the channel does not hold it.
    pub fn ack(&mut self, channel: u64, tag: u64, multiple: bool) -> Result<(), UnknownTag> {
        let given = self.channels.get_mut(&channel).map(|channel| &mut channel.given);
        let given = given
            .filter(|given| given.contains_key(&tag))
            .ok_or(UnknownTag(tag))?;
        if multiple {
            *given = given.split_off(&(tag + 1));
        } else {
            given.remove(&tag);
        }
        Ok(())
    }

    /// Gives a message back to its queue.
    ///
    /// # Errors
    /// [`UnknownTag`] where the channel does not hold it.
    pub fn give_back(&mut self, channel: u64, tag: u64, now: u64) -> Result<(), UnknownTag> {
        let channel = self.channels.get_mut(&channel).ok_or(UnknownTag(tag))?;
        let stored = channel.given.remove(&tag).ok_or(UnknownTag(tag))?;
        let queue = channel.queue.clone();
        self.return_to(&queue, stored, now);
        Ok(())
    }

    /// Closes a channel: what it holds comes back, in the order in which it stood. The connection that dies does the same.
    pub fn close(&mut self, channel: u64, now: u64) {
        if let Some(channel) = self.channels.remove(&channel) {
            for stored in channel.given.into_values() {
                self.return_to(&channel.queue, stored, now);
            }
        }
    }

    fn return_to(&mut self, name: &str, mut stored: Stored<M>, now: u64) {
        stored.returned += 1;
        stored.redelivered = true;
        let Some(queue) = self.queues.get_mut(name) else {
            return;
        };
        let is_too_often = queue
            .arguments
            .delivery_limit
            .is_some_and(|limit| stored.returned > limit);
        if is_too_often {
            let target = queue.arguments.dead_letters_to.clone();
            // Without a target it is dropped, as the real one does.
            if let Some(target) = target
                && self.publish(&target, stored.message.clone(), now) != Published::Stored
            {
                stored.due = Some(now + MOVES_AGAIN_AFTER);
                self.insert(name, stored);
            }
        } else {
            self.insert(name, stored);
        }
    }

    fn insert(&mut self, name: &str, stored: Stored<M>) {
        if let Some(queue) = self.queues.get_mut(name) {
            let place = queue
                .ready
                .partition_point(|other| other.position < stored.position);
            queue.ready.insert(place, stored);
        }
    }

    /// Moves on what is due by now. What its target does not take waits there, and nothing of it is lost.
    pub fn tick(&mut self, now: u64) {
        let names: Vec<String> = self.queues.keys().cloned().collect();
        for name in names {
            while let Some((target, mut stored)) = self.take_due(&name, now) {
                if self.publish(&target, stored.message.clone(), now) != Published::Stored {
                    stored.due = Some(now + MOVES_AGAIN_AFTER);
                    self.insert(&name, stored);
                    break;
                }
            }
        }
    }

    /// What stands first, if it is due: what stands behind it waits for it, as with the real one.
    fn take_due(&mut self, name: &str, now: u64) -> Option<(String, Stored<M>)> {
        let queue = self.queues.get_mut(name)?;
        let target = queue.arguments.dead_letters_to.clone()?;
        let first = queue.ready.front()?;
        let is_due = first.due.is_some_and(|due| due <= now);
        is_due
            .then(|| queue.ready.pop_front())?
            .map(|stored| (target, stored))
    }

    /// When [`Self::tick`] has something to do next.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        let fronts = self.queues.values().filter_map(|queue| queue.ready.front());
        fronts.filter_map(|stored| stored.due).min()
    }

    /// Messages of a queue, given out or not.
    #[must_use]
    pub fn depth(&self, queue: &str) -> usize {
        let ready = self.queues.get(queue).map_or(0, |queue| queue.ready.len());
        let channels = self.channels.values().filter(|channel| channel.queue == queue);
        ready + channels.map(|channel| channel.given.len()).sum::<usize>()
    }

    /// Messages of a queue that are given to nobody.
    #[must_use]
    pub fn ready(&self, queue: &str) -> Vec<&M> {
        let queue = self.queues.get(queue);
        queue.map_or_else(Vec::new, |queue| {
            queue.ready.iter().map(|stored| &stored.message).collect()
        })
    }

    /// Messages that a channel holds unacknowledged, in the order in which it was given them.
    #[must_use]
    pub fn held(&self, channel: u64) -> Vec<&M> {
        let channel = self.channels.get(&channel);
        channel.map_or_else(Vec::new, |channel| {
            channel.given.values().map(|stored| &stored.message).collect()
        })
    }

    /// How many consumers a queue has.
    #[must_use]
    pub fn consumers(&self, queue: &str) -> usize {
        self.channels
            .values()
            .filter(|channel| channel.queue == queue && channel.prefetch > 0)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_stands_where_it_stood_and_is_counted_until_its_limit() {
        let mut broker = Broker::default();
        let arguments = QueueArguments {
            delivery_limit: Some(1),
            dead_letters_to: Some("dead".to_owned()),
            ..QueueArguments::default()
        };
        broker.declare("q", arguments);
        broker.declare("dead", QueueArguments::default());
        for number in 0..3 {
            assert_eq!(broker.publish("q", number, 0), Published::Stored);
        }
        for returned in 0..2 {
            let channel = broker.consume("q", 2);
            let given: Vec<_> = (0..3).filter_map(|_| broker.give(channel)).collect();
            let seen: Vec<_> = given
                .iter()
                .map(|given| (given.message, given.returned))
                .collect();
            assert_eq!(seen, [(0, returned), (1, returned)]);
            broker.close(channel, 0);
        }
        assert_eq!(
            (broker.ready("q"), broker.ready("dead")),
            (vec![&2], vec![&0, &1])
        );
        assert_eq!(broker.ack(9, 1, false), Err(UnknownTag(1)));
    }

    #[test]
    fn a_delay_moves_messages_on_and_holds_them_while_nobody_takes_them() {
        let mut broker = Broker::default();
        let arguments = QueueArguments {
            ttl: Some(10),
            dead_letters_to: Some("due".to_owned()),
            ..QueueArguments::default()
        };
        broker.declare("retry", arguments);
        broker.publish("retry", 1, 5);
        broker.tick(14);
        assert_eq!((broker.depth("retry"), broker.next_due()), (1, Some(15)));
        broker.tick(15);
        assert_eq!(broker.depth("retry"), 1, "its target is missing");
        broker.declare(
            "due",
            QueueArguments {
                max_length: Some(1),
                ..QueueArguments::default()
            },
        );
        broker.tick(15 + MOVES_AGAIN_AFTER);
        assert_eq!((broker.depth("retry"), broker.ready("due")), (0, vec![&1]));
        assert_eq!(broker.publish("due", 2, 0), Published::Refused);
        assert_eq!(broker.publish("nowhere", 2, 0), Published::Unroutable);
    }
}
