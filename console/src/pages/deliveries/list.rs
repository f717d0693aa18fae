//! A company's deliveries, the newest first, and what they are narrowed by.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hookline_catalogue::Catalogue;
use hookline_common::ids::CompanyId;
use hookline_common::outcome::Outcome;
use hookline_store::{DeliveryCursor, DeliveryStatus, LoggedDelivery, Page as Found, Registered};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::filter::{Filter, NAMES};
use super::rows::{Names, table};
use super::version::{RENEWED_EVERY_S, version};
use crate::app::App;
use crate::auth::Tenant;
use crate::pages::endpoints::list::{all, name};
use crate::pages::fields::Search;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::outcome;
use crate::pages::parts::{empty, fault, field_fault, head, see};
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::pages::words::visible;

/// Rows on one page.
const ROWS: u32 = 40;

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    Search(query): Search,
) -> Result<Response, Refused> {
    let company = &tenant.company;
    let catalogue = &app.settings().catalogue;
    let filter = Filter::read(&query, catalogue);
    let list = path(company, "deliveries");
    if filter.is_untidy() {
        return Ok(see(&filter.address(&list)));
    }
    let endpoints = all(&app, company).await?;
    let found = match filter.asked() {
        Some((wanted, cursor)) => Some(app.store().deliveries(company, wanted, cursor, ROWS).await?),
        None => None,
    };
    let body = html! {
        (head(&[], "Deliveries", &html! {}))
        @for text in filter.other_faults() { (fault(text)) }
        (form(&filter, &list, &endpoints, catalogue))
        (chips(&filter, &list, &endpoints))
        @match &found {
            Some(found) => (rows(found, &filter, company, &endpoints)),
            None => p.hint { "Correct what is marked above, or take it off, to see deliveries." },
        }
    };
    let page = Page {
        visitor: &visitor,
        place: Place::Deliveries,
        title: "Deliveries",
        body,
    };
    let mut response = page.into_response();
    if found.is_none() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

/// The rows, which a script keeps up to date as long as nobody reads them: on the first page, where new ones come.
fn rows(
    found: &Found<LoggedDelivery, DeliveryCursor>,
    filter: &Filter,
    company: &CompanyId,
    endpoints: &[Registered],
) -> Markup {
    let list = path(company, "deliveries");
    let is_live = !filter.is_later_page();
    let version = version(found.items.iter(), usize::from(found.next.is_some()));
    html! {
        p.live {
            span.hint data-renew-state { "As of " (Timestamp::now().strftime("%H:%M:%S UTC")) "." }
            @if !is_live {
                " " a href=(filter.address(&list)) { "To the newest" }
            }
        }
        div #deliveries data-renew=[is_live.then_some(RENEWED_EVERY_S)] data-version=(version) {
            @if found.items.is_empty() {
                (nothing(filter, company, endpoints))
            } @else {
                (table(&found.items, company, &Names::of(endpoints)))
                @if let Some(next) = &found.next {
                    p.below { a.button href=(filter.address_of_next(&list, next)) { "Older" } }
                }
            }
        }
    }
}

fn nothing(filter: &Filter, company: &CompanyId, endpoints: &[Registered]) -> Markup {
    let list = path(company, "deliveries");
    if filter.is_later_page() {
        let first = html! { a.button href=(filter.address(&list)) { "To the newest" } };
        return empty("Nothing older", "The list ends here.", &first);
    }
    if !filter.is_empty() {
        let all = html! { a.button href=(list) { "Show all deliveries" } };
        let text = if filter.value("event").is_empty() {
            "Take a filter off, or look at another time. What comes to be like that appears here by itself."
        } else {
            "An event that no endpoint wants makes no delivery. One that was published a moment ago appears here as soon as its first attempt has ended."
        };
        return empty("No delivery matches", text, &all);
    }
    let action = match endpoints.first() {
        None => {
            html! { a.button.primary href=(path(company, "endpoints/new")) { "Add the first endpoint" } }
        }
        Some(endpoint) => {
            html! { a.button.primary href=(path(company, &format!("endpoints/{}/test", endpoint.id))) { "Send a test event" } }
        }
    };
    let text = if endpoints.is_empty() {
        "Events are sent to endpoints. Once there is one, each event that it gets is listed here with every attempt to send it."
    } else {
        "Each event that is sent to an endpoint is listed here, with every attempt. The next one appears by itself."
    };
    empty("Nothing has been sent yet", text, &action)
}

fn form(filter: &Filter, list: &str, endpoints: &[Registered], catalogue: &Catalogue) -> Markup {
    let chosen = filter.typed("endpoint");
    let is_known = endpoints.iter().any(|endpoint| endpoint.id.as_str() == chosen);
    let has_more = ["outcome", "since", "until"]
        .iter()
        .any(|name| !filter.typed(name).is_empty());
    html! {
        form.filter method="get" action=(list) role="search" aria-label="Filter" {
            div.toolbar {
                (text_field(filter, "event", "Event id", "evt_…", true))
                (text_field(filter, "type", "Type", "booking.created", false))
                datalist #types {
                    @for info in catalogue.iter() { option value=(info.name) {} }
                }
                div.field {
                    label for="filter-endpoint" { "Endpoint" }
                    select #filter-endpoint name="endpoint" aria-describedby="fault-endpoint" {
                        option value="" { "all" }
                        @if !chosen.is_empty() && !is_known { option value=(chosen) selected { (visible(chosen)) } }
                        @for endpoint in endpoints {
                            option value=(endpoint.id) selected[endpoint.id.as_str() == chosen] { (name(endpoint)) }
                        }
                    }
                    (field_fault("fault-endpoint", filter.fault("endpoint")))
                }
                (choice(filter, "status", "Status", DeliveryStatus::ALL.map(|status| (status.as_str(), status.as_str()))))
                button type="submit" { "Filter" }
            }
            details open[has_more] {
                summary { "More: how it ended, and when" }
                div.toolbar {
                    (choice(filter, "outcome", "Last attempt", Outcome::ALL.map(|outcome| (outcome.as_str(), outcome::name(outcome)))))
                    (text_field(filter, "since", "From, in UTC", "2030-01-15 14:30", false))
                    (text_field(filter, "until", "Until, in UTC", "2030-01-15 15:30", false))
                    button type="submit" { "Filter" }
                    (lately(filter, list))
                }
            }
        }
    }
}

/// The spans that are asked for most.
fn lately(filter: &Filter, list: &str) -> Markup {
    let spans = [("Last hour", 1), ("24 hours", 24), ("7 days", 7 * 24)];
    let since = |hours: i64| {
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
        let since = now.checked_sub(SignedDuration::from_hours(hours));
        since.unwrap_or(Timestamp::UNIX_EPOCH).to_string()
    };
    html! {
        span.lately {
            @for (name, hours) in spans {
                a href=(filter.address_with(list, "since", &since(hours))) { (name) } " "
            }
        }
    }
}

fn text_field(filter: &Filter, name: &str, label: &str, example: &str, is_search: bool) -> Markup {
    let told = format!("fault-{name}");
    let is_wrong = filter.fault(name).is_some().then_some("true");
    let id = format!("filter-{name}");
    html! {
        div.field {
            label for=(id) { (label) }
            input id=(id) name=(name) value=(filter.typed(name)) placeholder=(example) autocomplete="off" spellcheck="false"
                data-search[is_search] list=[(name == "type").then_some("types")] aria-invalid=[is_wrong] aria-describedby=(told);
            (field_fault(&told, filter.fault(name)))
        }
    }
}

fn choice<const N: usize>(
    filter: &Filter,
    name: &str,
    label: &str,
    options: [(&'static str, &'static str); N],
) -> Markup {
    let chosen = filter.typed(name);
    let is_known = options.iter().any(|(value, _)| *value == chosen);
    let (id, told) = (format!("filter-{name}"), format!("fault-{name}"));
    html! {
        div.field {
            label for=(id) { (label) }
            select id=(id) name=(name) aria-describedby=(told) {
                option value="" { "all" }
                @if !chosen.is_empty() && !is_known { option value=(chosen) selected { (visible(chosen)) } }
                @for (value, words) in options {
                    option value=(value) selected[value == chosen] { (words) }
                }
            }
            (field_fault(&told, filter.fault(name)))
        }
    }
}

/// What is set, each to be taken off.
fn chips(filter: &Filter, list: &str, endpoints: &[Registered]) -> Markup {
    let words = |field: &str, value: &str| match field {
        "endpoint" => endpoints
            .iter()
            .find(|endpoint| endpoint.id.as_str() == value)
            .map_or_else(|| visible(value), name),
        "outcome" => {
            Outcome::parse(value).map_or_else(|| visible(value), |known| outcome::name(known).to_owned())
        }
        "since" | "until" => value.parse::<Timestamp>().map_or_else(
            |_| visible(value),
            |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        ),
        _ => visible(value),
    };
    html! {
        @if !filter.is_empty() {
            ul.chips aria-label="Set filters" {
                @for field in NAMES {
                    @let value = filter.value(field);
                    @if !value.is_empty() {
                        li {
                            a.chip href=(filter.address_without(list, field)) title="Take this filter off" {
                                (label(field)) " " strong { (words(field, value)) } span aria-hidden="true" { " ✕" }
                            }
                        }
                    }
                }
                li { a href=(list) { "Take all off" } }
            }
        }
    }
}

fn label(field: &str) -> &str {
    match field {
        "outcome" => "last attempt:",
        "since" => "from",
        other => other,
    }
}
