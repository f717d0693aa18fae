//! What comes after an attempt: done, a retry after a delay, or failed. Pure; the broker's queues do the waiting.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::delivery::Origin;
use crate::ids::AttemptNo;
use crate::outcome::Outcome;

/// How long a message waits in one delay queue: whole seconds, 1 second to 7 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delay {
    seconds: u32,
}

impl Delay {
    /// The longest delay. A quorum queue's TTL could be longer; nobody waits longer for a webhook.
    pub const MAX: Self = Self::from_seconds(7 * 24 * 3600);

    /// A delay of that many seconds, at least one.
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Self {
        Self {
            seconds: if seconds == 0 { 1 } else { seconds },
        }
    }

    /// `duration` as a delay, if it is whole seconds within the bounds.
    #[must_use]
    pub fn from_duration(duration: Duration) -> Option<Self> {
        let seconds = u32::try_from(duration.as_secs()).ok()?;
        let is_allowed = duration.subsec_nanos() == 0 && (1..=Self::MAX.seconds).contains(&seconds);
        is_allowed.then_some(Self { seconds })
    }

    /// Whole seconds, as they stand in the queue's name.
    #[must_use]
    pub fn as_seconds(self) -> u32 {
        self.seconds
    }

    /// The delay for clocks and timers.
    #[must_use]
    pub fn as_duration(self) -> Duration {
        Duration::from_secs(u64::from(self.seconds))
    }
}

/// After how long each failed attempt is followed by another: by default 1, 5 and 30 minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule(Vec<Delay>);

impl RetrySchedule {
    /// More retries than this are refused at start.
    pub const MAX_RETRIES: usize = 20;

    /// The schedule with these delays, if they are 1 to [`Self::MAX_RETRIES`].
    #[must_use]
    pub fn new(delays: Vec<Delay>) -> Option<Self> {
        (1..=Self::MAX_RETRIES)
            .contains(&delays.len())
            .then_some(Self(delays))
    }

    /// The delays in their order, one for each retry.
    #[must_use]
    pub fn delays(&self) -> &[Delay] {
        &self.0
    }

    /// The delay after the failed attempt `attempt`, or `None` when it was the last.
    #[must_use]
    pub fn delay_after(&self, attempt: AttemptNo) -> Option<Delay> {
        self.0.get(usize::from(attempt.get()) - 1).copied()
    }

    /// The shortest delay that is neither below `wish` nor below `scheduled`, or the longest there is.
    fn no_sooner_than(&self, wish: Duration, scheduled: Delay) -> Delay {
        let delays = self.distinct_delays();
        let longest = delays.last().copied().unwrap_or(scheduled);
        let fits = |delay: &Delay| *delay >= scheduled && delay.as_duration() >= wish;
        delays.into_iter().find(fits).unwrap_or(longest)
    }

    /// The longest delay.
    #[must_use]
    pub fn longest(&self) -> Delay {
        // A schedule has one delay at least.
        self.0.iter().max().copied().unwrap_or(Delay::MAX)
    }

    /// Each delay once, shortest first: one queue each.
    #[must_use]
    pub fn distinct_delays(&self) -> Vec<Delay> {
        let mut delays = self.0.clone();
        delays.sort_unstable();
        delays.dedup();
        delays
    }

    /// What comes after `attempt` ended in `outcome`, where the receiver asked not to be tried again before
    /// `not_before` has passed.
    ///
    /// The wish can make a retry later, up to the longest delay there is, and never sooner than the schedule.
    #[must_use]
    pub fn next_step(
        &self,
        origin: Origin,
        attempt: AttemptNo,
        outcome: Outcome,
        not_before: Option<Duration>,
    ) -> NextStep {
        match (outcome, origin) {
            // A test event is one attempt, whatever comes of it.
            (Outcome::Delivered | Outcome::Discarded, _) | (_, Origin::Test) => NextStep::Done,
            (_, Origin::Event | Origin::Manual) => match self.delay_after(attempt) {
                Some(delay) => {
                    NextStep::RetryAfter(self.no_sooner_than(not_before.unwrap_or_default(), delay))
                }
                None => NextStep::Failed,
            },
        }
    }
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self([60, 300, 1800].map(Delay::from_seconds).to_vec())
    }
}

impl fmt::Display for RetrySchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, delay) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match delay.as_seconds() {
                seconds if seconds % 60 == 0 => write!(f, "{comma}{}m", seconds / 60)?,
                seconds => write!(f, "{comma}{seconds}s")?,
            }
        }
        Ok(())
    }
}

impl FromStr for RetrySchedule {
    type Err = &'static str;

    /// Comma-separated durations: `1m,5m,30m`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const ALLOWED: &str = "1 to 20 comma-separated delays of whole seconds, 1s to 7d, like 1m,5m,30m";
        let delay = |part: &str| crate::duration::parse(part.trim()).and_then(Delay::from_duration);
        let delays: Option<Vec<Delay>> = text.split(',').map(delay).collect();
        delays.and_then(Self::new).ok_or(ALLOWED)
    }
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Nothing more is sent.
    Done,
    /// Another attempt, no sooner than this after the one that just ended.
    RetryAfter(Delay),
    /// The last retry failed: the delivery goes to the dead-letter queue.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: i64) -> AttemptNo {
        AttemptNo::new(number).expect("a small number")
    }

    #[test]
    fn by_default_four_attempts_one_five_and_thirty_minutes_apart() {
        let schedule = RetrySchedule::default();
        let step = |number| schedule.next_step(Origin::Event, attempt(number), Outcome::Timeout, None);
        assert_eq!(step(1), NextStep::RetryAfter(Delay::from_seconds(60)));
        assert_eq!(step(2), NextStep::RetryAfter(Delay::from_seconds(300)));
        assert_eq!(step(3), NextStep::RetryAfter(Delay::from_seconds(1800)));
        assert_eq!(step(4), NextStep::Failed);
        assert_eq!(step(1000), NextStep::Failed);
        assert_eq!(schedule.to_string(), "1m,5m,30m");
    }

    #[test]
    fn success_and_a_gone_endpoint_end_a_delivery_and_a_test_is_never_retried() {
        let schedule = RetrySchedule::default();
        for outcome in Outcome::ALL {
            let ends = matches!(outcome, Outcome::Delivered | Outcome::Discarded);
            for origin in [Origin::Event, Origin::Manual] {
                let step = schedule.next_step(origin, AttemptNo::FIRST, outcome, None);
                assert_eq!(step == NextStep::Done, ends, "{outcome}");
            }
            assert_eq!(
                schedule.next_step(Origin::Test, AttemptNo::FIRST, outcome, None),
                NextStep::Done
            );
        }
    }

    #[test]
    fn a_receiver_may_ask_for_later_and_not_for_sooner() {
        let schedule = RetrySchedule::default();
        let after = |number, seconds| {
            let wish = Some(Duration::from_secs(seconds));
            match schedule.next_step(Origin::Event, attempt(number), Outcome::HttpStatus, wish) {
                NextStep::RetryAfter(delay) => delay.as_seconds(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            [after(1, 0), after(1, 60), after(1, 61), after(1, 300)],
            [60, 60, 300, 300]
        );
        assert_eq!(
            [after(1, 301), after(1, u64::MAX), after(2, 1), after(3, 1)],
            [1800, 1800, 300, 1800]
        );
    }

    #[test]
    fn schedules_are_read_and_printed() {
        for (text, printed) in [
            ("1m,5m,30m", "1m,5m,30m"),
            ("1s, 2s,90s", "1s,2s,90s"),
            ("1h", "60m"),
        ] {
            assert_eq!(
                text.parse::<RetrySchedule>().map(|s| s.to_string()).as_deref(),
                Ok(printed)
            );
        }
        for bad in [
            "",
            "1m,",
            "0s",
            "500ms",
            "8d",
            "-1s",
            "1m;5m",
            &["1s"; 21].join(","),
        ] {
            assert!(bad.parse::<RetrySchedule>().is_err(), "{bad}");
        }
    }

    #[test]
    fn each_distinct_delay_has_one_queue() {
        let schedule: RetrySchedule = "5s,1s,5s".parse().expect("valid");
        assert_eq!(schedule.distinct_delays(), [1, 5].map(Delay::from_seconds));
    }
}
