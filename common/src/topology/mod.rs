//! The exchange, the queues and what they are made with, as data. `broker/declare.rs` makes them so.

mod names; // what everything is called
mod arguments; // and made with

pub use self::arguments::{ATTEMPTS_MAX_BYTES, Argument, QUEUE_REPLICAS, STREAM_REPLICAS};
use self::arguments::{MAX_BYTES_ARGUMENT, arguments, keeping};
pub use self::names::{Namespace, Queue};
use crate::schedule::{Delay, RetrySchedule};

/// How long deliveries are parked. Each step is about twice the one before, so that a delivery whose turn comes in a known
/// time is back before it and has waited at least half of that on the broker. The shortest is about what a full
/// window serves meanwhile; the longest is for mountains that nobody takes.
pub const PARK_DELAYS: [Delay; 7] = [
    Delay::from_seconds(1),
    Delay::from_seconds(2),
    Delay::from_seconds(4),
    Delay::from_seconds(8),
    Delay::from_seconds(15),
    Delay::from_seconds(30),
    Delay::from_seconds(60),
];

/// A queue as it must stand on the broker: durable, neither exclusive nor auto-deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSpec {
    /// Its full name.
    pub name: String,
    /// Its `x-` arguments.
    pub arguments: Vec<(&'static str, Argument)>,
    /// Whether the events exchange is bound to it with `#`.
    pub takes_events: bool,
    /// Arguments in which one that exists already may differ: what they bound can be set by a policy as well, or they say only
    /// how it began.
    pub may_differ: &'static [&'static str],
}

impl QueueSpec {
    /// Its bound in bytes, if it has one.
    #[must_use]
    pub fn max_bytes(&self) -> Option<u64> {
        let bound = self
            .arguments
            .iter()
            .find(|(name, _)| *name == MAX_BYTES_ARGUMENT);
        match bound?.1 {
            Argument::Number(bytes) => u64::try_from(bytes).ok(),
            Argument::Text(_) => None,
        }
    }

    /// Whether it is a stream: a log, whose messages nobody takes out.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        let stream = Argument::Text("stream".to_owned());
        self.arguments.contains(&("x-queue-type", stream))
    }

    /// Whether its messages leave it by expiring.
    #[must_use]
    pub fn lets_expire(&self) -> bool {
        self.arguments.iter().any(|(name, _)| *name == "x-message-ttl")
    }

    /// What keeps its messages while it is migrated: a queue of a known name, in which they stay until they are taken out.
    #[must_use]
    pub fn temporary(&self) -> Self {
        let mut temporary = self.clone();
        temporary.name = format!("{}.migrating", self.name);
        temporary.arguments = keeping();
        temporary.takes_events = false;
        temporary
    }
}

/// What must stand on the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The durable topic exchange for events.
    pub events_exchange: String,
    /// The queues, in an order in which each one's dead-letter target comes before it.
    pub queues: Vec<QueueSpec>,
}

impl Topology {
    /// Everything: what a dispatcher declares.
    #[must_use]
    pub fn whole(namespace: &Namespace, schedule: &RetrySchedule) -> Self {
        let retries = schedule.distinct_delays().into_iter().map(Queue::Retry);
        let parks = PARK_DELAYS.into_iter().map(Queue::Park);
        let fixed = [
            Queue::Rejected,
            Queue::Failed,
            Queue::Events,
            Queue::Deliveries,
            Queue::Due,
            Queue::Quarantine,
        ];
        let queues = fixed
            .into_iter()
            .chain(retries)
            .chain(parks)
            .chain([Queue::AttemptsSpill, Queue::Attempts]);
        Self::of(namespace, queues)
    }

    /// The same with a stream of attempts of `bytes` at most.
    #[must_use]
    pub fn with_attempts_max_bytes(mut self, bytes: u64) -> Self {
        let streams = self.queues.iter_mut().filter(|spec| spec.is_stream());
        for (name, value) in streams.flat_map(|spec| &mut spec.arguments) {
            if *name == MAX_BYTES_ARGUMENT {
                *value = Argument::Number(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
        }
        self
    }

    /// What publishing needs: the exchange, the queue behind it, and the queue behind that.
    #[must_use]
    pub fn for_publishing(namespace: &Namespace) -> Self {
        Self::of(namespace, [Queue::Rejected, Queue::Events])
    }

    /// The same for a console, which also publishes first attempts of its own making: test events.
    #[must_use]
    pub fn for_console(namespace: &Namespace) -> Self {
        Self::of(
            namespace,
            [Queue::Rejected, Queue::Events, Queue::Deliveries, Queue::Failed],
        )
    }

    /// The same with so many replicas of each queue and of the stream, where they are declared anew on a cluster of as many
    /// nodes. Those that exist keep what they have.
    #[must_use]
    pub fn with_replicas(mut self, replicas: u8) -> Self {
        for spec in &mut self.queues {
            let argument = if spec.is_stream() {
                STREAM_REPLICAS
            } else {
                QUEUE_REPLICAS
            };
            spec.arguments
                .push((argument, Argument::Number(i64::from(replicas))));
        }
        self
    }

    fn of(namespace: &Namespace, queues: impl IntoIterator<Item = Queue>) -> Self {
        let spec = |queue| QueueSpec {
            name: namespace.queue(queue),
            arguments: arguments(namespace, queue),
            takes_events: queue == Queue::Events,
            may_differ: if queue == Queue::Attempts {
                &[MAX_BYTES_ARGUMENT, STREAM_REPLICAS]
            } else {
                &[QUEUE_REPLICAS]
            },
        };
        Self {
            events_exchange: namespace.events_exchange(),
            queues: queues.into_iter().map(spec).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(topology: &Topology) -> Vec<&str> {
        topology.queues.iter().map(|queue| queue.name.as_str()).collect()
    }

    #[test]
    fn the_default_schedule_has_one_queue_for_each_delay() {
        let topology = Topology::whole(&Namespace::default(), &RetrySchedule::default());
        assert_eq!(topology.events_exchange, "hookline.events");
        assert_eq!(
            names(&topology),
            [
                "hookline.rejected",
                "hookline.failed",
                "hookline.events",
                "hookline.deliveries",
                "hookline.due",
                "hookline.quarantine",
                "hookline.retry.60s",
                "hookline.retry.300s",
                "hookline.retry.1800s",
                "hookline.park.1s",
                "hookline.park.2s",
                "hookline.park.4s",
                "hookline.park.8s",
                "hookline.park.15s",
                "hookline.park.30s",
                "hookline.park.60s",
                "hookline.attempts.spill",
                "hookline.attempts",
            ]
        );
    }

    #[test]
    fn no_queue_drops_what_it_gives_up() {
        let topology = Topology::whole(&Namespace::default(), &RetrySchedule::default());
        for queue in &topology.queues {
            let argument = |name| {
                queue
                    .arguments
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| value.to_string())
            };
            if queue.is_stream() {
                continue;
            }
            if queue.max_bytes().is_some() {
                assert_eq!(argument("x-overflow").as_deref(), Some("reject-publish"));
            }
            assert!(argument("x-delivery-limit").is_some(), "{}", queue.name);
            assert_eq!(
                argument("x-overflow").as_deref(),
                Some("reject-publish"),
                "{}",
                queue.name
            );
            if let Some(target) = argument("x-dead-letter-routing-key") {
                assert_eq!(
                    argument("x-dead-letter-strategy").as_deref(),
                    Some("at-least-once"),
                    "{}",
                    queue.name
                );
                let position = |name: &str| names(&topology).iter().position(|other| *other == name).unwrap();
                assert!(
                    target.ends_with(".due") || position(&target) < position(&queue.name),
                    "{}",
                    queue.name
                );
            }
        }
    }

    #[test]
    fn what_keeps_messages_meanwhile_neither_loses_nor_moves_them() {
        let topology = Topology::whole(&Namespace::default(), &RetrySchedule::default());
        for spec in &topology.queues {
            let temporary = spec.temporary();
            assert_eq!(temporary.name, format!("{}.migrating", spec.name));
            assert!(!temporary.lets_expire() && !temporary.takes_events);
            let names: Vec<_> = temporary.arguments.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["x-queue-type", "x-delivery-limit", "x-overflow"]);
        }
    }

    #[test]
    fn replicas_are_asked_for_in_the_way_of_each_type() {
        let topology = Topology::whole(&Namespace::default(), &RetrySchedule::default()).with_replicas(3);
        for spec in &topology.queues {
            let wanted = if spec.is_stream() {
                STREAM_REPLICAS
            } else {
                QUEUE_REPLICAS
            };
            assert!(
                spec.arguments.contains(&(wanted, Argument::Number(3))),
                "{}",
                spec.name
            );
        }
    }

    #[test]
    fn the_stream_alone_is_bounded_as_asked_for_and_may_stand_otherwise() {
        let topology = Topology::whole(&Namespace::default(), &RetrySchedule::default());
        let bounds = |topology: &Topology| {
            let bounded = topology.queues.iter().filter(|queue| queue.max_bytes().is_some());
            bounded
                .map(|queue| {
                    (
                        queue.name.clone(),
                        queue.max_bytes().unwrap(),
                        queue.may_differ.contains(&MAX_BYTES_ARGUMENT),
                    )
                })
                .collect::<Vec<_>>()
        };
        let spill = ("hookline.attempts.spill".to_owned(), 1_000_000_000, false);
        let stream = |bytes| ("hookline.attempts".to_owned(), bytes, true);
        assert_eq!(bounds(&topology), [spill.clone(), stream(ATTEMPTS_MAX_BYTES)]);
        let topology = topology.with_attempts_max_bytes(7_000_000_000);
        assert_eq!(bounds(&topology), [spill, stream(7_000_000_000)]);
    }
}
