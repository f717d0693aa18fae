//! What became of a batch.

/// Where an event stands in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) company: String,
    pub(super) position: i64,
}

/// What became of the events of a batch. What is named nowhere was not tried, or failed beside one of its company that is
/// named, and its turn comes again.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The broker has them.
    pub(super) done: Vec<Place>,
    /// They can never be published, with the reason.
    pub(super) aside: Vec<(Place, String)>,
    /// They are tried again for as long as it takes, and what stands behind them with them: one of a company.
    pub(super) failed: Vec<(Place, String)>,
}
