//! How much a relay takes at once, and how long it waits.

use std::time::Duration;

/// What a [`Relay`](super::Relay) may be told. The defaults suit a service with few and with many events.
#[derive(Debug, Clone)]
pub struct RelaySettings {
    pub(super) batch: u32,
    pub(super) per_company: u32,
    pub(super) window: usize,
    pub(super) poll: Duration,
}

impl RelaySettings {
    /// Events that a relay has in hand: what a crash may repeat at most. Half a thousand keeps the broker busy, and is 50 MB
    /// where all of them are of the largest size.
    pub const DEFAULT_BATCH: u32 = 500;
    /// Events of one company in a batch. As they go one after the other, others wait no longer for them than a tenth of a second
    /// or so.
    pub const DEFAULT_PER_COMPANY: u32 = 100;
    /// Looks at the table that nobody asked for: what a lost notification costs.
    pub const DEFAULT_POLL: Duration = Duration::from_secs(1);

    /// Events in hand at once, 1 to 10,000. At most so many are published twice when the relay is killed.
    #[must_use]
    pub fn with_batch(mut self, events: u32) -> Self {
        self.batch = events.clamp(1, 10_000);
        self
    }

    /// Events of one company in a batch, at least 1.
    #[must_use]
    pub fn with_per_company(mut self, events: u32) -> Self {
        self.per_company = events.max(1);
        self
    }

    /// Events of one company that wait for the broker's answer at once, at least 1. More than one is faster where few companies
    /// have many events; they are still sent in their order, but where the broker refuses one of them or a connection breaks,
    /// those behind it may be stored before it. 1 by default.
    #[must_use]
    pub fn with_window(mut self, events: usize) -> Self {
        self.window = events.max(1);
        self
    }

    /// How often it is looked whether there is something to do, though nobody has said so. From 10 ms to a day.
    #[must_use]
    pub fn with_poll(mut self, every: Duration) -> Self {
        self.poll = every.clamp(Duration::from_millis(10), Duration::from_secs(24 * 3600));
        self
    }
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            batch: Self::DEFAULT_BATCH,
            per_company: Self::DEFAULT_PER_COMPANY,
            window: 1,
            poll: Self::DEFAULT_POLL,
        }
    }
}
