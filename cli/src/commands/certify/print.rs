//! A certificate as people read it in a terminal: each check as it ends, and a closing line.

use hookline_certify::{Check, Exchange, Report, Verdict};

use crate::out::{Colour, Terminal};
use crate::text::{escape, fit};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_receiver_says_reaches_the_terminal() {
        let hostile = Check {
            name: "life".into(),
            title: "A booking's life".into(),
            good: "2xx".into(),
            verdict: Verdict::Failed,
            found: "500\x1b[2J".to_owned(),
            advice: None,
            exchanges: Vec::new(),
        };
        let terminal = Terminal {
            width: None,
            has_colour: false,
        };
        let shown = check(&hostile, terminal);
        assert!(!shown.contains('\x1b') && shown.contains("\\u{1b}"), "{shown}");
    }
}
