//! How to verify a request, and how retries work: what whoever writes a receiver has to know, on two pages.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_common::endpoint::Format;
use hookline_common::ids::CompanyId;
use hookline_common::schedule::Delay;
use maud::{Markup, html};

use super::fields::Search;
use super::layout::Page;
use super::navigation::{Place, path};
use super::parts::head;
use super::reference::formats;
use super::snippets::snippets;
use super::visitor::Visitor;
use super::words::count;
use crate::app::App;
use crate::auth::Tenant;

fn pages(company: &CompanyId, is_verify: bool) -> Markup {
    html! {
        nav.tabs aria-label="Guide" {
            @for (end, name, is_here) in [("guide/verify", "Verify", is_verify), ("guide/retries", "Retries", !is_verify)] {
                @if is_here {
                    a href=(path(company, end)) aria-current="true" { (name) }
                } @else {
                    a href=(path(company, end)) { (name) }
                }
            }
        }
    }
}

pub(super) async fn verify(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    Search(query): Search,
) -> Response {
    let format = query
        .text("format")
        .parse()
        .unwrap_or(app.settings().default_format);
    let here = path(&tenant.company, "guide/verify");
    let body = html! {
        (head(&[], "Verify and retries", &html! {}))
        (pages(&tenant.company, true))
        section {
            h2 { "Why" }
            p { "Anybody can send a request to your URL. A signature shows that one came from here and was not changed on its way. Verify it over the raw body, before the body is parsed, and answer 401 where it is wrong." }
        }
        section {
            h2 { "In which format" }
            p { "An endpoint's page says which format it has, and hands this code out with its own secret." }
            (formats(&here, format))
            (snippets(format, None))
        }
        section {
            h2 { "What every request has" }
            dl.facts {
                div { dt { code { "webhook-id" } } dd { "The event's id, the same on every attempt. Store it: an event may come twice, and must be handled once." } }
                div { dt { code { "webhook-timestamp" } } dd { "When this attempt was made, in seconds. Refuse what is older than five minutes." } }
                div { dt { code { "webhook-signature" } } dd { code { "v1," } " and the base64 of HMAC-SHA256 over " code { "id.timestamp.body" } ", with what follows " code { "whsec_" } " decoded as the key. During a rotation there are two, with a space between." } }
                @if format == Format::Meeva {
                    div { dt { code { "Meeva-Signature" } } dd { code { "sha256=" } " and the hex of HMAC-SHA256 over the body, with the whole secret as the key." } }
                }
                div { dt { code { "webhook-attempt" } } dd { "Which attempt this is, 1 for the first." } }
            }
        }
    };
    Page {
        visitor: &visitor,
        place: Place::Guide,
        title: "How to verify a request",
        body,
    }
    .into_response()
}

/// `1 minute`, `90 seconds`, `2 hours`: in the largest unit of which it is a whole number.
fn spelled(delay: Delay) -> String {
    let seconds = u64::from(delay.as_seconds());
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let whole = units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    let (unit, name) = whole.unwrap_or((1, "second"));
    count(seconds / unit, name)
}

pub(super) async fn retries(State(app): State<App>, visitor: Visitor, tenant: Tenant) -> Response {
    let schedule = &app.settings().retry_schedule;
    let body = html! {
        (head(&[], "Verify and retries", &html! {}))
        (pages(&tenant.company, false))
        section {
            h2 { "What counts as delivered" }
            p { "An answer with a 2xx status within 30 seconds, where the operator has set no other time. Its body does not matter. Everything else is a failed attempt: another status, a redirect (it is not followed), no answer, no connection." }
            p { strong { "Answer first, work afterwards: " } "store the event, answer 200, and do what takes time later." }
        }
        section {
            h2 { "What happens after a failed attempt" }
            div.table-frame tabindex="0" role="region" aria-label="Schedule of attempts" {
                table.dense {
                    thead { tr { th scope="col" { "Attempt" } th scope="col" { "When" } } }
                    tbody {
                        tr { th scope="row" { "1" } td { "at once" } }
                        @for (number, delay) in (2_usize..).zip(schedule.delays()) {
                            tr { th scope="row" { (number) } td { (spelled(*delay)) " after attempt " (number - 1) " ended" } }
                        }
                    }
                }
            }
            p { "A " code { "Retry-After" } " of a 429, 502, 503 or 504 is kept, where it asks for more time, up to the longest delay here. An endpoint that answers 410, or fails for days, may be disabled: nothing is sent until somebody enables it. After the last attempt the delivery has failed for good, and waits until somebody retries it." }
        }
        section {
            h2 { "Order and duplicates" }
            p { "Events are sent side by side, so a later one may come first: compare the times in the data, or " code { "createdAt" } " (format meeva) or " code { "timestamp" } " (format standard). An event may come twice with the same " code { "webhook-id" } ": an answer that did not reach us looks like none." }
        }
        section {
            h2 { "Try it" }
            p.actions { a.button href=(path(&tenant.company, "endpoints")) { "Send a test event to an endpoint" } }
        }
    };
    Page {
        visitor: &visitor,
        place: Place::Guide,
        title: "How retries work",
        body,
    }
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_told_in_the_largest_unit_that_fits() {
        for (seconds, told) in [
            (1, "1 second"),
            (60, "1 minute"),
            (90, "90 seconds"),
            (1_800, "30 minutes"),
            (7_200, "2 hours"),
            (604_800, "7 days"),
        ] {
            assert_eq!(spelled(Delay::from_seconds(seconds)), told);
        }
    }
}
