//! A certificate as it is printed: each check as it ends, and a closing line, for people; all of it as JSON for programs.

use hookline_certify::{Check, Exchange, Report, Verdict};

use crate::out::{Colour, Terminal};
use crate::text::{escape, fit, json_line};

/// Characters of a receiver's answer that are printed: enough to recognise a page of a proxy's by.
const MAX_RESPONSE: usize = 60;

/// One check, over several lines, with a blank one behind it.
pub(super) fn check(check: &Check, terminal: Terminal) -> String {
    let colour = match check.verdict {
        Verdict::Passed => Colour::Good,
        Verdict::Failed => Colour::Bad,
        Verdict::Advice => Colour::Bold,
        Verdict::Skipped => Colour::Faint,
    };
    let verdict = format!("{:<7}", check.verdict.as_str());
    let mut lines = vec![
        format!(
            "{} {}  {}",
            terminal.paint(colour, &verdict),
            terminal.paint(Colour::Bold, &format!("{:<13}", check.name)),
            check.title
        ),
        format!("  good      {}", check.good),
        format!("  found     {}", escape(&check.found)),
    ];
    if let Some(advice) = &check.advice {
        lines.push(format!("  to do     {advice}"));
    }
    lines.extend(check.exchanges.iter().map(exchange));
    lines.push(String::new());
    lines.join("\n")
}

fn exchange(exchange: &Exchange) -> String {
    let response = match exchange.response.trim() {
        "" => String::new(),
        text => format!("  {}", escape(&fit(text, MAX_RESPONSE))),
    };
    format!(
        "    sent {} {} ({}), {} bytes: {} after {} ms{response}",
        exchange.event_type,
        exchange.event,
        exchange.sent,
        exchange.bytes,
        escape(&exchange.answer()),
        exchange.duration_ms,
    )
}

/// What all of it came to.
pub(super) fn closing(report: &Report, terminal: Terminal) -> String {
    let count = |verdict| report.named(verdict).len();
    let (colour, word) = if report.passed {
        (Colour::Good, "PASSED")
    } else {
        (Colour::Bad, "NOT PASSED")
    };
    format!(
        "{}: {} passed, {} with advice, {} failed, {} skipped; the bookings' ids begin with {}",
        terminal.paint(colour, word),
        count(Verdict::Passed),
        count(Verdict::Advice),
        count(Verdict::Failed),
        count(Verdict::Skipped),
        report.bookings,
    )
}

/// The whole certificate as one object.
pub(super) fn json(report: &Report) -> String {
    json_line(&serde_json::to_string(report).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A check whose receiver has said `found`.
    fn hostile(found: &str) -> Check {
        Check {
            name: "life".into(),
            title: "A booking's life".into(),
            good: "2xx".into(),
            verdict: Verdict::Failed,
            found: found.to_owned(),
            advice: None,
            exchanges: Vec::new(),
        }
    }

    #[test]
    fn nothing_that_a_receiver_says_reaches_the_terminal() {
        let terminal = Terminal {
            width: None,
            has_colour: false,
        };
        let shown = check(&hostile("500\x1b[2J"), terminal);
        assert!(!shown.contains('\x1b') && shown.contains("\\u{1b}"), "{shown}");
    }

    #[test]
    fn as_json_it_keeps_what_a_receiver_says_and_moves_no_cursor() {
        let found = "500\u{9b}2J\u{202e}";
        let report = Report {
            url: "https://a.example.com/".to_owned(),
            format: "meeva".into(),
            at: "2030-01-15T14:30:00Z".to_owned(),
            passed: false,
            bookings: "bkg_".to_owned(),
            checks: vec![hostile(found)],
        };
        let line = json(&report);
        assert!(line.is_ascii(), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["checks"][0]["found"], found);
    }
}
