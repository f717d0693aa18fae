//! Mistakes that the simulation puts back, to see that they are found. Not part of a program.

use std::cell::Cell;

/// A mistake that a test puts back, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// What replaces a message counts as stored before the broker has said so.
    TrustsUnconfirmed,
    /// A retry waits for the shortest delay of the schedule, whichever it should.
    RetriesTooSoon,
    /// A permit is never given back by whoever is cancelled while holding one.
    LeaksPermits,
    /// A dead letter is dropped.
    DropsDeadLetters,
    /// An acknowledgement takes along what came before it, settled or not.
    AcknowledgesTooMuch,
}

impl Mistake {
    pub(crate) const ALL: [Self; 5] = [
        Self::TrustsUnconfirmed,
        Self::RetriesTooSoon,
        Self::LeaksPermits,
        Self::DropsDeadLetters,
        Self::AcknowledgesTooMuch,
    ];
}

thread_local! {
    static MISTAKE: Cell<Option<Mistake>> = const { Cell::new(None) };
}

/// Puts a mistake back, in this thread.
pub(crate) fn put_back(mistake: Option<Mistake>) {
    MISTAKE.set(mistake);
}

/// Whether the mistake was put back, in this thread.
pub(crate) fn is_back(mistake: Mistake) -> bool {
    MISTAKE.get() == Some(mistake)
}
