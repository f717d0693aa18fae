//! How far a certificate has come, and what came of it: check by check, with what was sent and what was answered.

use hookline_certify::{CHECKS, Check, Exchange, Verdict, ended_so};
use hookline_store::Certificate;
use maud::{Markup, html};

use crate::certifying::{Account, Ended};
use crate::pages::deliveries::cut::seen;
use crate::pages::parts::{badge, id};
use crate::pages::words::{count, grouped, sentence, time, visible};

/// Bytes that what a receiver says may take in the page, for each of some thirty answers.
const SAID_BYTES: usize = 1024;

/// What is written down of it: nothing as long as no check has ended, and what cannot be read was written by another version.
fn account(certificate: &Certificate) -> Option<Account> {
    match certificate.report.as_str() {
        "" => Some(Account::default()),
        text => serde_json::from_str(text).ok(),
    }
}

/// Whether forged requests were tried, as it was said that the server verifies.
pub(super) fn forged(certificate: &Certificate) -> bool {
    let account = account(certificate).unwrap_or_default();
    let mut checks = account.checks.iter();
    checks.any(|check| check.name == "bad_signature" && check.verdict != Verdict::Skipped)
}

/// How far it has come, or what came of it.
pub(super) fn result(certificate: &Certificate, here: &str) -> Markup {
    let Some(account) = account(certificate) else {
        return html! { p.hint { "The last one was written by another version and cannot be shown. Certify it again." } };
    };
    html! {
        @if certificate.is_running {
            (under_way(certificate, &account, here))
        } @else if let Some(ended) = &account.ended {
            (verdict(certificate, &account, ended))
        } @else {
            p.verdict role="status" { (badge("bad", "not played")) }
            p { (sentence(account.fault.as_deref().unwrap_or("it was broken off: the console that played it is gone; certify it again"))) }
        }
        div.checks { @for check in &account.checks { (one(check)) } }
    }
}

fn under_way(certificate: &Certificate, account: &Account, here: &str) -> Markup {
    let done = account.checks.len();
    html! {
        p.verdict role="status" {
            (badge("warn", "being certified"))
            span { (done) " of " (CHECKS) " checks done" }
        }
        progress.progress max=(CHECKS) value=(done) aria-label="Checks done" {}
        p.hint { "Begun " (time(certificate.started_at)) "; it goes on if you leave the page." }
        p.without-scripts { a.button href={ (here) "/certify" } { "Look again" } }
    }
}

fn verdict(certificate: &Certificate, account: &Account, ended: &Ended) -> Markup {
    let of = |verdict| ended_so(&account.checks, verdict).count() as u64;
    let (failed, advised, skipped) = (of(Verdict::Failed), of(Verdict::Advice), of(Verdict::Skipped));
    html! {
        p.verdict role="status" {
            @if ended.passed { (badge("good", "passed")) } @else { (badge("bad", "not passed")) }
            span { (in_words(failed, advised, skipped)) }
        }
        p.hint {
            "Checked " (time(certificate.finished_at.unwrap_or(certificate.started_at)))
            ". The ids of its bookings begin with " code { (visible(&ended.bookings)) }
            "; its events are not in the list of deliveries."
        }
    }
}

/// What all checks come to.
fn in_words(failed: u64, advised: u64, skipped: u64) -> String {
    let mut told = match (failed, advised) {
        (0, 0) => "Your server does what a good receiver does.".to_owned(),
        (0, _) => format!(
            "Your server takes what is sent; {} worth a look.",
            things(advised)
        ),
        (1, _) => "1 check failed: what to do stands below.".to_owned(),
        (_, _) => format!("{} failed: what to do stands below.", count(failed, "check")),
    };
    if failed > 0 && advised > 0 {
        told.push_str(&format!(" {} worth a look.", things(advised)));
    }
    if skipped > 0 {
        let verb = if skipped == 1 { "was" } else { "were" };
        told.push_str(&format!(" {} {verb} not played.", count(skipped, "check")));
    }
    told
}

fn things(number: u64) -> String {
    match number {
        1 => "1 thing is".to_owned(),
        _ => format!("{number} things are"),
    }
}

fn sentence_start(text: &str) -> String {
    sentence(text).trim_end_matches('.').to_owned()
}

/// A check: what was asked, what a good receiver answers, what this one did, and what to do.
fn one(check: &Check) -> Markup {
    let (kind, word) = match check.verdict {
        Verdict::Passed => ("good", "passed"),
        Verdict::Advice => ("warn", "worth a look"),
        Verdict::Failed => ("bad", "failed"),
        Verdict::Skipped => ("idle", "not played"),
    };
    html! {
        details.check id={ "check-" (check.name) } open[matches!(check.verdict, Verdict::Failed | Verdict::Advice)] {
            summary { (badge(kind, word)) " " strong { (visible(&check.title)) } }
            dl.facts {
                div { dt { "A good receiver" } dd { (sentence(&visible(&check.good))) } }
                div { dt { "Yours" } dd { (sentence(&seen(&check.found, SAID_BYTES).text)) } }
                @if let Some(advice) = &check.advice { div { dt { "What to do" } dd { (sentence(&visible(advice))) } } }
            }
            @if !check.exchanges.is_empty() { (exchanges(check)) }
        }
    }
}

fn exchanges(check: &Check) -> Markup {
    html! {
        div.table-frame tabindex="0" role="region" aria-label={ "What was sent and answered: " (visible(&check.title)) } {
            table.stacks.dense {
                thead { tr {
                    th scope="col" { "Sent" }
                    th scope="col" { "Event" }
                    th scope="col" { "Answered" }
                    th.number scope="col" { "After" }
                    th scope="col" { "Response" }
                } }
                tbody { @for exchange in &check.exchanges { (row(exchange)) } }
            }
        }
    }
}

fn row(exchange: &Exchange) -> Markup {
    let has_status = exchange.status.is_some();
    let answer = match exchange.status {
        Some(status) => format!("HTTP {status}"),
        None => seen(&exchange.answer(), SAID_BYTES).text,
    };
    let response = exchange.response.trim();
    html! {
        tr {
            th scope="row" { (sentence_start(&visible(&exchange.sent))) span.sub.hint { (grouped(exchange.bytes as u64)) " bytes" } }
            td data-label="Event" { code { (visible(&exchange.event_type)) } " " (id(&visible(&exchange.event))) }
            td.wide[!has_status] data-label="Answered" { (answer) }
            td.number data-label="After" { (grouped(exchange.duration_ms)) " ms" }
            td.wide data-label="Response" {
                @if response.is_empty() { span.hint { "–" } } @else { code { (seen(response, SAID_BYTES).text) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hookline_common::outcome::Outcome;
    use jiff::Timestamp;

    use super::*;

    fn check(name: &'static str, verdict: Verdict, response: &str) -> Check {
        let exchange = Exchange {
            sent: "made".to_owned(),
            event: "evt_1".to_owned(),
            event_type: "booking.created".to_owned(),
            attempt: 1,
            timestamp: 1,
            bytes: 2_048,
            outcome: Outcome::HttpStatus,
            status: Some(500),
            error: None,
            response: response.to_owned(),
            duration_ms: 1_234,
        };
        Check {
            name: name.into(),
            title: "A booking's life".into(),
            good: "2xx to each".into(),
            verdict,
            found: format!("made: {response}"),
            advice: Some("Mend it.".to_owned()),
            exchanges: vec![exchange],
        }
    }

    fn certificate(account: &Account, is_running: bool) -> Certificate {
        Certificate {
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: (!is_running).then_some(Timestamp::UNIX_EPOCH),
            is_running,
            report: serde_json::to_string(account).unwrap(),
        }
    }

    fn account(verdict: Verdict, response: &str) -> Account {
        Account {
            checks: vec![check("life", verdict, response)],
            ended: Some(Ended {
                passed: verdict != Verdict::Failed,
                bookings: "bkg_certify_1_".to_owned(),
            }),
            fault: None,
        }
    }

    #[test]
    fn what_a_receiver_says_is_text() {
        let hostile = "<script>alert(1)</script><img src=x>\u{202e}\u{1b}[2J\u{0}";
        let page = result(&certificate(&account(Verdict::Failed, hostile), false), "/here").into_string();
        for harmless in ["&lt;script&gt;", "&lt;img", "&lt;U+202E&gt;", "␛[2J", "1,234 ms"] {
            assert!(page.contains(harmless), "{harmless}: {page}");
        }
        for harmful in ["<script", "<img", "\u{202e}", "\u{1b}", "\u{0}"] {
            assert!(!page.contains(harmful), "{harmful:?}: {page}");
        }
    }

    /// With style and scripts a page may weigh 150 KB.
    #[test]
    fn a_page_bears_whatever_is_said_in_each_answer() {
        let mut account = account(Verdict::Failed, &"\u{202e}".repeat(200));
        let exchange = account.checks[0].exchanges[0].clone();
        account.checks[0].exchanges = vec![exchange; 34];
        let page = result(&certificate(&account, false), "/here").into_string();
        assert!(page.len() < 80_000, "{}", page.len());
    }

    #[test]
    fn what_came_of_it_is_told_and_what_failed_stands_open() {
        for (verdict, word, told, is_open) in [
            (Verdict::Passed, ">passed<", "what a good receiver does", false),
            (Verdict::Advice, ">worth a look<", "1 thing is worth a look", true),
            (Verdict::Failed, ">not passed<", "1 check failed", true),
        ] {
            let page = result(&certificate(&account(verdict, "no"), false), "/here").into_string();
            assert!(page.contains(word) && page.contains(told), "{page}");
            assert_eq!(page.contains(" open"), is_open, "{page}");
        }
        assert_eq!(
            in_words(2, 1, 1),
            "2 checks failed: what to do stands below. 1 thing is worth a look. 1 check was not played."
        );
    }

    #[test]
    fn one_that_is_played_is_live_and_one_that_was_given_up_says_so() {
        let mut going_on = account(Verdict::Passed, "ok");
        going_on.ended = None;
        let page = result(&certificate(&going_on, true), "/here").into_string();
        assert!(
            page.contains(&format!("1 of {CHECKS} checks done")) && page.contains("Look again"),
            "{page}"
        );
        let page = result(&certificate(&going_on, false), "/here").into_string();
        assert!(page.contains("broken off") && page.contains(">passed<"), "{page}");
        let unread = Certificate {
            report: "{".to_owned(),
            ..certificate(&going_on, false)
        };
        assert!(result(&unread, "/here").into_string().contains("another version"));
    }
}
