//! Another secret for an endpoint, while the old one counts as well for a time.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hookline_common::endpoint::Format;
use hookline_store::{Registered, Rotated, StoreError};
use maud::{Markup, html};

use super::list::name;
use crate::api::secrets::overlap;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::EndpointOf;
use crate::pages::fields::Fields;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::{copyable, fault, head, see};
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::pages::words::time;

/// How long the old secret may count as well, as people choose it.
const OVERLAPS: [(&str, &str); 5] = [
    ("1h", "1 hour"),
    ("24h", "24 hours"),
    ("3d", "3 days"),
    ("7d", "7 days"),
    ("0s", "Not at all: the old secret has leaked"),
];
const CHOSEN: &str = "24h";

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Response, Refused> {
    let endpoint = app.store().endpoint(&tenant.company, &id).await?;
    Ok(page(&visitor, &endpoint, &form(&visitor, &endpoint)))
}

fn page(visitor: &Visitor, endpoint: &Registered, content: &Markup) -> Response {
    let list = path(&endpoint.company, "endpoints");
    let here = format!("{list}/{}", endpoint.id);
    let body = html! {
        (head(&[(&list, "Endpoints"), (&here, &name(endpoint))], "Rotate secret", &html! {}))
        (content)
    };
    Page {
        visitor,
        place: Place::Endpoints,
        title: "Rotate secret",
        body,
    }
    .into_response()
}

fn form(visitor: &Visitor, endpoint: &Registered) -> Markup {
    let here = path(&endpoint.company, &format!("endpoints/{}", endpoint.id));
    html! {
        p { "A new secret is made. For a time the old one counts as well, so that your server can change over without losing a request:" }
        ol {
            li { "Rotate here, and copy the new secret." }
            li { "Let your server verify with the new secret. " (during(endpoint.format)) }
            li { "Complete the rotation, or let the time run out: from then on only the new secret counts." }
        }
        form.stack method="post" action={ (here) "/rotate" } {
            (visitor.proof())
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
        @if format == Format::Meeva {
            code { "webhook-signature" } " holds a signature with each of the two; " code { "Meeva-Signature" }
            " is made with the old one until the rotation is completed."
        } @else {
            code { "webhook-signature" } " holds a signature with each of the two until then; either is good."
        }
    }
}

pub(in crate::pages) async fn rotate(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
    fields: Fields,
) -> Result<Response, Refused> {
    let store = app.store();
    let endpoint = store.endpoint(&tenant.company, &id).await?;
    let overlap = overlap(fields.given("overlap").as_deref())?;
    let rotated = store
        .rotate_secret(&tenant.company, &id, overlap, &tenant.actor)
        .await;
    match rotated {
        Ok(rotated) => {
            let endpoint = store.endpoint(&tenant.company, &id).await?;
            Ok(page(
                &visitor,
                &endpoint,
                &rotated_to(&visitor, &endpoint, &rotated),
            ))
        }
        Err(error @ StoreError::Rotating { .. }) => {
            let here = path(&tenant.company, &format!("endpoints/{id}"));
            let content = html! {
                (fault(&error.to_string()))
                p.actions { a.button.primary href=(here) { "To the endpoint" } }
            };
            let mut response = page(&visitor, &endpoint, &content);
            *response.status_mut() = StatusCode::CONFLICT;
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

fn rotated_to(visitor: &Visitor, endpoint: &Registered, rotated: &Rotated) -> Markup {
    let here = path(&endpoint.company, &format!("endpoints/{}", endpoint.id));
    html! {
        p.notice.good role="status" { "The endpoint has a new secret." }
        section {
            h2 { "The new secret" }
            (copyable(rotated.secret.expose(), "the new secret"))
            @if endpoint.overlap_until.is_some() {
                p { "The old one counts as well; that ends " (time(rotated.overlap_until)) ". " (during(endpoint.format)) }
            } @else {
                p { "The old one counts no more." }
            }
        }
        div.actions {
            @if endpoint.overlap_until.is_some() {
                form method="post" action={ (here) "/complete" } {
                    (visitor.proof())
                    button type="submit" { "Complete rotation now" }
                }
            }
            a.button.primary href={ (here) "/test" } { "Send test event" }
            a.button href=(here) { "To the endpoint" }
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
    Ok(see(&path(
        &tenant.company,
        &format!("endpoints/{id}?done=completed"),
    )))
}
