//! What an endpoint verifies with. Showing it is a deed that stands in the audit, so it takes a form.

use axum::extract::State;
use axum::response::Response;
use hookline_common::secret::Secret;
use maud::html;

use super::page::EndpointPage;
use crate::app::App;
use crate::pages::parts::copyable;
use crate::pages::refused::Refused;
use crate::pages::snippets::snippets;

pub(in crate::pages) async fn show(page: EndpointPage) -> Response {
    with(&page, None)
}

pub(in crate::pages) async fn reveal(
    State(app): State<App>,
    page: EndpointPage,
) -> Result<Response, Refused> {
    let EndpointPage { tenant, endpoint, .. } = &page;
    let store = app.store();
    let secret = store
        .reveal_secret(&tenant.company, &endpoint.id, &tenant.actor)
        .await?;
    Ok(with(&page, Some(&secret)))
}

fn with(page: &EndpointPage, secret: Option<&Secret>) -> Response {
    let content = html! {
        section {
            h2 { "Secret" }
            @if let Some(secret) = secret {
                p { "Keep it like a password. The audit records that it was shown." }
                (copyable(secret.expose(), "the secret"))
            } @else {
                p { "It is shown when you ask for it, and the audit records that." }
                form method="post" action={ (page.here()) "/secret" } {
                    (page.visitor.proof())
                    div.actions { button.primary type="submit" { "Show the secret" } }
                }
            }
        }
        section {
            h2 { "Verify what comes" }
            (snippets(page.endpoint.format, secret))
        }
    };
    page.show("Secret and code", &content)
}
