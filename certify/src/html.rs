//! The report as a page of its own: no script, nothing loaded, and whatever a receiver said stands there as text.

use maud::{DOCTYPE, Markup, html};

use crate::report::{Check, Exchange, Report, Verdict};

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2330;background:#fff}\
h1{font-size:1.6rem}h2{font-size:1.1rem;margin:0}section{border:1px solid #d5dae3;border-left:.4rem solid #8a93a3;\
border-radius:.4rem;padding:1rem;margin:1rem 0}section.passed{border-left-color:#1a7f37}section.failed{border-left-color:#c62828}\
section.advice{border-left-color:#9a6700}.verdict{font-weight:600;margin-right:.5rem}table{border-collapse:collapse;width:100%;\
font-size:.85rem;margin-top:.75rem}th,td{text-align:left;vertical-align:top;padding:.25rem .5rem;border-top:1px solid #e6e9ef;\
overflow-wrap:anywhere}dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:.75rem 0}dt{color:#55606f}\
dd{margin:0}code{font-family:ui-monospace,monospace}\
@media(prefers-color-scheme:dark){body{color:#e6e9ef;background:#12161d}section{border-color:#343c49}th,td{border-color:#2a313c}\
dt{color:#a3adbb}}";

/// A whole page that needs nothing else.
#[must_use]
pub fn html(report: &Report) -> String {
    let title = if report.passed {
        "Passed: webhook certificate"
    } else {
        "Not passed: webhook certificate"
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (maud::PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                dl {
                    dt { "Endpoint" } dd { code { (visible(&report.url)) } }
                    dt { "Format" } dd { (report.format) }
                    dt { "Played at" } dd { time datetime=(report.at) { (report.at) } }
                    dt { "Bookings" } dd { "their ids begin with " code { (report.bookings) } }
                    dt { "Checks" } dd { (counts(report)) }
                }
                @for check in &report.checks { (section(check)) }
            }
        }
    };
    page.into_string()
}

fn counts(report: &Report) -> String {
    let all = [
        Verdict::Passed,
        Verdict::Advice,
        Verdict::Failed,
        Verdict::Skipped,
    ];
    let told = all.map(|verdict| format!("{} {}", report.named(verdict).len(), verdict.as_str()));
    told.join(", ")
}

fn section(check: &Check) -> Markup {
    html! {
        section class=(check.verdict.as_str()) id=(check.name) {
            h2 { span.verdict { (check.verdict.as_str()) } (check.title) " (" code { (check.name) } ")" }
            dl {
                dt { "A good receiver" } dd { (check.good) }
                dt { "This one" } dd { (visible(&check.found)) }
                @if let Some(advice) = &check.advice { dt { "What to do" } dd { (advice) } }
            }
            @if !check.exchanges.is_empty() { (table(&check.exchanges)) }
        }
    }
}

fn table(exchanges: &[Exchange]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Sent" } th scope="col" { "Event" } th scope="col" { "Bytes" }
                th scope="col" { "Answered" } th scope="col" { "After" } th scope="col" { "Response" }
            } }
            tbody {
                @for exchange in exchanges {
                    tr {
                        td { (exchange.sent) }
                        td { (exchange.event_type) br; code { (exchange.event) } ", attempt " (exchange.attempt) }
                        td { (exchange.bytes) }
                        td { (visible(&exchange.answer())) }
                        td { (exchange.duration_ms) " ms" }
                        td { code { (visible(&exchange.response)) } }
                    }
                }
            }
        }
    }
}

/// A stranger's text without what turns the direction of a line, or is not seen.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => shown.push(' '),
            c if c.is_control() || is_hidden(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use hookline_common::outcome::Outcome;

    use super::*;

    #[test]
    fn what_a_receiver_says_is_text_and_nothing_is_loaded() {
        let exchange = Exchange {
            sent: "made".to_owned(),
            event: "evt_1".to_owned(),
            event_type: "booking.created".to_owned(),
            attempt: 1,
            timestamp: 1,
            bytes: 2,
            outcome: Outcome::HttpStatus,
            status: Some(500),
            error: None,
            response: "<script>alert(1)</script>\u{202e}\x1b[2J".to_owned(),
            duration_ms: 3,
        };
        let report = Report {
            url: "https://example.com/<b>".to_owned(),
            format: "meeva".into(),
            at: "2031-01-01T00:00:00Z".to_owned(),
            passed: false,
            bookings: "bkg_1_".to_owned(),
            checks: vec![Check {
                name: "life".into(),
                title: "A booking's life".into(),
                good: "2xx".into(),
                verdict: Verdict::Failed,
                found: "500 <img src=x>".to_owned(),
                advice: Some("Mend it.".to_owned()),
                exchanges: vec![exchange],
            }],
        };
        let page = html(&report);
        for harmless in [
            "&lt;script&gt;alert(1)",
            "&lt;img",
            "\\u{202e}",
            "Not passed",
            "1 failed",
        ] {
            assert!(page.contains(harmless), "{harmless}: {page}");
        }
        for harmful in ["<script", "<img", "<b>", "\u{202e}", "\x1b", "http://"] {
            assert!(!page.contains(harmful), "{harmful}: {page}");
        }
    }
}
