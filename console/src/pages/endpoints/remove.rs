//! An endpoint that is no more, after a question that names what goes.

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::list::name;
use super::page::EndpointPage;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::EndpointOf;
use crate::pages::navigation::path;
use crate::pages::parts::see;
use crate::pages::refused::Refused;
use crate::pages::words::visible;

pub(in crate::pages) async fn show(page: EndpointPage) -> Response {
    let here = page.here();
    let question = html! {
        p { "Nothing will be sent any more to " span.url { (visible(&page.endpoint.url)) } "." }
        ul {
            li { "Deliveries that are still on their way or waiting for a retry are discarded." }
            li { "Its secret is gone. An endpoint with the same URL would get a new one." }
            li { "What was delivered stays in the log." }
        }
        p { "To stop for a while only, pause it instead." }
        form method="post" action={ (here) "/remove" } {
            (page.visitor.proof())
            div.actions {
                button.danger type="submit" { "Remove for good" }
                a.button href=(here) { "Keep it" }
            }
        }
    };
    page.show(&format!("Remove {}?", name(&page.endpoint)), &question)
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
