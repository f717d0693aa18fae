//! Send Test Event: the exact request beside the answer, and, where it failed, why in words. Without scripts the page comes
//! back once the endpoint has answered; with them it is replaced where it stands.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse as _, Response};
use hookline_catalogue::{EventTypeInfo, ExampleRequest};
use hookline_common::endpoint::Format;
use hookline_common::envelope;
use hookline_common::explanation::explain;
use hookline_common::ids::CompanyId;
use hookline_common::outcome::Outcome;
use hookline_common::trace_context::TraceContext;
use hookline_store::Registered;
use maud::{Markup, html};

use super::endpoints::list::shown_url;
use super::endpoints::page::EndpointPage;
use super::fields::{Fields, Search};
use super::navigation::path;
use super::parts::{badge, fault, header_list, id, raw};
use super::refused::Refused;
use super::words::{grouped, pretty, visible};
use crate::api::test_event::{AttemptView, Sent, send_one};
use crate::app::App;
use crate::problem::Problem;

/// As long as an attempt takes at most by default.
const WAIT: Duration = Duration::from_secs(30);
/// What stands in place of what only the sent request has.
const SIGNED: &str = "v1,… (made with the endpoint's secret)";
const SIGNED_MEEVA: &str = "sha256=… (made with the endpoint's secret)";
/// What the log has in place of the value of a header that the endpoint's owner adds, and what is shown for it.
const MASKED: &str = "***";
const SEALED: &str = "*** (kept sealed)";

pub(super) async fn show(
    State(app): State<App>,
    page: EndpointPage,
    Search(query): Search,
) -> Result<Response, Refused> {
    let chosen = chosen(&app, &page.endpoint, query.text("type"));
    let request = match chosen {
        Some(info) => example(info, page.endpoint.format, &page.endpoint.header_names)?,
        None => html! {},
    };
    let answer = html! {
        div.answer #answer aria-live="polite" {
            h2 { "Answer" }
            p.hint { "Nothing was sent yet." }
        }
    };
    Ok(shown(&app, &page, chosen, &request, &answer))
}

fn chosen<'a>(app: &'a App, endpoint: &Registered, wanted: &str) -> Option<&'a EventTypeInfo> {
    let catalogue = &app.settings().catalogue;
    let found = catalogue
        .find_in(endpoint.format, wanted)
        .or_else(|| catalogue.find(wanted));
    found.or_else(|| catalogue.iter().next())
}

fn shown(
    app: &App,
    page: &EndpointPage,
    chosen: Option<&EventTypeInfo>,
    request: &Markup,
    answer: &Markup,
) -> Response {
    let endpoint = &page.endpoint;
    let action = format!("{}/test", page.here());
    let own_name = |info: &EventTypeInfo| info.name_in(endpoint.format);
    let content = html! {
        p { "One attempt without retries, to " span.url { (visible(&shown_url(endpoint))) } ", whatever its event filter says and even while it is paused." }
        nav.tabs aria-label="Type of event" {
            @for info in app.settings().catalogue.iter() {
                @if chosen.is_some_and(|chosen| chosen.name == info.name) {
                    a href={ (action) "?type=" (info.name) } aria-current="true" { (own_name(info)) }
                } @else {
                    a href={ (action) "?type=" (info.name) } { (own_name(info)) }
                }
            }
        }
        @if let Some(info) = chosen {
            form method="post" action=(action) data-live="#exchange" {
                (page.visitor.proof())
                input type="hidden" name="type" value=(info.name);
                div.actions {
                    button.primary type="submit" { "Send " (own_name(info)) }
                    span.hint data-live-state role="status" {}
                }
            }
            div.exchange #exchange { (request) (answer) }
        }
    };
    page.show_with("Send test event", &deliveries_of(endpoint), &content)
}

/// The ways to a whole certificate, and to what became of its events.
fn deliveries_of(endpoint: &Registered) -> Markup {
    let certify = path(&endpoint.company, &format!("endpoints/{}/certify", endpoint.id));
    let deliveries = path(&endpoint.company, &format!("deliveries?endpoint={}", endpoint.id));
    html! {
        a.button href=(certify) { "Certify" }
        a.button href=(deliveries) { "Deliveries to it" }
    }
}

/// The request as it will be, with an id and a time of the catalogue's.
fn example(info: &EventTypeInfo, format: Format, own: &[String]) -> Result<Markup, Problem> {
    let ExampleRequest { headers, body, .. } = info.rendered(format).map_err(internal)?.request;
    let headers = headers.iter().map(|(name, value)| {
        let value = match *name {
            "webhook-signature" => SIGNED,
            "meeva-signature" => SIGNED_MEEVA,
            _ => value.as_str(),
        };
        (*name, value)
    });
    let own = own.iter().map(|name| (name.as_str(), SEALED));
    let headers: Vec<(&str, &str)> = headers.chain(own).collect();
    Ok(request("Request, with an example's id and time", &headers, &body))
}

fn internal(error: impl std::fmt::Display) -> Problem {
    tracing::error!(%error, "an example cannot be shown");
    Problem::internal()
}

fn request(title: &str, headers: &[(&str, &str)], body: &str) -> Markup {
    html! {
        div.request {
            h2 { (title) }
            (header_list(headers.iter().copied()))
            (raw(&pretty(body), "Body of the request"))
            details {
                summary { "The exact bytes, " (grouped(body.len() as u64)) " of them" }
                (raw(&visible(body), "Exact body of the request"))
            }
        }
    }
}

pub(super) async fn send(
    State(app): State<App>,
    mut page: EndpointPage,
    fields: Fields,
) -> Result<Response, Refused> {
    let wanted = fields.text("type");
    let info = chosen(&app, &page.endpoint, wanted);
    let (company, id) = (page.tenant.company.clone(), page.endpoint.id.clone());
    match send_one(&app, company, id, wanted, WAIT, TraceContext::default()).await {
        Ok(sent) => {
            let (request, answer) = exchange(&sent);
            page.endpoint = sent.endpoint;
            Ok(shown(&app, &page, info, &request, &answer))
        }
        Err(problem) => {
            let answer = html! { div.answer #answer { h2 { "Answer" } (fault(problem.detail())) } };
            let refused = shown(&app, &page, info, &html! {}, &answer);
            let mut response = (problem.status(), refused).into_response();
            if let Some(seconds) = problem.retry_after_s() {
                let headers = response.headers_mut();
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            Ok(response)
        }
    }
}

/// What was sent, and what came back.
fn exchange(sent: &Sent) -> (Markup, Markup) {
    let format = sent.endpoint.format;
    let bytes = envelope::body(format, &sent.event);
    let text = String::from_utf8_lossy(&bytes);
    let recorded = sent.attempt.as_ref().map(|attempt| &attempt.request_headers);
    let mut headers: Vec<(&str, &str)> = recorded
        .into_iter()
        .flatten()
        .map(|(name, value)| match value.as_str() {
            MASKED => (name.as_str(), SEALED),
            value => (name.as_str(), value),
        })
        .collect();
    if headers.is_empty() {
        headers.push(("webhook-id", sent.event.id.as_str()));
    }
    headers.push(("webhook-signature", SIGNED));
    if format == Format::Meeva {
        headers.push(("meeva-signature", SIGNED_MEEVA));
    }
    let request = request("Request", &headers, &text);
    let answer = html! {
        div.answer #answer aria-live="polite" {
            h2 { "Answer" }
            @match &sent.attempt {
                Some(attempt) => (answered(attempt, &sent.endpoint.company)),
                None => {
                    p { (badge("idle", "on its way")) }
                    p { "The event is on its way, and its attempt was not seen within " (WAIT.as_secs()) " s: no dispatcher has taken it up yet, or attempts are not recorded." }
                    p.hint { "Event " (id(sent.event.id.as_str())) }
                }
            }
        }
    };
    (request, answer)
}

fn answered(attempt: &AttemptView, company: &CompanyId) -> Markup {
    let outcome = Outcome::parse(&attempt.outcome);
    let is_delivered = outcome == Some(Outcome::Delivered);
    let words = outcome.map(|outcome| explain(outcome, attempt.status, attempt.error.as_deref()));
    html! {
        p.verdict {
            @if is_delivered { (badge("good", "delivered")) } @else { (badge("bad", "failed")) }
            @if let Some(status) = attempt.status { span { "HTTP " strong { (status) } } }
            span.number { (grouped(attempt.duration_ms)) " ms" }
        }
        @if let Some(words) = words {
            p { (words.sentence) @if !is_delivered { " " (words.next_step) } }
        }
        @if !is_delivered { p.hint { "A test event is sent once: this one is not tried again." } }
        @if let Some(error) = &attempt.error { p.hint { (visible(error)) } }
        @if !attempt.response_headers.is_empty() {
            (header_list(attempt.response_headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
        }
        @match attempt.response.as_deref() {
            Some(body) if !body.is_empty() => (raw(&pretty(body), "Body of the answer, its beginning")),
            _ if attempt.status.is_some() => p.hint { "The answer has no body, which is as good as any." },
            _ => {}
        }
        p.hint { "Event " (id(&attempt.event)) " · " a href=(path(company, &format!("deliveries?event={}", attempt.event))) { "its delivery" } }
    }
}

#[cfg(test)]
mod tests {
    use hookline_catalogue::Catalogue;

    use super::*;

    #[test]
    fn the_request_to_come_names_the_headers_of_the_endpoints_owner() {
        let catalogue = Catalogue::built_in();
        let info = catalogue.iter().next().unwrap();
        let own = ["x-team".to_owned(), "authorization".to_owned()];
        let page = example(info, Format::Standard, &own).unwrap().into_string();
        for name in own {
            let wanted = format!("<dt>{name}</dt><dd>{SEALED}</dd>");
            assert!(page.contains(&wanted), "{page}");
        }
    }
}
