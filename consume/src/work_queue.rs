//! One working queue: what it is called, and how much of it is in hand at once.

/// A queue whose messages are worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkQueue {
    /// The name in metrics and logs: `events`.
    pub label: &'static str,
    /// The full name on the broker: `hookline.events`.
    pub queue: String,
    /// How its messages come.
    pub supply: Supply,
}

/// How a queue's messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// The broker pushes them, so many unacknowledged at most.
    Pushed {
        /// Messages in hand at most.
        messages: u16,
        /// Bytes in hand at most, as near as a window in messages can come to it. A single message may have more.
        bytes: usize,
    },
    /// Each is asked for when the one before it was taken care of.
    OneByOne,
}
