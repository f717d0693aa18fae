//! One failed delivery: why, what is kept of it, and what can be done. It stays when the log has forgotten the attempts.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_common::explanation::explain_dead_letter;
use hookline_store::{DeadLetter, Registered, StoreError};
use maud::{Markup, html};

use super::list::{ending, state};
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::DeliveryOf;
use crate::pages::endpoints::list::{held, name};
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::{head, id, raw};
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::pages::words::{exact, grouped, pretty, time, visible};

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    DeliveryOf(event, endpoint): DeliveryOf,
) -> Result<Response, Refused> {
    let store = app.store();
    let (letter, filed) = store.dead_letter(&tenant.company, &event, &endpoint).await?;
    let registered = match store.endpoint(&tenant.company, &endpoint).await {
        Ok(registered) => Some(registered),
        Err(StoreError::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    let list = path(&tenant.company, "failed");
    let words = explain_dead_letter(letter.reason, letter.last_outcome, letter.last_status);
    let data = String::from_utf8_lossy(&filed.data);
    let one = path(&tenant.company, &format!("endpoints/{endpoint}"));
    let body = html! {
        (head(&[(&list, "Failed")], letter.event_type.as_str(), &actions(&visitor, &letter, registered.as_ref(), &list)))
        p { strong { (words.sentence) } " " (words.next_step) }
        @match registered.as_ref().map(held) {
            Some(Some(why)) => p.notice.warn {
                "The endpoint is " (why) ", and nothing is sent to it. " a href=(one) { "Resume it first" } ", then retry."
            },
            Some(None) => {},
            None => p.notice.warn { "The endpoint has been removed: this can only be looked at, or discarded." },
        }
        dl.facts {
            div { dt { "State" } dd { (state(&letter)) } }
            div { dt { "Event" } dd { (id(event.as_str())) } }
            div {
                dt { "Endpoint" }
                dd { @match &registered { Some(registered) => a href=(one) { (name(registered)) }, None => (endpoint.as_str()) } }
            }
            div { dt { "Last attempt" } dd { (ending(&letter)) } }
            div {
                dt { "Attempts" }
                dd {
                    (letter.attempts) " "
                    @if letter.attempts > 0 {
                        a href=(path(&tenant.company, &format!("deliveries/{event}/{endpoint}"))) { "See them, request and response" }
                    }
                }
            }
            div { dt { "Event made" } dd { (time(letter.created_at)) " " span.hint { (exact(letter.created_at)) } } }
            div { dt { "Failed for good" } dd { (time(letter.failed_at)) " " span.hint { (exact(letter.failed_at)) } } }
        }
        section {
            h2 { "Data of the event" }
            (raw(&pretty(&data), "Data of the event"))
            details {
                summary { "The exact bytes, " (grouped(filed.data.len() as u64)) " of them" }
                (raw(&visible(&data), "Exact data of the event"))
            }
        }
    };
    let page = Page {
        visitor: &visitor,
        place: Place::Failed,
        title: "Failed delivery",
        body,
    };
    Ok(page.into_response())
}

fn actions(visitor: &Visitor, letter: &DeadLetter, endpoint: Option<&Registered>, list: &str) -> Markup {
    let pick = format!("{}/{}", letter.event, letter.endpoint);
    let can_be_sent = endpoint.is_some_and(|endpoint| !endpoint.disabled);
    // What is under way is asked about; all else is sent at once.
    let how = if letter.retried_at.is_some() {
        "pick"
    } else {
        "one"
    };
    html! {
        @if can_be_sent {
            form method="post" action={ (list) "/retry" } {
                (visitor.proof())
                input type="hidden" name=(how) value=(pick);
                button.primary type="submit" { "Retry" }
            }
        }
        form method="post" action={ (list) "/discard" } {
            (visitor.proof())
            input type="hidden" name="pick" value=(pick);
            button.danger type="submit" { "Discard" }
        }
    }
}
