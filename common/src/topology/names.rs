//! What everything on the broker is called.

use std::fmt;

use crate::ids::InvalidId;
use crate::schedule::Delay;

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

#[cfg(test)]
mod tests {
    use super::*;

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
