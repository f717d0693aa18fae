//! Mistakes that the simulation puts back, to see that they are found. Not part of a program.

use std::cell::Cell;

use super::plan::{Change, Plan, Planned, Source};

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
    /// A message is parked, or settled otherwise, without asking whether it is still ours.
    TakesItForOurs,
    /// A message is acknowledged before the log has its record.
    SettlesUnrecorded,
    /// A stop lets go of what waits, and does not give it back.
    KeepsWhatWaits,
    /// A stop does not wait for the last acknowledgements.
    CutsAcknowledgements,
    /// What waited for its turn is sent to the endpoint as it was before.
    SendsAsItWas,
    /// An endpoint counts as gone as soon as it is not known.
    ForgetsNewcomers,
    /// An event for which nobody is known is over, though changes are not told of.
    TrustsOldNews,
    /// A delivery whose endpoint is unknown since a time that is still to come waits until then.
    WaitsForTheFuture,
    /// An endpoint that is not known counts as gone once the clock says so, though it was set forward.
    BelievesTheClock,
}

impl Mistake {
    pub(crate) const ALL: [Self; 14] = [
        Self::TrustsUnconfirmed,
        Self::RetriesTooSoon,
        Self::LeaksPermits,
        Self::DropsDeadLetters,
        Self::AcknowledgesTooMuch,
        Self::TakesItForOurs,
        Self::SettlesUnrecorded,
        Self::KeepsWhatWaits,
        Self::CutsAcknowledgements,
        Self::SendsAsItWas,
        Self::ForgetsNewcomers,
        Self::TrustsOldNews,
        Self::WaitsForTheFuture,
        Self::BelievesTheClock,
    ];

    /// Whether a history can show it: one without what it takes need not be played.
    pub(super) fn may_show(self, plan: &Plan) -> bool {
        let is_added = |endpoint: &Planned| matches!(endpoint.change, Change::Added(_));
        match self {
            Self::TrustsUnconfirmed | Self::SettlesUnrecorded => !plan.kills.is_empty(),
            Self::KeepsWhatWaits | Self::CutsAcknowledgements => !plan.stops.is_empty(),
            Self::TrustsOldNews => {
                matches!(plan.source, Source::Registry { away: Some(_) })
                    && plan.endpoints.iter().any(is_added)
            }
            Self::WaitsForTheFuture => plan.jumps.iter().any(|(_, by)| *by < 0),
            Self::BelievesTheClock => {
                plan.source == Source::File
                    && plan.jumps.iter().any(|(_, by)| *by > 0)
                    && plan.endpoints.iter().any(is_added)
            }
            Self::RetriesTooSoon
            | Self::LeaksPermits
            | Self::DropsDeadLetters
            | Self::AcknowledgesTooMuch
            | Self::TakesItForOurs
            | Self::SendsAsItWas
            | Self::ForgetsNewcomers => true,
        }
    }
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
