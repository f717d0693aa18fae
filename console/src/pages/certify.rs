//! Certify: a booking's life is played against an endpoint, and each check says what was sent, what was answered, and what a good
//! receiver answers. The page is the same after a reload; while one is played it keeps itself true where scripts run.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_certify::{CHECKS, Check, Exchange, Verdict};
use hookline_common::endpoint::Format;
use hookline_store::{Certificate, Registered};
use maud::{Markup, html};

use super::deliveries::cut::seen;
use super::endpoints::list::{name, shown_url};
use super::fields::Fields;
use super::layout::Page;
use super::navigation::{Place, path};
use super::parts::{badge, fault, head, id, see};
use super::refused::Refused;
use super::visitor::Visitor;
use super::words::{count, grouped, sentence, time, visible};
use crate::app::App;
use crate::auth::Tenant;
use crate::certifying::{Account, Ended, begin as begin_certificate};
use crate::extract::EndpointOf;

/// Bytes that what a receiver says may take in the page, for each of some thirty answers.
const SAID_BYTES: usize = 1024;

/// Seconds between two looks of the page.
const RENEWED_EVERY_S: &str = "2";

pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Response, Refused> {
    let store = app.store();
    let endpoint = store.endpoint(&tenant.company, &id).await?;
    let last = store.certificate(&tenant.company, &id).await?;
    Ok(page(&app, &visitor, &endpoint, last.as_ref(), &html! {}))
}

pub(super) async fn begin(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
    fields: Fields,
) -> Result<Response, Refused> {
    let store = app.store();
    let endpoint = store.endpoint(&tenant.company, &id).await?;
    let verifies = promises_signature(endpoint.format) || fields.has("verifies", "yes");
    let begun = begin_certificate(&app, &tenant.company, &id, &tenant.actor, verifies).await;
    let Err(problem) = begun else {
        return Ok(see(&format!("{}/certify", here(&endpoint))));
    };
    let last = store.certificate(&tenant.company, &id).await?;
    let mut response = page(&app, &visitor, &endpoint, last.as_ref(), &fault(problem.detail()));
    *response.status_mut() = problem.status();
    Ok(response)
}

fn here(endpoint: &Registered) -> String {
    path(&endpoint.company, &format!("endpoints/{}", endpoint.id))
}

/// Whether receivers of this format verify signatures. Those of meetergo's own get none from meetergo, and need not.
fn promises_signature(format: Format) -> bool {
    match format {
        Format::Meeva | Format::Standard => true,
        Format::Meetergo | Format::MeetergoFlat => false,
    }
}

fn page(
    app: &App,
    visitor: &Visitor,
    endpoint: &Registered,
    last: Option<&Certificate>,
    notice: &Markup,
) -> Response {
    let list = path(&endpoint.company, "endpoints");
    let here = here(endpoint);
    let is_running = last.is_some_and(|last| last.is_running);
    let test = html! { a.button href={ (here) "/test" } { "Send test event" } };
    let body = html! {
        (head(&[(&list, "Endpoints"), (&here, &name(endpoint))], "Certify", &test))
        (notice)
        p {
            "This finds out whether your server does what a good receiver does. Hookline tells " span.url { (visible(&shown_url(endpoint))) }
            " of a booking that is made, moved and cancelled, with forged signatures, the same event twice, events out of order, the largest body and ten at once, and compares each answer with a good one."
        }
        p.hint {
            "Some 34 requests in about ten seconds, signed with this endpoint’s own secret, whatever its event filter says and even while it is paused. "
            "The bookings are made up, but your server takes them for real: their ids begin with " code { "bkg_certify_" } ", so that you can find and remove them."
        }
        // With the button, which comes back when the last one has ended.
        div.certificate #certificate data-renew=[is_running.then_some(RENEWED_EVERY_S)] {
            @if app.settings().certifying.is_none() {
                p.notice.warn { "Endpoints are not certified here: the platform has switched that off." }
            } @else if !is_running {
                (form(visitor, endpoint, &here, last.is_some()))
            }
            section {
                h2 { "Result" }
                @match last {
                    None => p.hint { "It was not certified yet." },
                    Some(last) => (result(last, &here)),
                }
            }
        }
    };
    Page {
        visitor,
        place: Place::Endpoints,
        title: "Certify",
        body,
    }
    .into_response()
}

fn form(visitor: &Visitor, endpoint: &Registered, here: &str, is_again: bool) -> Markup {
    html! {
        form method="post" action={ (here) "/certify" } data-once {
            (visitor.proof())
            @if !promises_signature(endpoint.format) {
                label.choice {
                    input type="checkbox" name="verifies" value="yes";
                    span { strong { "My server verifies " code { "webhook-signature" } } span.hint { "Forged requests are tried then, too." } }
                }
            }
            div.actions {
                button.primary type="submit" { @if is_again { "Certify again" } @else { "Certify" } }
            }
        }
    }
}

/// How far it has come, or what came of it.
fn result(certificate: &Certificate, here: &str) -> Markup {
    // Empty as long as no check has ended; what cannot be read was written by another version.
    let account = match certificate.report.as_str() {
        "" => Some(Account::default()),
        text => serde_json::from_str::<Account>(text).ok(),
    };
    let Some(account) = account else {
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
        p.hint.needs-script { "Live: this page keeps itself up to date." }
        p.without-scripts { a.button href={ (here) "/certify" } { "Look again" } }
    }
}

fn verdict(certificate: &Certificate, account: &Account, ended: &Ended) -> Markup {
    let of = |verdict| {
        account
            .checks
            .iter()
            .filter(|check| check.verdict == verdict)
            .count() as u64
    };
    let (failed, advised, skipped) = (of(Verdict::Failed), of(Verdict::Advice), of(Verdict::Skipped));
    html! {
        p.verdict role="status" {
            @if ended.passed { (badge("good", "passed")) } @else { (badge("bad", "not passed")) }
            span { (in_words(failed, advised, skipped)) }
        }
        p.hint {
            "Certified " (time(certificate.finished_at.unwrap_or(certificate.started_at)))
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
        told.push_str(&format!(" {} worth a look.", sentence_start(&things(advised))));
    }
    if skipped > 0 {
        let verb = if skipped == 1 { "was" } else { "were" };
        told.push_str(&format!(" {} {verb} not played.", count(skipped, "check")));
    }
    told
}

fn things(number: u64) -> String {
    match number {
        1 => "one thing is".to_owned(),
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
            (
                Verdict::Advice,
                ">worth a look<",
                "one thing is worth a look",
                true,
            ),
            (Verdict::Failed, ">not passed<", "1 check failed", true),
        ] {
            let page = result(&certificate(&account(verdict, "no"), false), "/here").into_string();
            assert!(page.contains(word) && page.contains(told), "{page}");
            assert_eq!(page.contains(" open"), is_open, "{page}");
            assert!(!page.contains("Live:"), "{page}");
        }
        assert_eq!(
            in_words(2, 1, 1),
            "2 checks failed: what to do stands below. One thing is worth a look. 1 check was not played."
        );
    }

    #[test]
    fn one_that_is_played_is_live_and_one_that_was_given_up_says_so() {
        let mut going_on = account(Verdict::Passed, "ok");
        going_on.ended = None;
        let page = result(&certificate(&going_on, true), "/here").into_string();
        assert!(
            page.contains(&format!("1 of {CHECKS} checks done")) && page.contains("Live:"),
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
