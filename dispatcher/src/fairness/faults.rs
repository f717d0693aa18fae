//! Mistakes that tests put back, to see that they are found. Not part of a program.

use std::cell::Cell;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A request that never began counts as an answer.
    NothingAskedProves,
    /// What is parked is counted until it comes back, though someone else may have taken it.
    ParkedForEver,
    /// An answer hands on one slot, though the limit has grown.
    OneForOne,
    /// Nobody looks again when a hold or a pace is over.
    NoWake,
    /// A hold is not kept.
    NoHold,
    /// Endpoints without proof may take all of a window.
    NoShare,
    /// Connections are not counted.
    NoConnections,
    /// Whoever gives a connection back does not hand it on.
    NoLine,
    /// What waits is dropped when its endpoint is found to hang.
    DroppedWhenParked,
    /// What an endpoint holds is not counted anew when it is found to hang.
    NotRecounted,
}

impl Fault {
    pub(super) const ALL: [Self; 10] = [
        Self::NothingAskedProves,
        Self::ParkedForEver,
        Self::OneForOne,
        Self::NoWake,
        Self::NoHold,
        Self::NoShare,
        Self::NoConnections,
        Self::NoLine,
        Self::DroppedWhenParked,
        Self::NotRecounted,
    ];
}

thread_local! {
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Puts a mistake back, in this thread.
pub(super) fn put_back(fault: Option<Fault>) {
    FAULT.set(fault);
}

/// Whether the mistake was put back.
pub(super) fn is_back(fault: Fault) -> bool {
    FAULT.get() == Some(fault)
}
