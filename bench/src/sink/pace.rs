//! What an answer depends on beside the request: since when a receiver is asked, and how much it has taken in this second.
//! Pure; time comes from outside.

use std::collections::HashMap;
use std::time::Duration;

use super::behaviour::Behaviour;

const SECOND_NS: u64 = 1_000_000_000;
/// For longer than anyone waits.
const NEVER: Duration = Duration::from_secs(120);

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// After how long.
    pub(super) after: Duration,
    /// The HTTP status.
    pub(super) status: u16,
    /// The `Retry-After` header, in seconds.
    pub(super) retry_after_s: Option<u32>,
}

impl Answer {
    fn after_ms(ms: u64) -> Self {
        Self {
            after: Duration::from_millis(ms),
            status: 200,
            retry_after_s: None,
        }
    }

    fn status(status: u16, retry_after_s: Option<u32>) -> Self {
        Self {
            after: Duration::ZERO,
            status,
            retry_after_s,
        }
    }
}

/// What receivers remember.
#[derive(Default)]
pub(super) struct Pace {
    first_ns: HashMap<String, u64>,
    seconds: HashMap<String, Second>,
}

/// What was taken since the beginning of a second.
#[derive(Debug, Clone, Copy)]
struct Second {
    began_ns: u64,
    taken: u32,
}

impl Pace {
    /// The answer to attempt `attempt`. `receiver` is whoever remembers: see [`Behaviour::receiver`].
    pub(super) fn answer(
        &mut self,
        behaviour: Behaviour,
        receiver: &str,
        attempt: u32,
        now_ns: u64,
    ) -> Answer {
        match behaviour {
            Behaviour::Now => Answer::after_ms(0),
            Behaviour::After(ms) => Answer::after_ms(ms),
            Behaviour::Fail(up_to) if attempt <= up_to => Answer::status(500, None),
            Behaviour::Fail(_) => Answer::after_ms(0),
            Behaviour::Hang => Answer {
                after: NEVER,
                ..Answer::after_ms(0)
            },
            Behaviour::HangFor { hang_ms, then_ms } => {
                let left_ms = hang_ms.saturating_sub(self.asked_for_ms(receiver, now_ns));
                Answer::after_ms(left_ms + then_ms)
            }
            Behaviour::HangAfter(ms) if self.asked_for_ms(receiver, now_ns) >= ms => Answer {
                after: NEVER,
                ..Answer::after_ms(0)
            },
            Behaviour::HangAfter(_) => Answer::after_ms(0),
            Behaviour::Limit(rate) if !self.takes(receiver, rate, now_ns) => Answer::status(429, Some(1)),
            Behaviour::Busy(rate) if !self.takes(receiver, rate, now_ns) => Answer::status(503, None),
            Behaviour::Limit(_) | Behaviour::Busy(_) => Answer::after_ms(0),
        }
    }

    /// Milliseconds since a receiver's first request.
    fn asked_for_ms(&mut self, receiver: &str, now_ns: u64) -> u64 {
        let first_ns = self.first_ns.entry(receiver.to_owned()).or_insert(now_ns);
        now_ns.saturating_sub(*first_ns) / 1_000_000
    }

    /// Whether a receiver that takes `rate` requests a second takes this one. A second begins with the first request after
    /// the one before is over, as most rate limiters count.
    fn takes(&mut self, receiver: &str, rate: u32, now_ns: u64) -> bool {
        let fresh = Second {
            began_ns: now_ns,
            taken: 0,
        };
        let second = self.seconds.entry(receiver.to_owned()).or_insert(fresh);
        if now_ns.saturating_sub(second.began_ns) >= SECOND_NS {
            *second = fresh;
        }
        second.taken += 1;
        second.taken <= rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_failing_endpoint_fails_as_often_as_it_says() {
        let mut pace = Pace::default();
        let statuses = [1, 2, 3].map(|attempt| pace.answer(Behaviour::Fail(2), "c", attempt, 0).status);
        assert_eq!(statuses, [500, 500, 200]);
    }

    #[test]
    fn a_hang_that_ends_answers_all_that_came_in_it_at_its_end() {
        let mut pace = Pace::default();
        let behaviour = Behaviour::HangFor {
            hang_ms: 1000,
            then_ms: 20,
        };
        let after =
            [0, 400, 999, 1000, 5000].map(|ms| pace.answer(behaviour, "c", 1, ms * MS).after.as_millis());
        assert_eq!(after, [1020, 620, 21, 20, 20]);
    }

    #[test]
    fn a_host_that_falls_ill_hangs_for_all_from_then_on() {
        let mut pace = Pace::default();
        let after = [0, 1999, 2000].map(|ms| pace.answer(Behaviour::HangAfter(2000), "h", 1, ms * MS).after);
        assert_eq!(after, [Duration::ZERO, Duration::ZERO, NEVER]);
    }

    #[test]
    fn no_more_than_the_rate_is_taken_in_a_second_and_each_receiver_counts_for_itself() {
        let mut pace = Pace::default();
        let mut statuses = |receiver: &str, behaviour, at_ms: u64| {
            [0, 1, 2].map(|ms| pace.answer(behaviour, receiver, 1, (at_ms + ms) * MS).status)
        };
        assert_eq!(statuses("a", Behaviour::Limit(2), 100), [200, 200, 429]);
        assert_eq!(statuses("b", Behaviour::Busy(2), 500), [200, 200, 503]);
        assert_eq!(statuses("a", Behaviour::Limit(2), 900), [429, 429, 429]);
        assert_eq!(statuses("a", Behaviour::Limit(2), 1100), [200, 200, 429]);
        let refused = pace.answer(Behaviour::Limit(0), "z", 1, 0);
        assert_eq!(refused.retry_after_s, Some(1));
        assert_eq!(pace.answer(Behaviour::Busy(0), "z", 1, 0).retry_after_s, None);
    }
}
