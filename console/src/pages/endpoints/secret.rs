//! What an endpoint verifies with. Showing it is a deed that stands in the audit, so it takes a form.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_common::secret::Secret;
use hookline_store::Registered;
use maud::html;

use super::list::name;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::EndpointOf;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::{copyable, head};
use crate::pages::refused::Refused;
use crate::pages::snippets::snippets;
use crate::pages::visitor::Visitor;

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Response, Refused> {
    let endpoint = app.store().endpoint(&tenant.company, &id).await?;
    Ok(page(&visitor, &endpoint, None))
}

pub(in crate::pages) async fn reveal(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Response, Refused> {
    let store = app.store();
    let endpoint = store.endpoint(&tenant.company, &id).await?;
    let secret = store.reveal_secret(&tenant.company, &id, &tenant.actor).await?;
    Ok(page(&visitor, &endpoint, Some(&secret)))
}

fn page(visitor: &Visitor, endpoint: &Registered, secret: Option<&Secret>) -> Response {
    let list = path(&endpoint.company, "endpoints");
    let here = format!("{list}/{}", endpoint.id);
    let body = html! {
        (head(&[(&list, "Endpoints"), (&here, &name(endpoint))], "Secret and code", &html! {}))
        section {
            h2 { "Secret" }
            @if let Some(secret) = secret {
                p { "Keep it like a password. That it was shown stands in the audit." }
                (copyable(secret.expose(), "the secret"))
            } @else {
                p { "It is shown when you ask for it, and that stands in the audit." }
                form method="post" action={ (here) "/secret" } {
                    (visitor.proof())
                    div.actions { button.primary type="submit" { "Show the secret" } }
                }
            }
        }
        section {
            h2 { "Verify what comes" }
            (snippets(endpoint.format, secret))
        }
    };
    Page {
        visitor,
        place: Place::Endpoints,
        title: "Secret and code",
        body,
    }
    .into_response()
}
