//! The arguments of the queues, alike on RabbitMQ 3.10 and 4.x. Each is there for a reason that was seen to matter: without
//! `x-overflow=reject-publish` at-least-once dead-lettering silently falls back to at-most-once; without an
//! explicit delivery limit 4.x drops a message at its twentieth return, and `-1` means "never" on 4.x but "at
//! once" on 3.10.

use std::fmt;

use super::names::{Namespace, Queue};

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
pub(super) const MAX_BYTES_ARGUMENT: &str = "x-max-length-bytes";

/// For queues whose messages must survive any number of peeks.
const UNREACHABLE_DELIVERY_LIMIT: i64 = i32::MAX as i64;

/// With how many replicas a quorum queue begins. It says nothing of how many it has now.
pub const QUEUE_REPLICAS: &str = "x-quorum-initial-group-size";
/// The same of a stream.
pub const STREAM_REPLICAS: &str = "x-initial-cluster-size";

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

fn quorum(limit: i64) -> Vec<(&'static str, Argument)> {
    vec![
        ("x-queue-type", Argument::Text("quorum".to_owned())),
        ("x-delivery-limit", Argument::Number(limit)),
    ]
}

/// Messages stay until they are taken out: however often they are looked at, and whatever length a policy allows. At that
/// length publishing is refused; by default the oldest would be dropped.
pub(super) fn keeping() -> Vec<(&'static str, Argument)> {
    let mut arguments = quorum(UNREACHABLE_DELIVERY_LIMIT);
    arguments.push(("x-overflow", Argument::Text("reject-publish".to_owned())));
    arguments
}

/// The arguments of `queue`.
pub(super) fn arguments(namespace: &Namespace, queue: Queue) -> Vec<(&'static str, Argument)> {
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
