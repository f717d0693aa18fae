//! An attempt on one line. Pure.

use hookline_common::outcome::Outcome;
use hookline_common::record::AttemptRecord;

use crate::out::{Colour, Terminal};
use crate::text::{escape, fit};

/// Characters of an error that are printed; `--json` has all of it.
const MAX_ERROR: usize = 120;

/// For people.
pub(super) fn text(record: &AttemptRecord, terminal: Terminal) -> String {
    let colour = match record.outcome {
        Outcome::Delivered => Colour::Good,
        Outcome::HttpStatus
        | Outcome::Timeout
        | Outcome::DnsError
        | Outcome::ConnectError
        | Outcome::TlsError
        | Outcome::ProtocolError
        | Outcome::Blocked => Colour::Bad,
        Outcome::Discarded => Colour::Faint,
    };
    let AttemptRecord {
        started_at,
        duration_ms,
        attempt,
        event,
        event_type,
        company,
        endpoint,
        ..
    } = record;
    let outcome = terminal.paint(colour, &format!("{:14}", record.outcome.as_str()));
    let status = record
        .status
        .map_or_else(|| "–".to_owned(), |status| status.to_string());
    let mut line = format!(
        "{started_at:.3}  {outcome}  {status:3}  {duration_ms:>5} ms  attempt {attempt}  {event_type}  \
         {company}/{endpoint}  {event}"
    );
    if let Some(next) = after(record) {
        line.push_str(&format!("  {next}"));
    }
    if let Some(error) = &record.error {
        let error = format!("({})", escape(&fit(error, MAX_ERROR)));
        line.push_str(&format!("  {}", terminal.paint(Colour::Faint, &error)));
    }
    line
}

/// What comes after it; nothing after a success.
fn after(record: &AttemptRecord) -> Option<String> {
    match record.next_attempt_at {
        Some(at) => Some(format!("next {at:.0}")),
        None if record.outcome == Outcome::Delivered => None,
        None if record.is_final => Some("the last".to_owned()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PLAIN: Terminal = Terminal {
        width: None,
        has_colour: false,
    };

    fn record(changes: &[(&str, serde_json::Value)]) -> AttemptRecord {
        let mut value = serde_json::json!({
            "id": "i", "event": "evt_1", "type": "booking.created", "company": "acme", "endpoint": "ep_crm",
            "url": "https://a.example.com/t0ken", "origin": "event", "attempt": 2,
            "started_at": "2030-01-15T14:30:00.120Z", "duration_ms": 35, "outcome": "delivered", "status": 200,
            "final": true, "request_headers": {}, "response_headers": {}
        });
        for (key, change) in changes {
            value[*key] = change.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_success_is_told_in_full() {
        assert_eq!(
            text(&record(&[]), PLAIN),
            "2030-01-15T14:30:00.120Z  delivered       200     35 ms  attempt 2  booking.created  acme/ep_crm  evt_1"
        );
    }

    #[test]
    fn a_failure_is_told_with_what_comes_next() {
        let failed = [
            ("outcome", "connect_error".into()),
            ("status", serde_json::Value::Null),
            ("error", "refused\x1b[2J\n".into()),
        ];
        let line = text(&record(&failed), PLAIN);
        assert!(
            line.ends_with("evt_1  the last  (refused\\u{1b}[2J\\n)"),
            "{line}"
        );
        let mut retried = failed.to_vec();
        retried.push(("next_attempt_at", "2030-01-15T14:31:00.120Z".into()));
        retried.push(("final", false.into()));
        let line = text(&record(&retried), PLAIN);
        assert!(line.contains("evt_1  next 2030-01-15T14:31:00Z  ("), "{line}");
        assert!(!line.contains("t0ken"), "{line}");
    }

    #[test]
    fn outcomes_are_coloured_where_that_is_wanted() {
        let terminal = Terminal {
            width: Some(80),
            has_colour: true,
        };
        assert!(text(&record(&[]), terminal).contains("\x1b[32mdelivered"));
        let failed = record(&[("outcome", "timeout".into())]);
        assert!(text(&failed, terminal).contains("\x1b[31mtimeout"));
    }
}
