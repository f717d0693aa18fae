//! What became of an event's attempts, as far as the log still has them.

use std::time::Duration;

use hookline_common::broker::{AttemptsLog, StreamStart};
use hookline_common::outcome::Outcome;
use hookline_common::record::AttemptRecord;
use hookline_common::settings::BrokerSettings;
use hookline_producer::Event;
use jiff::Timestamp;

use super::dead_letter::DeadLetter;
use crate::text::{escape, fit};

/// How long the log is read at most: what it has of one event lies close together, and somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many seconds a sender's clock may be ahead of the dispatchers'.
const CLOCK_SKEW_S: u64 = 3600;
/// The latest attempts that are shown: those of a schedule, and of some retries by hand.
const MAX_ATTEMPTS: usize = 12;
/// Characters of an error that are shown.
const MAX_ERROR: usize = 500;
/// Lines of an answer that are shown, and characters of each.
const MAX_ANSWER_LINES: usize = 12;
const MAX_ANSWER_WIDTH: usize = 200;

/// The attempts of one event.
#[derive(Debug, Default)]
pub(super) struct History {
    records: Vec<AttemptRecord>,
    /// Why there may be more than these.
    notice: Option<String>,
}

impl History {
    /// Reads the log; that it cannot be read is told and no failure, because a dead letter is shown without it too.
    pub(super) async fn read(event: &Event, failed_at: Option<Timestamp>, broker: &BrokerSettings) -> Self {
        let log = AttemptsLog::new(broker.link("hookline dlq show"), &broker.namespace);
        match log
            .attempts_of(&event.id, since(event, failed_at), PATIENCE)
            .await
        {
            Ok(found) => {
                let is_cut = format!("the log was not read to its end within {} s", PATIENCE.as_secs());
                let why = found.fault.unwrap_or(is_cut);
                Self {
                    records: found.records,
                    notice: (!found.is_complete).then(|| format!("there may be more: {why}")),
                }
            }
            Err(error) if error.is_missing() => Self {
                records: Vec::new(),
                notice: Some("there is no log of attempts".to_owned()),
            },
            Err(error) => Self {
                records: Vec::new(),
                notice: Some(format!("the log of attempts cannot be read: {error}")),
            },
        }
    }

    /// Those that were made for the endpoint of `letter`, oldest first.
    pub(super) fn of<'a>(&'a self, letter: &'a DeadLetter) -> impl Iterator<Item = &'a AttemptRecord> {
        self.records
            .iter()
            .filter(|record| Some(record.endpoint.as_str()) == letter.endpoint.as_deref())
    }

    /// Names and values for people: the attempts, the last error, and what the receiver answered last.
    pub(super) fn facts(&self, letter: &DeadLetter) -> Vec<(String, String)> {
        let records: Vec<_> = self.of(letter).collect();
        let mut facts = Vec::new();
        let hidden = records.len().saturating_sub(MAX_ATTEMPTS);
        if hidden > 0 {
            facts.push(("attempt".to_owned(), format!("… {hidden} earlier ones")));
        }
        for record in &records[hidden..] {
            facts.push((format!("attempt {}", record.attempt), summary(record)));
        }
        if records.is_empty() {
            let none = "the log has no attempt of it any more".to_owned();
            facts.push(("attempt".to_owned(), self.notice.clone().unwrap_or(none)));
        } else if let Some(notice) = &self.notice {
            facts.push(("attempt".to_owned(), notice.clone()));
        }
        if let Some(error) = records.iter().rev().find_map(|record| record.error.as_ref()) {
            facts.push(("last error".to_owned(), fit(error, MAX_ERROR)));
        }
        facts
    }

    /// The lines of the receiver's last answer, harmless and not too many.
    pub(super) fn answer(&self, letter: &DeadLetter) -> Vec<String> {
        let answers = self.of(letter).filter_map(|record| record.response.as_ref());
        let Some(answer) = answers.last().filter(|answer| !answer.trim().is_empty()) else {
            return Vec::new();
        };
        let mut lines: Vec<String> = answer
            .lines()
            .take(MAX_ANSWER_LINES)
            .map(|line| escape(&fit(line, MAX_ANSWER_WIDTH)))
            .collect();
        if answer.lines().nth(MAX_ANSWER_LINES).is_some() {
            lines.push("…".to_owned());
        }
        lines
    }
}

/// Where reading begins: nothing of an event can be older than the event, by a sender's clock that is right.
fn since(event: &Event, failed_at: Option<Timestamp>) -> StreamStart {
    let created_at = event.created_at.as_seconds();
    let failed_at = failed_at.and_then(|at| u64::try_from(at.as_second()).ok());
    if failed_at.is_none_or(|failed_at| created_at > failed_at) {
        return StreamStart::First;
    }
    StreamStart::At(created_at.saturating_sub(CLOCK_SKEW_S))
}

fn summary(record: &AttemptRecord) -> String {
    let how = match record.status {
        Some(status) if record.outcome == Outcome::HttpStatus => format!("HTTP {status}"),
        Some(status) => format!("{} (HTTP {status})", record.outcome),
        None => record.outcome.to_string(),
    };
    format!("{:.3}  {how} after {} ms", record.started_at, record.duration_ms)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn record(attempt: u16, changes: &[(&str, serde_json::Value)]) -> AttemptRecord {
        let mut value = serde_json::json!({
            "id": "i", "event": "evt_1", "type": "booking.created", "company": "acme", "endpoint": "ep_crm",
            "url": "https://a.example.com/", "origin": "event", "attempt": attempt,
            "started_at": "2030-01-15T14:30:00.120Z", "duration_ms": 35, "outcome": "http_status", "status": 500,
            "final": false, "request_headers": {}, "response_headers": {}
        });
        for (key, change) in changes {
            value[*key] = change.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    fn letter() -> DeadLetter {
        DeadLetter {
            endpoint: Some("ep_crm".into()),
            ..DeadLetter::default()
        }
    }

    #[test]
    fn attempts_error_and_answer_are_those_of_the_endpoint() {
        let history = History {
            records: vec![
                record(1, &[("response", "first".into()), ("error", "told once".into())]),
                record(2, &[("response", "sec\x1bond\nline".into())]),
                record(
                    1,
                    &[("endpoint", "ep_other".into()), ("response", "other".into())],
                ),
            ],
            notice: None,
        };
        let facts = history.facts(&letter());
        assert_eq!(
            facts,
            [
                ("attempt 1", "2030-01-15T14:30:00.120Z  HTTP 500 after 35 ms"),
                ("attempt 2", "2030-01-15T14:30:00.120Z  HTTP 500 after 35 ms"),
                ("last error", "told once"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(history.answer(&letter()), ["sec\\u{1b}ond", "line"]);
    }

    #[test]
    fn a_log_that_has_nothing_says_so_and_a_long_one_is_cut() {
        let facts = History::default().facts(&letter());
        assert_eq!(facts.len(), 1, "{facts:?}");
        assert!(facts[0].1.contains("no attempt"), "{facts:?}");
        let history = History {
            records: (1..100).map(|attempt| record(attempt, &[])).collect(),
            notice: None,
        };
        assert_eq!(history.facts(&letter()).len(), MAX_ATTEMPTS + 1);
        let long = "x\n".repeat(1000);
        let history = History {
            records: vec![record(1, &[("response", long.into())])],
            notice: None,
        };
        assert_eq!(history.answer(&letter()).len(), MAX_ANSWER_LINES + 1);
    }
}
