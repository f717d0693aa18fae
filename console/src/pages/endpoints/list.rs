//! A company's endpoints, and how many more it may have.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_catalogue::Catalogue;
use hookline_common::endpoint::{EventPattern, Format};
use hookline_common::ids::CompanyId;
use hookline_store::{Registered, Standing, StoreError};
use maud::{Markup, html};

use super::draft::type_of;
use super::health::Glances;
use crate::app::App;
use crate::auth::Tenant;
use crate::pages::fields::Search;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::{done, empty, head};
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::pages::words::{count, visible};

/// Rows that are read at once.
const ROWS: u32 = 200;

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    Search(query): Search,
) -> Result<Response, Refused> {
    let endpoints = all(&app, &tenant.company).await?;
    let glances = Glances::read(&app, &tenant.company, &endpoints).await?;
    let limit = app.settings().endpoints_per_company;
    let has_room = (endpoints.len() as u64) < u64::from(limit);
    let add = html! {
        span.hint.limit { (endpoints.len()) " of " (count(limit.into(), "endpoint")) }
        @if has_room {
            a.button.primary href=(path(&tenant.company, "endpoints/new")) { "Add endpoint" }
        }
    };
    let body = html! {
        (head(&[], "Endpoints", &add))
        (done(query.text("done")))
        @if !has_room { (full(limit)) }
        @if endpoints.is_empty() {
            (empty("No endpoint yet",
                "An endpoint is a URL of yours to which events are sent as they happen: a booking made, moved or cancelled.",
                &html! { a.button.primary href=(path(&tenant.company, "endpoints/new")) { "Add the first one" } }))
        } @else {
            (table(&endpoints, &glances, &tenant.company, &app.settings().catalogue))
        }
    };
    let page = Page {
        visitor: &visitor,
        place: Place::Endpoints,
        title: "Endpoints",
        body,
    };
    Ok(page.into_response())
}

/// All of them: the limit of a company keeps them few.
pub(in crate::pages) async fn all(app: &App, company: &CompanyId) -> Result<Vec<Registered>, StoreError> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let page = app.store().endpoints(company, cursor, ROWS).await?;
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

/// Said before somebody fills a form in for nothing.
pub(super) fn full(limit: u32) -> Markup {
    html! {
        p.notice.warn role="status" {
            "A company may have " (count(limit.into(), "endpoint")) ", and "
            @if limit == 1 { "it is" } @else { "all " (limit) " are" }
            " in use. To add another, remove one that is no longer needed."
        }
    }
}

fn table(endpoints: &[Registered], glances: &Glances, company: &CompanyId, catalogue: &Catalogue) -> Markup {
    html! {
        div.table-frame {
            table.stacks data-rows {
                thead { tr {
                    th scope="col" { "Endpoint" }
                    th scope="col" { "State" }
                    th scope="col" { "Last success" }
                    th scope="col" { "Last 24 hours" }
                    th scope="col" { "Events" }
                    th scope="col" { "Format" }
                } }
                tbody {
                    @for endpoint in endpoints {
                        tr {
                            th scope="row" {
                                a href=(path(company, &format!("endpoints/{}", endpoint.id))) data-row { (name(endpoint)) }
                                span.sub.url { (visible(&shown_url(endpoint))) }
                            }
                            td data-label="State" { (glances.state(endpoint)) }
                            td data-label="Last success" { (glances.last_success(endpoint)) }
                            td data-label="Last 24 hours" { (glances.day(endpoint)) }
                            td.wide data-label="Events" { (events(endpoint, catalogue)) }
                            td data-label="Format" { (endpoint.format) }
                        }
                    }
                }
            }
        }
    }
}

/// Why nothing is sent to it: "paused" by a person, or "disabled" by Hookline; none where it is sent to.
pub(in crate::pages) fn held(endpoint: &Registered) -> Option<&'static str> {
    Standing::held(endpoint).map(|standing| match standing {
        Standing::Paused => "paused",
        _ => "disabled",
    })
}

/// What people call it: what its owner wrote, or else its host.
pub(in crate::pages) fn name(endpoint: &Registered) -> String {
    if let Some(description) = &endpoint.description {
        return visible(description);
    }
    let host = url::Url::parse(&endpoint.url).ok();
    let host = host.and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(
            url.port()
                .map_or_else(|| host.clone(), |port| format!("{host}:{port}")),
        )
    });
    visible(&host.unwrap_or_else(|| endpoint.id.to_string()))
}

/// Its URL without the query, which may hold a token that nobody should read over a shoulder.
pub(in crate::pages) fn shown_url(endpoint: &Registered) -> String {
    match endpoint.url.split_once('?') {
        Some((start, _)) => format!("{start}?…"),
        None => endpoint.url.clone(),
    }
}

/// Which events it gets, by the names that its format has for them.
pub(in crate::pages) fn events(endpoint: &Registered, catalogue: &Catalogue) -> Markup {
    let patterns = endpoint.events.patterns().iter().map(EventPattern::as_str);
    let names: Vec<String> = patterns
        .map(|pattern| own_name(catalogue, endpoint.format, pattern))
        .collect();
    html! {
        @if names.is_empty() {
            "all"
        } @else {
            span.names { @for name in &names { code { (name) } } }
        }
    }
}

/// A pattern as this format's receivers would write it.
pub(in crate::pages) fn own_name(catalogue: &Catalogue, format: Format, pattern: &str) -> String {
    match type_of(catalogue, format, pattern) {
        Some(name) => format.own_name(name).into_owned(),
        None => pattern.to_owned(),
    }
}
