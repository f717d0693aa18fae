//! What is asked of the fairness between endpoints, within which bounds, and what it answers.

use hookline_common::schedule::Delay;

/// Working queues at most.
pub const MAX_QUEUES: usize = 4;

/// Slots of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// For one that nothing is known of.
    pub start: usize,
    /// For one that bears as many.
    pub max: usize,
}

impl Concurrency {
    /// Enough for an endpoint that nothing is known of, and little enough to lose.
    pub const START: usize = 8;

    /// Slots up to this many.
    #[must_use]
    pub fn up_to(max: usize) -> Self {
        let max = max.max(1);
        Self {
            start: Self::START.min(max),
            max,
        }
    }
}

/// What all endpoints of one dispatcher may hold.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Requests in flight per endpoint.
    pub concurrency: Concurrency,
    /// Unacknowledged messages at most, of each working queue; [`MAX_QUEUES`] of them at most.
    pub windows: Vec<usize>,
    /// The working queue to which parked jobs and retries return: that it grows does not mean that somebody publishes.
    pub due: usize,
    /// Requests in flight over all endpoints at most.
    pub connections: usize,
}

/// What is to be known of a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JobInfo {
    /// The working queue that it came from, by its place in [`Bounds::windows`].
    pub queue: usize,
    /// How often it was parked before.
    pub parked: u32,
    /// Attempts a second that the endpoint's owner allows, over all replicas.
    pub rate: Option<f64>,
}

/// How endpoints fare: those that have anything in hand, or had a moment ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overview {
    /// Endpoints that answer, and quickly.
    pub proven: usize,
    /// Endpoints that nothing is known of, or that take long.
    pub limited: usize,
    /// Endpoints that do not answer.
    pub silent: usize,
    /// Of all, those for which nothing begins until a time that they asked for, or that a refusal means.
    pub held: usize,
    /// Requests that may be in flight to all of them.
    pub slots: usize,
    /// Jobs that wait for their turn.
    pub waiting: usize,
}

/// What to do with a job.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission<J> {
    /// Begin it.
    Start(J),
    /// It was taken, and is handed out later by [`release`](super::Fairness::release) or [`tick`](super::Fairness::tick).
    Wait,
    /// Park it on the broker for so long.
    Park(J, Delay),
    /// Take no more from this working queue: ask again with the same job after
    /// [`changed`](super::Fairness::changed), or after 20 ms.
    Hold(J),
}

/// What has fallen due.
#[derive(Debug, PartialEq, Eq)]
pub struct Due<J> {
    /// Jobs to begin.
    pub start: Vec<J>,
    /// Jobs to park, each for so long.
    pub park: Vec<(J, Delay)>,
}
