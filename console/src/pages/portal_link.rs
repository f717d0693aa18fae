//! A link into a company's own dashboard, made by hand; the platform's own programs make them over the API.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use super::layout::Page;
use super::navigation::{Place, path};
use super::parts::{copyable, head};
use super::refused::Refused;
use super::visitor::Visitor;
use super::words::fixed;
use crate::api::portal_links::{Address, make};
use crate::app::App;
use crate::auth::Tenant;

pub(super) async fn show(visitor: Visitor, tenant: Tenant) -> Response {
    page(&visitor, &tenant, None)
}

fn page(visitor: &Visitor, tenant: &Tenant, made: Option<Markup>) -> Response {
    let is_made = made.is_some();
    let over_the_api = format!("POST /v1/companies/{}/portal-links", tenant.company);
    let body = html! {
        (head(&[], "Portal link", &html! {}))
        p { "Lets one of " strong { (tenant.company) } "'s own people into this company's dashboard: its endpoints and their secrets, its deliveries and what failed, and nothing of others. It works once, within five minutes; after that they stay signed in for two hours." }
        @if let Some(made) = made { (made) }
        form method="post" action=(path(&tenant.company, "portal-link")) {
            (visitor.proof())
            div.actions { button.primary type="submit" { @if is_made { "Make another link" } @else { "Make a link" } } }
        }
        section {
            h2 { "From the booking product" }
            p { "The product makes such a link over the API when somebody clicks on “Webhooks”, and opens it in a new tab:" }
            (copyable(&over_the_api, "the request"))
            p.hint { "With the operator's token, or with one of this company's own: the visit then ends with that token. The answer has " code { "url" } " and " code { "expires_at" } "." }
        }
    };
    Page {
        visitor,
        place: Place::PortalLink,
        title: "Portal link",
        body,
    }
    .into_response()
}

pub(super) async fn create(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    address: Address,
) -> Result<Response, Refused> {
    let (url, expires_at) = make(&app, &tenant, &address).await?;
    let made = html! {
        p.notice.good role="status" { "The link works once, until " (fixed(expires_at, "%H:%M:%S UTC")) "." }
        (copyable(&url, "the link"))
    };
    Ok(page(&visitor, &tenant, Some(made)))
}
