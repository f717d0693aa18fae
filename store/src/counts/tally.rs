//! What is counted of attempts, and into which rows. Pure.

use std::collections::BTreeMap;

use hookline_common::outcome::Outcome;
use hookline_common::record::AttemptRecord;
use jiff::{SignedDuration, Timestamp};

use super::histogram::Histogram;

/// How attempts ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Attempts that were made.
    pub attempts: u64,
    /// Those of them that were answered 2xx: deliveries that were delivered.
    pub delivered: u64,
    /// Deliveries that failed for good.
    pub failed: u64,
    /// How long answers took, of whatever status.
    pub answers: Histogram,
}

impl Counts {
    /// Attempts that failed, whether the delivery is tried again or not.
    #[must_use]
    pub fn failed_attempts(&self) -> u64 {
        self.attempts.saturating_sub(self.delivered)
    }

    /// The part of the attempts that succeeded, 0 to 1; none where there was no attempt.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn success(&self) -> Option<f64> {
        (self.attempts > 0).then(|| self.delivered as f64 / self.attempts as f64)
    }

    /// Adds others.
    pub fn add_all(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.answers.add_all(&other.answers);
    }

    fn add(&mut self, record: &AttemptRecord) {
        let is_delivered = record.outcome == Outcome::Delivered;
        self.attempts += 1;
        self.delivered += u64::from(is_delivered);
        self.failed += u64::from(!is_delivered && record.is_final);
        if record.status.is_some() {
            self.answers.add(record.duration_ms);
        }
    }
}

/// How long a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Of a company, or of all.
    Minute,
    /// Of an endpoint, or of all.
    Hour,
}

impl Step {
    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> i32 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }

    /// For how long rows are kept: what is shown, and an hour or a day that has only begun.
    pub(super) fn kept(self) -> SignedDuration {
        match self {
            Self::Minute => SignedDuration::from_hours(26),
            Self::Hour => SignedDuration::from_hours(8 * 24),
        }
    }
}

/// Company, step, when the row begins in seconds since the epoch, and endpoint: the order in which rows are locked.
pub(super) type Key<'a> = (&'a str, Step, i64, &'a str);

/// What these attempts add to which rows. What is too old to be shown is left out.
pub(super) fn tally<'a>(records: &[&'a AttemptRecord], now: Timestamp) -> BTreeMap<Key<'a>, Counts> {
    let mut rows: BTreeMap<Key<'a>, Counts> = BTreeMap::new();
    for record in records.iter().filter(|record| counts(record)) {
        let (company, endpoint) = (record.company.as_str(), record.endpoint.as_str());
        for (company, step, endpoint) in [
            ("", Step::Minute, ""),
            ("", Step::Hour, ""),
            (company, Step::Minute, ""),
            (company, Step::Hour, endpoint),
        ] {
            if now.duration_since(record.started_at) < step.kept() {
                let seconds = i64::from(step.seconds());
                let at = record.started_at.as_second().div_euclid(seconds) * seconds;
                rows.entry((company, step, at, endpoint)).or_default().add(record);
            }
        }
    }
    rows
}

/// Who tries an endpoint out is not told that it fails; and of one that is gone nobody was asked.
fn counts(record: &AttemptRecord) -> bool {
    record.origin != "test" && record.outcome != Outcome::Discarded
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2030-01-15T14:30:00Z";

    fn record(changes: &[(&str, Value)]) -> AttemptRecord {
        let mut record = json!({
            "id": "0199c2f4-a0b1-7d3e-8f5a-6b7c8d9e0f1a", "event": "e", "type": "a", "company": "acme", "endpoint": "ep",
            "url": "", "origin": "event", "attempt": 1, "started_at": "2030-01-15T14:29:59.999Z", "duration_ms": 30,
            "outcome": "delivered", "status": 204, "final": true, "request_headers": {}, "response_headers": {},
        });
        for (name, value) in changes {
            record[*name] = value.clone();
        }
        serde_json::from_value(record).unwrap()
    }

    fn rows(records: &[AttemptRecord]) -> Vec<(String, u64, u64, u64, u64)> {
        let records: Vec<&AttemptRecord> = records.iter().collect();
        let told = |((company, step, at, endpoint), counts): (Key<'_>, Counts)| {
            let at = Timestamp::from_second(at)
                .unwrap()
                .strftime("%dT%H:%M")
                .to_string();
            let key = format!("{company}/{} {at} {endpoint}", step.seconds());
            (
                key,
                counts.attempts,
                counts.delivered,
                counts.failed,
                counts.answers.count(),
            )
        };
        tally(&records, NOW.parse().unwrap())
            .into_iter()
            .map(told)
            .collect()
    }

    #[test]
    fn an_attempt_counts_for_its_endpoint_its_company_and_all() {
        let failed = [
            ("outcome", json!("timeout")),
            ("status", json!(null)),
            ("final", json!(false)),
        ];
        let given_up = [
            ("outcome", json!("http_status")),
            ("status", json!(500)),
            ("endpoint", json!("ep_2")),
        ];
        let records = [record(&[]), record(&failed), record(&given_up)];
        let row = |key: &str, counts: (u64, u64, u64, u64)| {
            (key.to_owned(), counts.0, counts.1, counts.2, counts.3)
        };
        assert_eq!(
            rows(&records),
            [
                row("/60 15T14:29 ", (3, 1, 1, 2)),
                row("/3600 15T14:00 ", (3, 1, 1, 2)),
                row("acme/60 15T14:29 ", (3, 1, 1, 2)),
                row("acme/3600 15T14:00 ep", (2, 1, 0, 1)),
                row("acme/3600 15T14:00 ep_2", (1, 0, 1, 1)),
            ]
        );
    }

    #[test]
    fn what_is_too_old_for_minutes_counts_by_the_hour_until_it_is_too_old_for_that() {
        let of = |at: &str| {
            rows(&[record(&[("started_at", json!(at))])])
                .into_iter()
                .map(|row| row.0)
        };
        let hours = ["/3600 14T12:00 ", "acme/3600 14T12:00 ep"];
        assert_eq!(of("2030-01-14T12:00:00Z").collect::<Vec<_>>(), hours);
        assert_eq!(of("2030-01-07T00:00:00Z").count(), 0);
    }

    #[test]
    fn test_events_and_what_was_discarded_do_not_count() {
        assert_eq!(rows(&[record(&[("origin", json!("test"))])]), []);
        assert_eq!(rows(&[record(&[("outcome", json!("discarded"))])]), []);
        assert_eq!(rows(&[record(&[("origin", json!("manual"))])]).len(), 4);
    }

    #[test]
    fn parts_of_nothing_are_not_known() {
        let mut counts = Counts::default();
        assert_eq!((counts.success(), counts.failed_attempts()), (None, 0));
        counts.add(&record(&[]));
        counts.add(&record(&[("outcome", json!("timeout"))]));
        assert_eq!((counts.success(), counts.failed_attempts()), (Some(0.5), 1));
    }
}
