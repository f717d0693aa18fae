//! The exchange, the queues and their arguments, as data. `broker/declare.rs` makes them so.
//!
//! The arguments are alike on RabbitMQ 3.10 and 4.x. Each is there for a reason that was seen to matter: without
//! `x-overflow=reject-publish` at-least-once dead-lettering silently falls back to at-most-once; without an
//! explicit delivery limit 4.x drops a message at its twentieth return, and `-1` means "never" on 4.x but "at
//! once" on 3.10.

use std::fmt;

use crate::ids::InvalidId;
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

/// Returns by the broker after which a working queue gives a message up. Far above what crashes, restarts and
/// peeks reach; the dispatcher sets a message aside long before.
const DELIVERY_LIMIT: i64 = 1000;

/// The stream of attempts in bytes at most, where nothing else is said: 10 GB. With seven days alone it would grow with the
/// load: at 5,000 attempts a second to 280 GB on each replica, and a full disk stops every publisher.
pub const ATTEMPTS_MAX_BYTES: u64 = 10_000_000_000;

/// The spill in bytes at most: 1 GB, half an hour at 5,000 attempts a second of 92 bytes each, and six hours at 500. Long
/// enough for somebody to wake, and a tenth of what the stream may take.
const SPILL_MAX_BYTES: i64 = 1_000_000_000;

/// The size of the stream's files. What is too old or too much goes one file at a time.
const SEGMENT_BYTES: i64 = 50_000_000;

/// The bound of a stream or queue in bytes, as the broker calls it.
const MAX_BYTES_ARGUMENT: &str = "x-max-length-bytes";

/// For queues whose messages must survive any number of peeks.
const UNREACHABLE_DELIVERY_LIMIT: i64 = i32::MAX as i64;

/// With how many replicas a quorum queue begins. It says nothing of how many it has now.
pub const QUEUE_REPLICAS: &str = "x-quorum-initial-group-size";
/// The same of a stream.
pub const STREAM_REPLICAS: &str = "x-initial-cluster-size";

/// What every name on the broker starts with: 1–100 characters of `[A-Za-z0-9_.-]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// What a namespace may look like, for messages to people.
    pub const ALLOWED: &str = "1 to 100 characters of A-Z a-z 0-9 _ . -";

    /// Checks `text` and takes it as the namespace.
    ///
    /// # Errors
    /// [`InvalidId`] names what is allowed.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if (1..=100).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId::new("a namespace", Self::ALLOWED))
        }
    }

    /// The topic exchange that producers publish to, with the event type as routing key.
    #[must_use]
    pub fn events_exchange(&self) -> String {
        format!("{}.events", self.0)
    }

    /// The name of `queue` in this namespace.
    #[must_use]
    pub fn queue(&self, queue: Queue) -> String {
        match queue {
            Queue::Events => format!("{}.events", self.0),
            Queue::Deliveries => format!("{}.deliveries", self.0),
            Queue::Due => format!("{}.due", self.0),
            Queue::Retry(delay) => format!("{}.retry.{}s", self.0, delay.as_seconds()),
            Queue::Park(delay) => format!("{}.park.{}s", self.0, delay.as_seconds()),
            Queue::Failed => format!("{}.failed", self.0),
            Queue::Rejected => format!("{}.rejected", self.0),
            Queue::Quarantine => format!("{}.quarantine", self.0),
            Queue::AttemptsSpill => format!("{}.attempts.spill", self.0),
            Queue::Attempts => format!("{}.attempts", self.0),
        }
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("hookline".to_owned())
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A queue, by its purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Events not yet routed to endpoints.
    Events,
    /// First attempts: fan-outs, test events, manual retries.
    Deliveries,
    /// Later attempts: retries and parked deliveries that fell due.
    Due,
    /// Failed deliveries that wait for their next attempt.
    Retry(Delay),
    /// Deliveries set aside because their endpoint is saturated.
    Park(Delay),
    /// The dead-letter queue.
    Failed,
    /// Messages that cannot be understood, or that crashed their consumers.
    Rejected,
    /// Messages that came back unfinished several times: handled one at a time, so that the one that crashes its consumer
    /// is told from its neighbours.
    Quarantine,
    /// Batches of attempt records that the stream did not confirm in time.
    AttemptsSpill,
    /// The stream of attempt records.
    Attempts,
}

/// A value of a queue argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// A queue as it must stand on the broker: durable, neither exclusive nor auto-deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSpec {
    /// Its full name.
    pub name: String,
    /// Its `x-` arguments.
    pub arguments: Vec<(&'static str, Argument)>,
    /// Whether the events exchange is bound to it with `#`.
    pub takes_events: bool,
    /// Arguments in which one that exists already may differ: what they bound can be set by a policy as well.
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
}

impl QueueSpec {
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
                &[MAX_BYTES_ARGUMENT]
            } else {
                &[]
            },
        };
        Self {
            events_exchange: namespace.events_exchange(),
            queues: queues.into_iter().map(spec).collect(),
        }
    }
}

fn quorum(limit: i64) -> Vec<(&'static str, Argument)> {
    vec![
        ("x-queue-type", Argument::Text("quorum".to_owned())),
        ("x-delivery-limit", Argument::Number(limit)),
    ]
}

/// Messages stay until they are taken out: however often they are looked at, and whatever length a policy allows. At that
/// length publishing is refused; by default the oldest would be dropped.
fn keeping() -> Vec<(&'static str, Argument)> {
    let mut arguments = quorum(UNREACHABLE_DELIVERY_LIMIT);
    arguments.push(("x-overflow", Argument::Text("reject-publish".to_owned())));
    arguments
}

fn arguments(namespace: &Namespace, queue: Queue) -> Vec<(&'static str, Argument)> {
    let text = |value: &str| Argument::Text(value.to_owned());
    let dead_letters_to = |target| {
        [
            ("x-dead-letter-exchange", text("")),
            (
                "x-dead-letter-routing-key",
                Argument::Text(namespace.queue(target)),
            ),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ]
    };
    match queue {
        Queue::Events | Queue::Deliveries | Queue::Due | Queue::Quarantine => {
            let mut arguments = quorum(DELIVERY_LIMIT);
            arguments.extend(dead_letters_to(Queue::Rejected));
            arguments
        }
        Queue::Retry(delay) | Queue::Park(delay) => {
            let mut arguments = quorum(UNREACHABLE_DELIVERY_LIMIT);
            let milliseconds = i64::from(delay.as_seconds()) * 1000;
            arguments.push(("x-message-ttl", Argument::Number(milliseconds)));
            arguments.extend(dead_letters_to(Queue::Due));
            arguments
        }
        Queue::Failed | Queue::Rejected => keeping(),
        Queue::AttemptsSpill => {
            let mut arguments = quorum(UNREACHABLE_DELIVERY_LIMIT);
            arguments.push((MAX_BYTES_ARGUMENT, Argument::Number(SPILL_MAX_BYTES)));
            arguments.push(("x-overflow", text("reject-publish")));
            arguments
        }
        Queue::Attempts => vec![
            ("x-queue-type", text("stream")),
            ("x-max-age", text("7D")),
            (
                MAX_BYTES_ARGUMENT,
                Argument::Number(i64::try_from(ATTEMPTS_MAX_BYTES).unwrap_or(i64::MAX)),
            ),
            ("x-stream-max-segment-size-bytes", Argument::Number(SEGMENT_BYTES)),
        ],
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
                        queue.may_differ.len(),
                    )
                })
                .collect::<Vec<_>>()
        };
        let spill = ("hookline.attempts.spill".to_owned(), 1_000_000_000, 0);
        let stream = |bytes| ("hookline.attempts".to_owned(), bytes, 1);
        assert_eq!(bounds(&topology), [spill.clone(), stream(ATTEMPTS_MAX_BYTES)]);
        let topology = topology.with_attempts_max_bytes(7_000_000_000);
        assert_eq!(bounds(&topology), [spill, stream(7_000_000_000)]);
    }

    #[test]
    fn namespaces_are_checked() {
        for good in ["hookline", "a.b-c_D9", &"x".repeat(100)] {
            assert!(Namespace::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ü", &"x".repeat(101)] {
            assert!(Namespace::parse(bad).is_err(), "{bad}");
        }
    }
}
