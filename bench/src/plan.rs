//! How much of everything: enough to measure, or just enough to see that it works.

use std::time::Duration;

/// Sizes and times of all scenarios.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Whether times mean anything: not on a machine that does other things, and not in small.
    pub(crate) is_judged: bool,
    /// Rounds of each comparison: A B B A A B.
    pub(crate) rounds: usize,
    /// The same of what is judged: the more, the less a stumble of the machine counts.
    pub(crate) judged_rounds: usize,
    /// Events of one throughput measurement.
    pub(crate) events: u32,
    /// Events before it that do not count.
    pub(crate) warm_up: u32,
    /// Events a second where latency is measured.
    pub(crate) per_second: u32,
    /// Seconds of one latency measurement.
    pub(crate) latency_s: u32,
    /// Seconds of one measurement beside noisy neighbours.
    pub(crate) noisy_s: u32,
    /// Deliveries that wait for one hung endpoint beside healthy ones.
    pub(crate) pending: u32,
    /// Events of one tenant's burst.
    pub(crate) burst: u32,
    /// How long the burst may take to be delivered.
    pub(crate) burst_time: Duration,
    /// Events that wait when a dispatcher starts.
    pub(crate) backlog: u32,
    /// Deliveries that fall due at once.
    pub(crate) storm: u32,
    /// Deliveries that are parked beside a throughput measurement.
    pub(crate) parked: u32,
    /// How long it is watched what those do beside nothing.
    pub(crate) standing_s: u32,
    /// Busy endpoints, and the events that wait for them all.
    pub(crate) busy: [(u32, u32); 3],
    /// Milliseconds in which their receivers answer.
    pub(crate) busy_ms: &'static [u64],
    /// Events for a busy endpoint whose slots nobody has set.
    pub(crate) busy_by_itself: u32,
    /// Events that wait for one busy endpoint where they are far more than any window holds.
    pub(crate) mountain: u32,
    /// How long a receiver hangs before it answers again.
    pub(crate) hang_ms: u64,
    /// Events for a receiver that limits its rate.
    pub(crate) limited: u32,
    /// Endpoints in a large file.
    pub(crate) many_endpoints: u32,
    /// Attempts in the stream when a console begins to record them.
    pub(crate) recorded: u32,
    /// Deliveries a second beside which one records, and for how many seconds.
    pub(crate) beside: (u32, u32),
}

impl Plan {
    /// For measuring: below 25 minutes for everything.
    pub(crate) const FULL: Self = Self {
        is_judged: true,
        rounds: 3,
        judged_rounds: 5,
        events: 30_000,
        warm_up: 2_000,
        per_second: 100,
        latency_s: 10,
        noisy_s: 6,
        pending: 1_000,
        burst: 20_000,
        burst_time: Duration::from_secs(120),
        backlog: 100_000,
        storm: 10_000,
        parked: 10_000,
        standing_s: 70,
        busy: [(1, 2_000), (20, 10_000), (200, 10_000)],
        busy_ms: &[5, 20, 100],
        busy_by_itself: 3_000,
        mountain: 50_000,
        hang_ms: 20_000,
        limited: 1_000,
        many_endpoints: 10_000,
        recorded: 300_000,
        beside: (5_000, 20),
    };

    /// For seeing that everything works, in a minute or two.
    pub(crate) const QUICK: Self = Self {
        is_judged: false,
        rounds: 1,
        judged_rounds: 1,
        events: 800,
        warm_up: 100,
        per_second: 100,
        latency_s: 1,
        noisy_s: 1,
        pending: 100,
        burst: 400,
        burst_time: Duration::from_secs(60),
        backlog: 1_000,
        storm: 200,
        parked: 100,
        standing_s: 3,
        busy: [(1, 60), (20, 100), (200, 400)],
        busy_ms: &[20],
        busy_by_itself: 60,
        mountain: 600,
        hang_ms: 1_000,
        limited: 60,
        many_endpoints: 1_000,
        recorded: 3_000,
        beside: (200, 2),
    };
}
