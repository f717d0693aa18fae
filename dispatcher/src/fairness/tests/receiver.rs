//! Receivers in virtual time: how long each takes for an answer, and what it says.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::Feedback;

/// How a receiver behaves.
#[derive(Clone)]
pub(super) enum Receiver {
    /// It answers after so long.
    After(Duration),
    /// Until that moment nothing is answered; what is under way then is answered, or times out after 30 s. Afterwards as
    /// above.
    Hung {
        until: Duration,
        answers: bool,
        then: Duration,
    },
    /// It takes so many each second, counted like a bucket that fills, and refuses the others.
    Limited {
        per_second: f64,
        tokens: f64,
        at: Duration,
        retry_after: Option<Duration>,
        took: Duration,
    },
    /// It takes so many in each window of a second, and refuses the others; a window begins with the first request after the
    /// last has ended.
    Windows {
        per_second: u32,
        taken: u32,
        since: Option<Duration>,
        retry_after: Option<Duration>,
        took: Duration,
    },
    /// It looks back over the last second, and refuses what would be more than so many.
    Sliding {
        per_second: usize,
        taken: VecDeque<Duration>,
        retry_after: Option<Duration>,
        took: Duration,
    },
    /// It works on so many at once; the others queue.
    Workers { free_at: Vec<Duration>, each: Duration },
}

impl Receiver {
    /// How long it takes to answer a request that comes now, and what it says.
    pub(super) fn answer(&mut self, now: Duration) -> (Duration, Feedback) {
        const TIMEOUT: Duration = Duration::from_secs(30);
        match self {
            Self::After(latency) => (*latency, Feedback::Success),
            Self::Hung { until, answers, then } => match until.checked_sub(now) {
                None => (*then, Feedback::Success),
                Some(rest) if *answers && rest + *then < TIMEOUT => (rest + *then, Feedback::Success),
                Some(_) => (TIMEOUT, Feedback::NoAnswer),
            },
            Self::Limited {
                per_second,
                tokens,
                at,
                retry_after,
                took,
            } => {
                let since = now - *at;
                *at = now;
                *tokens = (*tokens + since.as_secs_f64() * *per_second).min(per_second.max(1.0));
                let is_within = *tokens >= 1.0;
                if is_within {
                    *tokens -= 1.0;
                }
                answer_within(is_within, *retry_after, *took)
            }
            Self::Windows {
                per_second,
                taken,
                since,
                retry_after,
                took,
            } => {
                if since.is_none_or(|since| now >= since + Duration::from_secs(1)) {
                    (*since, *taken) = (Some(now), 0);
                }
                *taken += 1;
                answer_within(*taken <= *per_second, *retry_after, *took)
            }
            Self::Sliding {
                per_second,
                taken,
                retry_after,
                took,
            } => {
                while taken
                    .front()
                    .is_some_and(|first| *first + Duration::from_secs(1) <= now)
                {
                    taken.pop_front();
                }
                let is_within = taken.len() < *per_second;
                if is_within {
                    taken.push_back(now);
                }
                answer_within(is_within, *retry_after, *took)
            }
            Self::Workers { free_at, each } => {
                let Some(worker) = free_at.iter_mut().min() else {
                    return (TIMEOUT, Feedback::NoAnswer);
                };
                *worker = (*worker).max(now) + *each;
                (*worker - now, Feedback::Success)
            }
        }
    }
}

/// What a receiver that limits its rate answers, as quickly either way.
fn answer_within(is_within: bool, retry_after: Option<Duration>, took: Duration) -> (Duration, Feedback) {
    let feedback = if is_within {
        Feedback::Success
    } else {
        Feedback::Refused { retry_after }
    };
    (took, feedback)
}
