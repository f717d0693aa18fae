//! What the commands of the topology tell of, besides what AMQP finds.

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Which queue; empty where it is about all of them.
    pub(super) queue: String,
    /// Its kind, in one word.
    pub(super) problem: &'static str,
    /// Whether messages are lost by it.
    pub(super) loses: bool,
    /// What, and what to do.
    pub(super) detail: String,
}
