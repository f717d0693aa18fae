//! What one attempt showed of its endpoint.

use std::time::Duration;

/// What became of an attempt, as far as it tells how much the endpoint bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feedback {
    /// It answered 2xx.
    Success,
    /// It answered with some other status: it lives, and that says neither more nor less of what it bears.
    Answered,
    /// It lives and wants less: 429, 502, 503 or 504, with the time that `Retry-After` asks for, if it does.
    Refused {
        /// No attempt before this time is over.
        retry_after: Option<Duration>,
    },
    /// It did not answer in time, or could not be reached.
    NoAnswer,
    /// The request never began, so nothing is known that was not known before.
    NothingAsked,
}

impl Feedback {
    /// Whether the endpoint took the request without a word about its load.
    pub(super) fn is_accepted(self) -> bool {
        matches!(self, Self::Success | Self::Answered)
    }
}
