//! What attempts say of an endpoint's health. Pure.
//!
//! Attempts count by when they began, whenever their records arrive: one that began before the last success, or with it, says
//! nothing of what came after. What is known of an endpoint is a summary, so that of failures before and after a success
//! that arrives late only the last is known to have come after it; it alone is counted then, and an endpoint is rather
//! disabled too late than too early.

use hookline_common::outcome::Outcome;
use hookline_common::record::AttemptRecord;
use jiff::Timestamp;

/// HTTP's own word for an address that is gone for good (RFC 9110, 15.5.11).
const GONE: u16 = 410;

/// How an endpoint fares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointHealth {
    /// Attempts that failed since the last success.
    pub consecutive_failures: u64,
    /// When the first of them began.
    pub failing_since: Option<Timestamp>,
    /// When the last attempt began that succeeded.
    pub last_success_at: Option<Timestamp>,
    /// When the last attempt began that failed.
    pub last_failure_at: Option<Timestamp>,
    /// When the last attempt began that was answered 410, if none succeeded after it.
    pub gone_at: Option<Timestamp>,
}

/// What an attempt tells of its endpoint's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    Success,
    Failure { is_gone: bool },
}

/// What the attempt tells of its endpoint's health, if anything.
///
/// A test event that fails says nothing: somebody tries the endpoint out, with whatever it does not take yet. One that
/// succeeds does. Nor does it say anything of the receiver that the guard let no request out (`blocked`): the operator's own
/// rules do that, and a mistake in them must not disable everybody's endpoints. Where the endpoint is gone (`discarded`),
/// nothing was tried.
pub(super) fn evidence(record: &AttemptRecord) -> Option<Evidence> {
    match record.outcome {
        Outcome::Delivered => Some(Evidence::Success),
        Outcome::Blocked | Outcome::Discarded => None,
        _ if record.origin == "test" => None,
        Outcome::HttpStatus => Some(Evidence::Failure {
            is_gone: record.status == Some(GONE),
        }),
        Outcome::Timeout
        | Outcome::DnsError
        | Outcome::ConnectError
        | Outcome::TlsError
        | Outcome::ProtocolError => Some(Evidence::Failure { is_gone: false }),
    }
}

impl EndpointHealth {
    /// The health after some more attempts, in any order: when each began, and what it says.
    #[must_use]
    pub(super) fn after(&self, attempts: &[(Timestamp, Evidence)]) -> Self {
        let times = |wanted: fn(Evidence) -> bool| {
            attempts
                .iter()
                .filter(move |(_, evidence)| wanted(*evidence))
                .map(|(at, _)| *at)
        };
        let succeeded = times(|evidence| evidence == Evidence::Success).max();
        let last_success_at = self.last_success_at.max(succeeded);
        let counts = |at: &Timestamp| Some(*at) > last_success_at;
        let is_failure = |evidence| matches!(evidence, Evidence::Failure { .. });
        let failed = || times(is_failure).filter(counts);

        let (known, known_since) = self.failures_after(last_success_at);
        let new = u64::try_from(failed().count()).unwrap_or(u64::MAX);
        Self {
            consecutive_failures: known.saturating_add(new),
            failing_since: [known_since, failed().min()].into_iter().flatten().min(),
            last_success_at,
            last_failure_at: self.last_failure_at.max(times(is_failure).max()),
            gone_at: times(|evidence| evidence == Evidence::Failure { is_gone: true })
                .chain(self.gone_at)
                .filter(counts)
                .max(),
        }
    }

    /// How many of the failures that are known began after this success for sure, and the first of them.
    fn failures_after(&self, success: Option<Timestamp>) -> (u64, Option<Timestamp>) {
        if self.consecutive_failures == 0 || self.failing_since > success {
            return (self.consecutive_failures, self.failing_since);
        }
        match self.last_failure_at.filter(|last| Some(*last) > success) {
            Some(last) => (1, Some(last)),
            None => (0, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    const OK: Evidence = Evidence::Success;
    const BAD: Evidence = Evidence::Failure { is_gone: false };
    const GONE: Evidence = Evidence::Failure { is_gone: true };

    /// Attempts that began at these seconds, in the batches in which their records came.
    fn health(batches: &[&[(i64, Evidence)]]) -> EndpointHealth {
        batches.iter().fold(EndpointHealth::default(), |health, batch| {
            let attempts: Vec<_> = batch
                .iter()
                .map(|(second, evidence)| (at(*second), *evidence))
                .collect();
            health.after(&attempts)
        })
    }

    fn failing(health: &EndpointHealth) -> (u64, Option<Timestamp>) {
        (health.consecutive_failures, health.failing_since)
    }

    #[test]
    fn failures_since_the_last_success_count_in_any_order_of_a_batch() {
        let found = health(&[&[(5, BAD), (1, BAD), (3, OK), (4, BAD), (2, OK)]]);
        assert_eq!(failing(&found), (2, Some(at(4))));
        assert_eq!(
            (found.last_success_at, found.last_failure_at),
            (Some(at(3)), Some(at(5)))
        );
        let more = health(&[&[(3, OK), (4, BAD)], &[(9, BAD), (6, BAD)]]);
        assert_eq!(failing(&more), (3, Some(at(4))));
    }

    #[test]
    fn a_success_clears_what_began_before_it_or_with_it() {
        let cleared = health(&[&[(1, BAD), (2, GONE)], &[(2, OK)]]);
        assert_eq!(failing(&cleared), (0, None));
        assert_eq!((cleared.gone_at, cleared.last_failure_at), (None, Some(at(2))));
        // A record that comes later, of an attempt from before.
        let late = health(&[&[(5, OK)], &[(4, GONE), (5, BAD), (3, BAD)]]);
        assert_eq!((failing(&late), late.gone_at), ((0, None), None));
        assert_eq!(late.last_success_at, Some(at(5)));
    }

    #[test]
    fn a_success_from_before_clears_nothing() {
        let found = health(&[&[(5, BAD), (6, GONE)], &[(4, OK)]]);
        assert_eq!(failing(&found), (2, Some(at(5))));
        assert_eq!((found.gone_at, found.last_success_at), (Some(at(6)), Some(at(4))));
    }

    #[test]
    fn of_failures_around_a_late_success_only_what_came_after_for_sure_counts() {
        let found = health(&[&[(1, BAD), (2, GONE), (3, BAD), (9, BAD)], &[(5, OK), (8, BAD)]]);
        assert_eq!(failing(&found), (2, Some(at(8))));
        assert_eq!(found.gone_at, None);
    }

    #[test]
    fn an_earlier_failure_of_the_same_run_makes_it_longer() {
        let found = health(&[&[(7, BAD)], &[(3, BAD)]]);
        assert_eq!(failing(&found), (2, Some(at(3))));
        assert_eq!(found.last_failure_at, Some(at(7)));
    }

    #[test]
    fn one_batch_or_many_say_the_same_where_records_come_in_order() {
        let all = [
            (1, BAD),
            (2, OK),
            (3, BAD),
            (4, GONE),
            (6, OK),
            (7, BAD),
            (8, GONE),
            (9, BAD),
        ];
        let whole = health(&[&all]);
        for size in 1..all.len() {
            let batches: Vec<_> = all.chunks(size).collect();
            assert_eq!(health(&batches), whole, "{size}");
        }
        assert_eq!((failing(&whole), whole.gone_at), ((3, Some(at(7))), Some(at(8))));
        assert_eq!(health(&[&all, &[]]), whole);
    }

    fn record(outcome: &str, status: Option<u16>, origin: &str) -> AttemptRecord {
        let record = serde_json::json!({
            "id": "0199c2f4-a0b1-7d3e-8f5a-6b7c8d9e0f1a", "event": "e", "type": "a", "company": "acme", "endpoint": "ep",
            "url": "", "origin": origin, "attempt": 1, "started_at": "2030-01-15T14:30:00.250Z", "duration_ms": 1,
            "outcome": outcome, "status": status, "final": true, "request_headers": {}, "response_headers": {},
        });
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn only_what_a_receiver_did_says_something_of_it() {
        let told = |outcome, status, origin| evidence(&record(outcome, status, origin));
        for outcome in Outcome::ALL {
            let expected = match outcome.as_str() {
                "delivered" => Some(OK),
                "blocked" | "discarded" => None,
                _ => Some(BAD),
            };
            for origin in ["event", "manual"] {
                assert_eq!(told(outcome.as_str(), None, origin), expected, "{outcome}");
            }
            assert_eq!(
                told(outcome.as_str(), None, "test"),
                expected.filter(|evidence| *evidence == OK)
            );
        }
        assert_eq!(told("http_status", Some(410), "event"), Some(GONE));
        assert_eq!(told("http_status", Some(404), "event"), Some(BAD));
        assert_eq!(told("http_status", Some(410), "test"), None);
    }
}
