//! Whether an endpoint is to be disabled for what the log says of it. Pure.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::fold::EndpointHealth;

/// Why Hookline disables an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisableReason {
    /// It answered 410: nobody is there any more.
    Gone {
        /// When that attempt began.
        at: Timestamp,
    },
    /// It only failed.
    Failing {
        /// When the first attempt began that counts.
        since: Timestamp,
        /// When the last did.
        until: Timestamp,
        /// How many failed since the last success.
        attempts: u64,
    },
}

impl DisableReason {
    /// One word for programs and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Gone { .. } => "gone",
            Self::Failing { .. } => "failing",
        }
    }
}

/// For people, as what an endpoint did.
impl fmt::Display for DisableReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { at } => write!(f, "it answered 410 (gone) at {at}"),
            Self::Failing {
                since,
                until,
                attempts,
            } => write!(
                f,
                "it only failed from {since} to {until}, {attempts} attempts in a row"
            ),
        }
    }
}

/// Whether an endpoint that was last changed then is to be disabled.
///
/// It is judged by attempts alone, from the first that failed to the last: one that fails once and gets nothing for a week
/// has not failed for a week. What began before the endpoint was changed does not count: whoever changed it, or enabled it
/// again, may have mended what was wrong.
pub(super) fn verdict(
    health: &EndpointHealth,
    changed_at: Timestamp,
    after: Duration,
) -> Option<DisableReason> {
    if let Some(at) = health.gone_at.filter(|at| *at > changed_at) {
        return Some(DisableReason::Gone { at });
    }
    let since = health.failing_since?.max(changed_at);
    let until = health.last_failure_at?;
    let after = SignedDuration::try_from(after).ok()?;
    (until.duration_since(since) >= after).then_some(DisableReason::Failing {
        since,
        until,
        attempts: health.consecutive_failures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(100);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn failing(since: i64, until: i64) -> EndpointHealth {
        EndpointHealth {
            consecutive_failures: 7,
            failing_since: Some(at(since)),
            last_failure_at: Some(at(until)),
            ..EndpointHealth::default()
        }
    }

    fn judged(health: &EndpointHealth, changed: i64) -> Option<&'static str> {
        verdict(health, at(changed), AFTER).map(|reason| reason.as_str())
    }

    #[test]
    fn what_only_failed_for_long_enough_is_disabled() {
        assert_eq!(judged(&failing(10, 109), 0), None);
        assert_eq!(judged(&failing(10, 110), 0), Some("failing"));
        assert_eq!(judged(&EndpointHealth::default(), 0), None);
        let told = verdict(&failing(10, 110), at(0), AFTER).unwrap().to_string();
        assert!(told.contains("7 attempts in a row"), "{told}");
    }

    #[test]
    fn what_failed_before_a_change_does_not_count() {
        assert_eq!(judged(&failing(10, 110), 11), None);
        assert_eq!(judged(&failing(10, 111), 11), Some("failing"));
        assert_eq!(judged(&failing(10, 110), 500), None);
    }

    #[test]
    fn a_410_is_enough_unless_it_is_from_before_a_change() {
        let gone = EndpointHealth {
            gone_at: Some(at(10)),
            ..failing(10, 10)
        };
        assert_eq!(judged(&gone, 9), Some("gone"));
        assert_eq!(judged(&gone, 10), None);
    }
}
