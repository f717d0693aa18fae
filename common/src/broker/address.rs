//! Where a message is published to.

use crate::topology::{Namespace, Queue};

/// Where a message is published to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) exchange: String,
    pub(super) routing_key: String,
}

impl Address {
    /// The events exchange, routed by event type.
    #[must_use]
    pub fn events(namespace: &Namespace, event_type: &str) -> Self {
        Self {
            exchange: namespace.events_exchange(),
            routing_key: event_type.to_owned(),
        }
    }

    /// One queue, by the default exchange.
    #[must_use]
    pub fn queue(namespace: &Namespace, queue: Queue) -> Self {
        Self {
            exchange: String::new(),
            routing_key: namespace.queue(queue),
        }
    }

    /// What the broker's answer depends on, in one name: the queue, or the exchange that leads to queues.
    #[must_use]
    pub fn destination(&self) -> &str {
        if self.exchange.is_empty() {
            &self.routing_key
        } else {
            &self.exchange
        }
    }
}
