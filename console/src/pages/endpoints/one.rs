//! One endpoint: what it is, and what can be done with it.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_store::Registered;
use jiff::Timestamp;
use maud::{Markup, html};

use super::health::Glances;
use super::list::{events, name};
use super::page::EndpointPage;
use super::rotate::OVERLAP_END;
use crate::app::App;
use crate::pages::fields::Search;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::{done, head, id};
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::pages::words::{fixed, time, visible};

pub(in crate::pages) async fn show(
    State(app): State<App>,
    page: EndpointPage,
    Search(query): Search,
) -> Result<Response, Refused> {
    let EndpointPage {
        visitor, endpoint, ..
    } = &page;
    let glances = Glances::read(&app, &endpoint.company, std::slice::from_ref(endpoint)).await?;
    let list = path(&endpoint.company, "endpoints");
    let here = page.here();
    let overlap = endpoint.overlap_until.filter(|until| *until > Timestamp::now());
    let body = html! {
        (head(&[(&list, "Endpoints")], &name(endpoint), &actions(visitor, endpoint, &here)))
        (done(query.text("done")))
        @if let Some(until) = overlap { (overlapping(&here, until)) }
        dl.facts {
            div { dt { "State" } dd { (glances.state(endpoint)) } }
            div { dt { "Last success" } dd { (glances.last_success(endpoint)) } }
            div { dt { "Last failure" } dd { (glances.last_failure(endpoint)) } }
            div { dt { "Last 24 hours" } dd { (glances.day_in_words(endpoint)) } }
            div { dt { "URL" } dd.url { (visible(&endpoint.url)) } }
            div { dt { "Format" } dd { (endpoint.format) } }
            div { dt { "Events" } dd { (events(endpoint, &app.settings().catalogue)) } }
            div {
                dt { "Headers" }
                dd {
                    @if endpoint.header_names.is_empty() { span.hint { "none" } }
                    span.names { @for name in &endpoint.header_names { code { (visible(name)) } } }
                }
            }
            div { dt { "Rate limit" } dd { @if let Some(rate) = endpoint.rate { (rate) } @else { span.hint { "none: as many requests as your server answers" } } } }
            div { dt { "Id" } dd { (id(endpoint.id.as_str())) } }
            div { dt { "Registered" } dd { (time(endpoint.created_at)) } }
            div { dt { "Changed" } dd { (time(endpoint.updated_at)) } }
        }
        section {
            h2 { "Secret" }
            p { "What requests to this endpoint are signed with, and what your server verifies them with." }
            p.actions {
                a.button href={ (here) "/secret" } { "Show secret and code" }
                @if overlap.is_none() { a.button href={ (here) "/rotate" } { "Rotate secret" } }
            }
        }
        section {
            h2 { "Remove" }
            p { "Once it is removed nothing is sent to it any more, and its secret is gone." }
            p.actions { a.button.danger href={ (here) "/remove" } { "Remove endpoint" } }
        }
    };
    let page = Page {
        visitor,
        place: Place::Endpoints,
        title: &name(endpoint),
        body,
    };
    Ok(page.into_response())
}

fn actions(visitor: &Visitor, endpoint: &Registered, here: &str) -> Markup {
    let (verb, to) = if endpoint.disabled {
        ("Resume", "resume")
    } else {
        ("Pause", "pause")
    };
    html! {
        a.button.primary href={ (here) "/test" } { "Send test event" }
        a.button href={ (here) "/certify" } { "Certify" }
        a.button href=(path(&endpoint.company, &format!("deliveries?endpoint={}", endpoint.id))) { "Deliveries" }
        a.button href={ (here) "/edit" } { "Edit" }
        form method="post" action={ (here) "/" (to) } {
            (visitor.proof())
            button type="submit" { (verb) }
        }
    }
}

/// A rotation that is not complete yet.
fn overlapping(here: &str, until: Timestamp) -> Markup {
    html! {
        div.notice.warn {
            p {
                strong { "Two secrets are valid. " }
                "Requests are signed with the new and the old one. The old one counts as well until "
                (fixed(until, OVERLAP_END)) ". "
                "Once your server verifies with the new secret, end the old one."
            }
            p.actions { a.button.danger href={ (here) "/complete" } { "End the old secret now…" } }
        }
    }
}
