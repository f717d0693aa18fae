//! An endpoint that is no more, after a question that names what goes.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use maud::html;

use super::list::name;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::EndpointOf;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::{head, see};
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::pages::words::visible;

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Response, Refused> {
    let endpoint = app.store().endpoint(&tenant.company, &id).await?;
    let list = path(&tenant.company, "endpoints");
    let here = format!("{list}/{id}");
    let name = name(&endpoint);
    let body = html! {
        (head(&[(&list, "Endpoints"), (&here, &name)], &format!("Remove {name}?"), &html! {}))
        p { "Nothing will be sent any more to " span.url { (visible(&endpoint.url)) } "." }
        ul {
            li { "Deliveries that are still on their way or waiting for a retry are discarded." }
            li { "Its secret is gone. An endpoint with the same URL would get a new one." }
            li { "What was delivered stays in the log." }
        }
        p { "To stop for a while only, pause it instead." }
        form method="post" action={ (here) "/remove" } {
            (visitor.proof())
            div.actions {
                button.danger type="submit" { "Remove for good" }
                a.button href=(here) { "Keep it" }
            }
        }
    };
    let page = Page {
        visitor: &visitor,
        place: Place::Endpoints,
        title: "Remove endpoint",
        body,
    };
    Ok(page.into_response())
}

pub(in crate::pages) async fn remove(
    State(app): State<App>,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Response, Refused> {
    let store = app.store();
    store.remove_endpoint(&tenant.company, &id, &tenant.actor).await?;
    Ok(see(&path(&tenant.company, "endpoints?done=removed")))
}
