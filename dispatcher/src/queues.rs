//! Step 2: the working queues. Which there are, and how much of each is in hand at once.

use hookline_common::topology::{Namespace, Queue};
use hookline_consume::{Supply, WorkQueue};

/// Bytes in hand of a queue at most. A message takes up to four times its size while it is delivered and recorded, so that
/// all queues together stay below 100 MB beside what the process takes without any.
const WINDOW_BYTES: usize = 5 * 1024 * 1024;

/// Attempts for each processor that begin at once: enough that none stands idle while requests are on their way.
const AT_ONCE: usize = 48;
/// The same of what falls due while fresh ones begin: with 8, a storm of retries showed in the latency of fresh events; with 4
/// hardly.
const DUE_AT_ONCE: usize = 4;

/// A working queue of the dispatcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Working {
    /// Events not yet routed.
    Events,
    /// First attempts.
    Deliveries,
    /// Later attempts, and what was parked.
    Due,
    /// Messages that came back too often, each by itself.
    Quarantine,
}

impl Working {
    /// All of them, in the order of [`Working::index`].
    pub const ALL: [Self; 4] = [Self::Events, Self::Deliveries, Self::Due, Self::Quarantine];

    /// Its place in [`Working::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Events => 0,
            Self::Deliveries => 1,
            Self::Due => 2,
            Self::Quarantine => 3,
        }
    }

    /// The queue.
    #[must_use]
    pub fn queue(self) -> Queue {
        match self {
            Self::Events => Queue::Events,
            Self::Deliveries => Queue::Deliveries,
            Self::Due => Queue::Due,
            Self::Quarantine => Queue::Quarantine,
        }
    }

    /// The name in metrics and logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Deliveries => "deliveries",
            Self::Due => "due",
            Self::Quarantine => "quarantine",
        }
    }

    /// Messages in hand at most, of `prefetch` that the operator allows for each queue that is pushed from.
    #[must_use]
    pub fn window(self, prefetch: u16) -> u16 {
        match self {
            Self::Events | Self::Deliveries | Self::Due => prefetch,
            Self::Quarantine => 1,
        }
    }

    /// Attempts for each processor that begin at once.
    #[must_use]
    pub fn at_once(self) -> usize {
        match self {
            Self::Events | Self::Deliveries | Self::Due => AT_ONCE,
            Self::Quarantine => 1,
        }
    }

    /// The same while fresh ones begin, of what gives way to those. `None` for what is fresh itself.
    #[must_use]
    pub fn at_once_beside_fresh(self) -> Option<usize> {
        match self {
            Self::Events | Self::Deliveries => None,
            Self::Due => Some(DUE_AT_ONCE),
            Self::Quarantine => Some(1),
        }
    }

    /// The queue as it is consumed.
    #[must_use]
    pub fn consumed(self, namespace: &Namespace, prefetch: u16) -> WorkQueue {
        let supply = match self {
            Self::Events | Self::Deliveries | Self::Due => Supply::Pushed {
                messages: self.window(prefetch),
                bytes: WINDOW_BYTES,
            },
            Self::Quarantine => Supply::OneByOne,
        };
        WorkQueue {
            label: self.label(),
            queue: namespace.queue(self.queue()),
            supply,
        }
    }
}
