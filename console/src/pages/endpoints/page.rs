//! What all pages of one endpoint share: who looks at which endpoint, and the head above what each of them says.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use hookline_common::ids::EndpointId;
use hookline_store::Registered;
use maud::{Markup, html};

use super::list::name;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::EndpointOf;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::head;
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;

/// A page about the endpoint of the path, which is there and is the company's.
pub(in crate::pages) struct EndpointPage {
    pub(in crate::pages) visitor: Visitor,
    pub(in crate::pages) tenant: Tenant,
    pub(in crate::pages) endpoint: Registered,
}

impl FromRequestParts<App> for EndpointPage {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let tenant = Tenant::from_request_parts(parts, app).await?;
        let EndpointOf(id) = EndpointOf::from_request_parts(parts, app).await?;
        let endpoint = app.store().endpoint(&tenant.company, &id).await?;
        Ok(Self {
            visitor: Visitor::of(&parts.extensions),
            tenant,
            endpoint,
        })
    }
}

impl EndpointPage {
    /// Where the endpoint's own page is; the others lie below it.
    pub(in crate::pages) fn here(&self) -> String {
        at(&self.tenant, &self.endpoint.id)
    }

    /// The whole page, for one below the endpoint's own.
    pub(in crate::pages) fn show(&self, title: &str, content: &Markup) -> Response {
        self.show_with(title, &html! {}, content)
    }

    /// The same, with what can be done beside its title.
    pub(in crate::pages) fn show_with(&self, title: &str, actions: &Markup, content: &Markup) -> Response {
        let list = path(&self.endpoint.company, "endpoints");
        let trail = [(&*list, "Endpoints"), (&self.here(), &name(&self.endpoint))];
        Page {
            visitor: &self.visitor,
            place: Place::Endpoints,
            title,
            body: html! {
                (head(&trail, title, actions))
                (content)
            },
        }
        .into_response()
    }
}

/// Where this endpoint's page is.
pub(in crate::pages) fn at(tenant: &Tenant, id: &EndpointId) -> String {
    path(&tenant.company, &format!("endpoints/{id}"))
}
