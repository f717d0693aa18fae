//! Who did what to a company's endpoints, tokens and secrets, and what it changed.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_catalogue::Catalogue;
use hookline_common::endpoint::Format;
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_store::{AuditEntry, Cursor};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::deliveries::rows::Names;
use super::endpoints::list::{all, own_name};
use super::fields::Search;
use super::layout::Page;
use super::navigation::{Place, path};
use super::parts::{empty, head, id};
use super::refused::Refused;
use super::visitor::Visitor;
use super::words::{exact, time, visible};
use crate::app::App;
use crate::auth::Tenant;

/// Lines on one page.
const ROWS: u32 = 50;

pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    Search(query): Search,
) -> Result<Response, Refused> {
    let cursor = Cursor::parse(query.text("after"));
    let found = app.store().audit(&tenant.company, cursor, ROWS).await?;
    let names = Names::of(&all(&app, &tenant.company).await?);
    let catalogue = &app.settings().catalogue;
    let body = html! {
        (head(&[], "Audit", &html! {}))
        @if found.items.is_empty() {
            (empty("Nothing was done yet", "Every change to endpoints, secrets and tokens is written down here, with who made it.", &html! {}))
        } @else {
            div.table-frame tabindex="0" role="region" aria-label="Audit" {
                table.stacks {
                    thead { tr {
                        th scope="col" { "What" }
                        th scope="col" { "When" }
                        th scope="col" { "Who" }
                        th scope="col" { "To what" }
                        th scope="col" { "Change" }
                    } }
                    tbody { @for entry in &found.items { (row(entry, &tenant.company, &names, catalogue)) } }
                }
            }
            @if let Some(next) = &found.next {
                p.below { a.button href={ (path(&tenant.company, "audit")) "?after=" (next) } { "Older" } }
            }
        }
    };
    let page = Page {
        visitor: &visitor,
        place: Place::Audit,
        title: "Audit",
        body,
    };
    Ok(page.into_response())
}

fn row(entry: &AuditEntry, company: &CompanyId, names: &Names, catalogue: &Catalogue) -> Markup {
    let changes = changes(entry.before.as_ref(), entry.after.as_ref(), catalogue);
    let endpoint = EndpointId::parse(&entry.object).ok();
    let name = endpoint.as_ref().and_then(|endpoint| names.get(endpoint));
    html! {
        tr {
            th.one-line scope="row" { (deed(&entry.action)) }
            td data-label="When" { (time(entry.at)) }
            td data-label="Who" { (actor(&entry.actor)) }
            td.wide data-label="To what" {
                @match name {
                    Some(name) => {
                        a href=(path(company, &format!("endpoints/{}", entry.object))) { (name) }
                        span.sub { (id(&entry.object)) }
                    },
                    None => @if !entry.object.is_empty() { (id(&entry.object)) },
                }
            }
            td.wide data-label="Change" {
                @if changes.is_empty() { span.hint { "–" } }
                ul.changes {
                    @for change in &changes {
                        li {
                            span.hint { (visible(&called(&change.name, &entry.action))) " " }
                            @if let Some(before) = &change.before { del { (visible(before)) } " → " }
                            ins { (visible(&change.after)) }
                        }
                    }
                }
            }
        }
    }
}

/// A deed in words; one that is not known here by its own name.
fn deed(action: &str) -> String {
    let known = match action {
        "endpoint.created" => "Endpoint added",
        "endpoint.imported" => "Endpoint imported",
        "endpoint.changed" => "Endpoint changed",
        "endpoint.certified" => "Endpoint checked",
        "endpoint.disabled" => "Endpoint disabled",
        "endpoint.removed" => "Endpoint removed",
        "endpoint.secret_revealed" => "Secret shown",
        "endpoint.secret_rotated" => "Secret rotated",
        "endpoint.rotation_completed" => "Rotation completed",
        "event.replayed" => "Event sent again",
        "token.created" => "Token made",
        "token.revoked" => "Token revoked",
        "failed.retried" => "Failed deliveries retried",
        "failed.discarded" => "Failed deliveries discarded",
        "portal_link.created" => "Portal link made",
        "portal.entered" => "Portal opened",
        other => other,
    };
    visible(known)
}

fn actor(text: &str) -> Markup {
    html! {
        @match text.split_once(':') {
            Some(("token", token)) => { "token " (id(token)) }
            Some(("portal", session)) => { "portal " (id(session)) }
            _ if text == "admin" => "operator",
            _ => (visible(text)),
        }
    }
}

/// One member that is another one now.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    name: String,
    /// None where there was nothing before.
    before: Option<String>,
    after: String,
}

/// What differs. Where nothing was there before, what was set; where nothing is left, what there was.
fn changes(before: Option<&Value>, after: Option<&Value>, catalogue: &Catalogue) -> Vec<Change> {
    let empty = Map::new();
    let members = |value: Option<&Value>| value.and_then(Value::as_object).unwrap_or(&empty).clone();
    let (old, new) = (members(before), members(after));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let changed = names.into_iter().filter_map(|name| {
        let (was, is) = (old.get(name), new.get(name));
        if was == is || (was.is_none_or(is_nothing) && is.is_none_or(is_nothing)) {
            return None;
        }
        Some(Change {
            name: name.clone(),
            before: before.and(was).map(|_| member(&old, name, catalogue)),
            after: after.map_or_else(|| "gone".to_owned(), |_| member(&new, name, catalogue)),
        })
    });
    changed.collect()
}

/// A member as the other pages call it. What people do is to pause an endpoint; it is Hookline that disables one.
fn called(name: &str, action: &str) -> String {
    match name {
        "disabled" if action != "endpoint.disabled" => "paused".to_owned(),
        "rate" => "rate limit".to_owned(),
        "url" => "URL".to_owned(),
        other => other.replace('_', " "),
    }
}

/// A member's value. Events have the names that the endpoint's format has for them, as on its page.
fn member(of: &Map<String, Value>, name: &str, catalogue: &Catalogue) -> String {
    let format = of.get("format").and_then(Value::as_str);
    let format: Option<Format> = format.and_then(|format| format.parse().ok());
    match (of.get(name), format) {
        (Some(Value::Array(patterns)), Some(format)) if name == "events" => {
            let patterns = patterns.iter().filter_map(Value::as_str);
            let names = patterns.map(|pattern| own_name(catalogue, format, pattern));
            told(&names.collect())
        }
        (Some(value), _) => told(value),
        (None, _) => "nothing".to_owned(),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn told(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.parse().map_or_else(|_| text.clone(), exact),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(told).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let set = members.iter().filter(|(_, value)| !is_nothing(value));
            let parts: Vec<String> = set
                .map(|(name, value)| format!("{} {}", name.replace('_', " "), told(value)))
                .collect();
            match parts.is_empty() {
                true => "none".to_owned(),
                false => parts.join(", "),
            }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn all(before: Option<Value>, after: Option<Value>) -> Vec<String> {
        let changes = changes(before.as_ref(), after.as_ref(), &Catalogue::built_in());
        let line = |change: &Change| format!("{}: {:?} → {}", change.name, change.before, change.after);
        changes.iter().map(line).collect()
    }

    #[test]
    fn people_pause_an_endpoint_and_hookline_disables_one() {
        assert_eq!(called("disabled", "endpoint.changed"), "paused");
        assert_eq!(called("disabled", "endpoint.disabled"), "disabled");
        assert_eq!(called("expires_at", "token.created"), "expires at");
    }

    #[test]
    fn only_what_differs_is_told() {
        let before = json!({"url": "https://a/", "disabled": false, "events": [], "rate": null});
        let after = json!({"url": "https://a/", "disabled": true, "events": ["a", "b"], "rate": null});
        assert_eq!(
            all(Some(before), Some(after)),
            ["disabled: Some(\"no\") → yes", "events: Some(\"none\") → a, b"]
        );
        let made = json!({"url": "https://a/", "disabled": false, "headers": []});
        assert_eq!(all(None, Some(made)), ["url: None → https://a/"]);
        assert!(all(None, None).is_empty());
        let of_meetergo = json!({"format": "meetergo", "events": ["booking.created", "booking.*"]});
        assert_eq!(
            all(
                Some(json!({"format": "meetergo", "events": []})),
                Some(of_meetergo)
            ),
            ["events: Some(\"none\") → booking_created, booking.*"]
        );
        let retried = json!({"count": 3, "filter": {"again": false, "endpoint": "ep_1", "last_status": 500}});
        assert_eq!(
            all(None, Some(retried)),
            ["count: None → 3", "filter: None → endpoint ep_1, last status 500"]
        );
        let ends = json!({"expires_at": "2030-01-15T14:30:05.25Z"});
        assert_eq!(
            all(None, Some(ends)),
            ["expires_at: None → 2030-01-15 14:30:05.250 UTC"]
        );
    }
}
