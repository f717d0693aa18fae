//! Another secret for an endpoint, while the old one counts as well for a time.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hookline_common::endpoint::Format;
use hookline_store::{Rotated, StoreError};
use jiff::Timestamp;
use maud::{Markup, html};

use super::page::{EndpointPage, at};
use crate::api::secrets::overlap;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::EndpointOf;
use crate::pages::fields::Fields;
use crate::pages::parts::{copyable, fault, see};
use crate::pages::refused::Refused;
use crate::pages::words::fixed;

/// How long the old secret may count as well, as people choose it.
const OVERLAPS: [(&str, &str); 5] = [
    ("1h", "1 hour"),
    ("24h", "24 hours"),
    ("3d", "3 days"),
    ("7d", "7 days"),
    ("0s", "Not at all: the old secret has leaked"),
];
const CHOSEN: &str = "24h";

/// What the page is called before the secret is another one.
const TITLE: &str = "Rotate secret";
/// How the end of an overlap is told: it may be days away.
pub(super) const OVERLAP_END: &str = "%b %-d, %H:%M UTC";

pub(in crate::pages) async fn show(page: EndpointPage) -> Response {
    page.show(TITLE, &form(&page))
}

fn form(page: &EndpointPage) -> Markup {
    let here = page.here();
    html! {
        p { "A new secret is made. For a time the old one counts as well, so that your server can change over without losing a request:" }
        ol {
            li { "Rotate here, and copy the new secret." }
            li { "Let your server verify with the new secret. " (during(page.endpoint.format)) }
            li { "End the old secret, or let the time run out: from then on only the new one counts." }
        }
        form.stack method="post" action={ (here) "/rotate" } {
            (page.visitor.proof())
            fieldset.field.choices {
                legend { "How long both count" }
                @for (value, name) in OVERLAPS {
                    label.choice {
                        input type="radio" name="overlap" value=(value) checked[value == CHOSEN];
                        span { (name) }
                    }
                }
            }
            div.actions {
                button.primary type="submit" { "Rotate secret" }
                a.button href=(here) { "Cancel" }
            }
        }
    }
}

/// What a receiver sees while both count.
fn during(format: Format) -> Markup {
    html! {
        "While both count, " code { "webhook-signature" } " holds two signatures, one with each secret; accept either."
        @if format == Format::Meeva {
            " " code { "Meeva-Signature" } " is made with the old one until that ends."
        }
    }
}

pub(in crate::pages) async fn rotate(
    State(app): State<App>,
    mut page: EndpointPage,
    fields: Fields,
) -> Result<Response, Refused> {
    let (company, id) = (&page.tenant.company, &page.endpoint.id);
    let overlap = overlap(fields.given("overlap").as_deref())?;
    let rotated = app
        .store()
        .rotate_secret(company, id, overlap, &page.tenant.actor)
        .await;
    match rotated {
        Ok(rotated) => {
            page.endpoint = app.store().endpoint(company, id).await?;
            Ok(page.show("Secret rotated", &rotated_to(&page, &rotated)))
        }
        Err(error @ StoreError::Rotating { .. }) => {
            let content = html! {
                (fault(&error.to_string()))
                p.actions { a.button.primary href=(page.here()) { "To the endpoint" } }
            };
            Ok((StatusCode::CONFLICT, page.show(TITLE, &content)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

fn rotated_to(page: &EndpointPage, rotated: &Rotated) -> Markup {
    let (here, endpoint) = (page.here(), &page.endpoint);
    html! {
        p.notice.good role="status" { "The endpoint has a new secret." }
        section {
            h2 { "The new secret" }
            (copyable(rotated.secret.expose(), "the new secret"))
            @if endpoint.overlap_until.is_some() {
                p { "The old one counts as well until " (fixed(rotated.overlap_until, OVERLAP_END)) ". " (during(endpoint.format)) }
            } @else {
                p { "The old one counts no more." }
            }
        }
        div.actions {
            a.button.primary href={ (here) "/test" } { "Send test event" }
            a.button href=(here) { "To the endpoint" }
            @if endpoint.overlap_until.is_some() {
                a.button.danger href={ (here) "/complete" } { "End the old secret now…" }
            }
        }
    }
}

/// A server that still verifies with the old secret refuses everything once it has ended, so that is asked first.
pub(in crate::pages) async fn ask(page: EndpointPage) -> Response {
    let overlap = page.endpoint.overlap_until;
    let content = match overlap.filter(|until| *until > Timestamp::now()) {
        Some(until) => question(&page, until),
        None => html! {
            p { "It has ended already: only one secret counts." }
            p.actions { a.button.primary href=(page.here()) { "To the endpoint" } }
        },
    };
    page.show("End the old secret now?", &content)
}

fn question(page: &EndpointPage, until: Timestamp) -> Markup {
    let here = page.here();
    html! {
        ul {
            li { "Requests are signed with the new secret alone. A server that verifies with the old one refuses them." }
            li { "This cannot be undone." }
        }
        p { "Left alone, it ends by itself on " (fixed(until, OVERLAP_END)) "." }
        form method="post" action={ (here) "/complete" } {
            (page.visitor.proof())
            div.actions {
                button.danger type="submit" { "End the old secret" }
                a.button href=(here) { "Keep both" }
            }
        }
    }
}

pub(in crate::pages) async fn complete(
    State(app): State<App>,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Response, Refused> {
    let store = app.store();
    store
        .complete_rotation(&tenant.company, &id, &tenant.actor)
        .await?;
    Ok(see(&format!("{}?done=completed", at(&tenant, &id))))
}
