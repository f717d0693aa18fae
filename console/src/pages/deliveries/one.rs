//! One delivery: how far it has come, what happens next, and each attempt with what was sent and what came back.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_common::delivery::Origin;
use hookline_common::outcome::Outcome;
use hookline_store::{DeliveryDetail, DeliveryStatus, LoggedDelivery, Registered};
use jiff::Timestamp;
use maud::{Markup, html};

use super::body::{Sent, file_name, registered, section};
use super::curl::{Body, command};
use super::cut::seen;
use super::rows::address;
use super::timeline::timeline;
use super::upcoming::{Planned, is_under_way, planned};
use super::version::{RENEWED_EVERY_S, version};
use crate::api::deliveries::recorded_headers;
use crate::api::words::in_words;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::DeliveryOf;
use crate::pages::endpoints::list::{held, name};
use crate::pages::fields::Search;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::outcome::status_badge;
use crate::pages::parts::{copyable, fault, head, id};
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::pages::words::{count, exact, time};

/// Bytes that a command may take in a page; with a larger body it reads that from a file.
const COMMAND_BYTES: usize = 10 * 1024;

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    delivery: DeliveryOf,
    Search(query): Search,
) -> Result<Response, Refused> {
    let notice = html! {
        @if query.text("done") == "again" {
            p.notice.good role="status" { "Sent again. Its attempt stands below as soon as it has ended." }
        }
    };
    page(&app, &visitor, &tenant, &delivery, &notice).await
}

/// The page, with what is to be said first.
pub(super) async fn page(
    app: &App,
    visitor: &Visitor,
    tenant: &Tenant,
    DeliveryOf(event, endpoint): &DeliveryOf,
    notice: &Markup,
) -> Result<Response, Refused> {
    let company = &tenant.company;
    let found = app.store().delivery(company, event, endpoint).await?;
    let delivery = &found.delivery;
    let endpoint = registered(app, company, delivery).await?;
    let next = planned(delivery, found.attempts.last(), &app.settings().retry_schedule);
    let sent = Sent::of(app, company, delivery, endpoint.as_ref()).await?;
    let here = address(company, delivery);
    let list = path(company, "deliveries");
    let curl = curl(&found, &sent);
    let title = format!(
        "{} to {}",
        delivery.event_type,
        called(delivery, endpoint.as_ref())
    );
    // Seen as soon as there is a command, which may come with an attempt that is awaited here.
    let copy = html! {
        button.needs-script type="button" data-copy-from="#curl code" { "Copy as curl" }
    };
    let body = html! {
        (head(&[(&list, "Deliveries")], &title, &copy))
        (notice)
        p.live { span.hint data-renew-state { "As of " (Timestamp::now().strftime("%H:%M:%S UTC")) "." } }
        div.delivery #delivery data-renew=(RENEWED_EVERY_S) data-version=(version(std::iter::once(delivery), found.attempts.len())) {
            (verdict(&found, next.as_ref(), &sent, endpoint.as_ref(), visitor, &here))
            (facts(delivery, endpoint.as_ref(), tenant))
            section {
                h2 { "What happened" }
                (timeline(&found, &sent, next.as_ref(), Timestamp::now()))
            }
            (section(&sent, &here))
            @if let Some(curl) = &curl { (as_curl(curl, delivery, &here)) }
        }
    };
    let page = Page {
        visitor,
        place: Place::Deliveries,
        title: &title,
        body,
    };
    Ok(page.into_response())
}

fn called(delivery: &LoggedDelivery, endpoint: Option<&Registered>) -> String {
    endpoint.map_or_else(|| delivery.endpoint.to_string(), name)
}

/// How far it has come, what happens next, what that means, and what can be done.
fn verdict(
    DeliveryDetail { delivery, .. }: &DeliveryDetail,
    next: Option<&Planned>,
    sent: &Sent,
    endpoint: Option<&Registered>,
    visitor: &Visitor,
    here: &str,
) -> Markup {
    let words = in_words(
        delivery.last_outcome,
        delivery.last_status,
        delivery.last_error.as_deref(),
    );
    let is_delivered = delivery.status == DeliveryStatus::Delivered;
    let refusal = refusal(delivery, sent, endpoint);
    // Without an attempt it failed because its endpoint was held, and where it can be sent again that is over.
    let next_step = match (delivery.status, delivery.last_outcome) {
        (DeliveryStatus::Failed, None) if refusal.is_none() => {
            "The endpoint is on again: retry this delivery."
        }
        _ => words.next_step.as_str(),
    };
    html! {
        div.verdict { (status_badge(delivery.status)) span { (outlook(delivery, next)) } }
        @if !is_delivered { p { (words.sentence) " " (next_step) } }
        @match refusal {
            None => form.actions method="post" action={ (here) "/replay" } data-once {
                (visitor.proof())
                @if delivery.status == DeliveryStatus::Failed {
                    button.primary type="submit" { "Retry" }
                    span.hint { "It gets the whole schedule of attempts" @if delivery.attempts > 0 { " once more" } "." }
                } @else {
                    button type="submit" { "Send again" }
                    span.hint { "With the same " code { "webhook-id" } ", by which a receiver knows that it has it already." }
                }
            },
            Some(why) => p.hint { (why) },
        }
    }
}

/// What happens next, or how it ended.
fn outlook(delivery: &LoggedDelivery, next: Option<&Planned>) -> Markup {
    html! {
        @match delivery.status {
            DeliveryStatus::Delivered => {
                "Delivered " (time(delivery.last_attempt_at.unwrap_or(delivery.created_at)))
                @if delivery.attempts > 1 { ", after " (count(delivery.attempts.into(), "attempt")) }
                "."
            },
            DeliveryStatus::Retrying => {
                @match next {
                    Some(planned) => (planned.sentence(Timestamp::now())),
                    None => "Another attempt is planned.",
                }
            },
            DeliveryStatus::Failed if is_test(delivery) => "Failed. A test event is sent once, and this one is not tried again.",
            DeliveryStatus::Failed if delivery.attempts == 0 => "Failed without an attempt.",
            DeliveryStatus::Failed => { "Failed for good after " (count(delivery.attempts.into(), "attempt")) "." },
            DeliveryStatus::Discarded if delivery.last_outcome == Some(Outcome::Discarded) => "Discarded: its endpoint was removed.",
            DeliveryStatus::Discarded => "Discarded by hand after it had failed.",
        }
    }
}

/// Whether it is a test event's, of which there is one attempt.
fn is_test(delivery: &LoggedDelivery) -> bool {
    delivery.origin == Origin::Test.as_str()
}

/// Why it cannot be sent again, or not yet.
fn refusal(delivery: &LoggedDelivery, sent: &Sent, endpoint: Option<&Registered>) -> Option<Markup> {
    let Some(endpoint) = endpoint else {
        return Some(html! {
            "It cannot be sent again: its endpoint is not registered here, or not any more."
        });
    };
    if let Some(why) = held(endpoint) {
        let page = path(&endpoint.company, &format!("endpoints/{}", delivery.endpoint));
        return Some(html! {
            "It can be sent once its endpoint, which is " (why) ", is " a href=(page) { "resumed" } "."
        });
    }
    if is_test(delivery) {
        let page = path(
            &endpoint.company,
            &format!("endpoints/{}/test", delivery.endpoint),
        );
        return Some(html! {
            "It cannot be sent again: it was a test event. " a href=(page) { "Send another one" } "."
        });
    }
    if sent.missing().is_some() {
        return Some(html! { "It cannot be sent again: its payload is not here." });
    }
    is_under_way(delivery, Timestamp::now()).then(|| {
        html! { "It cannot be sent again: it is under way already, and its next attempt comes by itself." }
    })
}

fn facts(delivery: &LoggedDelivery, endpoint: Option<&Registered>, tenant: &Tenant) -> Markup {
    let of = |end: String| path(&tenant.company, &end);
    let origin = match delivery.origin.as_str() {
        "test" => Some("a test event, which is sent once"),
        "manual" => Some("sent by hand"),
        _ => None,
    };
    html! {
        dl.facts {
            div { dt { "Event" } dd { (id(delivery.event.as_str())) } }
            div {
                dt { "Endpoint" }
                dd {
                    @if endpoint.is_some() {
                        a href=(of(format!("endpoints/{}", delivery.endpoint))) { (called(delivery, endpoint)) } " "
                    }
                    (id(delivery.endpoint.as_str()))
                }
            }
            div { dt { "Type" } dd { code { (delivery.event_type) } } }
            @if let Some(origin) = origin { div { dt { "Origin" } dd { (origin) } } }
            div { dt { "Created" } dd { (exact(delivery.created_at)) } }
        }
    }
}

/// A request as a command.
struct Curl {
    command: String,
    /// Whether it reads the body from a file, which has to be there first.
    reads_file: bool,
}

/// The last request; none where nothing was sent, or where it is not known with what.
fn curl(found: &DeliveryDetail, sent: &Sent) -> Option<Curl> {
    let last = found.attempts.last().filter(|last| !last.url.is_empty())?;
    let body = sent.body()?;
    let headers = recorded_headers(&last.request_headers);
    let with = |body: &Body<'_>| {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        command(&last.url, headers, body)
    };
    let in_place = (body.len() <= COMMAND_BYTES).then(|| with(&Body::Text(body)));
    let in_place = in_place.filter(|command| seen(command, COMMAND_BYTES).is_whole);
    let reads_file = in_place.is_none();
    let command = in_place.unwrap_or_else(|| with(&Body::File(&file_name(&found.delivery))));
    Some(Curl { command, reads_file })
}

fn as_curl(curl: &Curl, delivery: &LoggedDelivery, here: &str) -> Markup {
    html! {
        section {
            h2 { "As curl" }
            p.hint {
                "Without signatures, which are not recorded, and without the endpoint's own headers. "
                @if curl.command.contains("?***") { "What the URL's query held is not recorded either: put it in place of the stars. " }
                @if curl.reads_file {
                    "The body is large: " a href={ (here) "/body" } download { "download it" } " as " code { (file_name(delivery)) } " first."
                }
            }
            div #curl { (copyable(&curl.command, "command")) }
        }
    }
}

/// What stands in the way, in place of a notice.
pub(super) fn refused(detail: &str) -> Markup {
    fault(detail)
}
