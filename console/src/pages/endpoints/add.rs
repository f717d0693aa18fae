//! A new endpoint: the form, and after it the secret with what one needs to verify what will come.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_common::ids::EndpointId;
use hookline_common::secret::Secret;
use hookline_store::{Registered, StoreError, new_endpoint_id};
use maud::html;

use super::draft::{Draft, Fault};
use super::form::Form;
use super::list::{all, full, name};
use super::page::at;
use crate::app::App;
use crate::auth::Tenant;
use crate::pages::fields::Fields;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::{copyable, head, see};
use crate::pages::refused::Refused;
use crate::pages::snippets::snippets;
use crate::pages::visitor::Visitor;
use crate::pages::words;
use crate::problem::Problem;

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
) -> Result<Response, Refused> {
    let draft = Draft::new(new_endpoint_id()?.to_string(), app.settings().default_format);
    form(&app, &visitor, &tenant, &draft, &Fault::default()).await
}

async fn form(
    app: &App,
    visitor: &Visitor,
    tenant: &Tenant,
    draft: &Draft,
    fault: &Fault,
) -> Result<Response, Refused> {
    let limit = app.settings().endpoints_per_company;
    let count = all(app, &tenant.company).await?.len() as u64;
    let list = path(&tenant.company, "endpoints");
    let room = html! { span.hint.limit { (count) " of " (words::count(limit.into(), "endpoint")) } };
    let form = Form {
        visitor,
        catalogue: &app.settings().catalogue,
        draft,
        fault,
        action: list.clone(),
        check: path(&tenant.company, "check-url"),
        submit: "Add endpoint",
        cancel: list.clone(),
    };
    let body = html! {
        (head(&[(&list, "Endpoints")], "Add endpoint", &room))
        @if count >= u64::from(limit) {
            (full(limit))
            p.actions { a.button href=(list) { "To the endpoints" } }
        } @else {
            (form.render())
        }
    };
    let page = Page {
        visitor,
        place: Place::Endpoints,
        title: "Add endpoint",
        body,
    };
    Ok(page.into_response())
}

pub(in crate::pages) async fn create(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    fields: Fields,
) -> Result<Response, Refused> {
    let settings = app.settings();
    let draft = Draft::read(&fields, settings.default_format);
    let checked = draft
        .create()
        .and_then(|create| create.checked(settings, tenant.is_admin()));
    let mut new = match checked {
        Ok(new) => new,
        Err(problem) => return again(&app, &visitor, &tenant, &draft, &problem).await,
    };
    new.id = own_id(&draft.id).unwrap_or(new.id);
    let limit = settings.endpoints_per_company;
    let created = app
        .store()
        .create_endpoint(&tenant.company, &new, limit, &tenant.actor)
        .await;
    match created {
        Ok(endpoint) => Ok(added(&visitor, &endpoint, &new.secret)),
        // The form was sent twice: it is there, and its secret was shown.
        Err(StoreError::Exists) => Ok(see(&format!("{}?done=exists", at(&tenant, &new.id)))),
        Err(error @ StoreError::LimitReached { .. }) => {
            again(&app, &visitor, &tenant, &draft, &Problem::from(error)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Its secret, and what one needs to verify what will come.
fn added(visitor: &Visitor, endpoint: &Registered, secret: &Secret) -> Response {
    let list = path(&endpoint.company, "endpoints");
    let one = format!("{list}/{}", endpoint.id);
    let body = html! {
        (head(&[(&list, "Endpoints"), (&one, &name(endpoint))], "Endpoint added", &html! {}))
        p.notice.good role="status" { "From now on the events that it is for are sent to " strong { (name(endpoint)) } "." }
        section {
            h2 { "Its secret" }
            p { "Every request is signed with it; your server needs it to know that a request comes from us. Keep it like a password." }
            (copyable(secret.expose(), "the secret"))
        }
        section {
            h2 { "Verify what comes" }
            (snippets(endpoint.format, Some(secret)))
        }
        section {
            h2 { "Try it" }
            p { "Send one event of any type, and see what your server answers." }
            p.actions {
                a.button.primary href={ (one) "/test" } { "Send test event" }
                a.button href=(one) { "To the endpoint" }
            }
        }
    };
    Page {
        visitor,
        place: Place::Endpoints,
        title: "Endpoint added",
        body,
    }
    .into_response()
}

/// The form once more, with all that was typed.
async fn again(
    app: &App,
    visitor: &Visitor,
    tenant: &Tenant,
    draft: &Draft,
    problem: &Problem,
) -> Result<Response, Refused> {
    let form = form(app, visitor, tenant, draft, &Fault::of(problem)).await?;
    Ok((problem.status(), form).into_response())
}

/// An id that the form was shown with, in the shape that ours have.
fn own_id(text: &str) -> Option<EndpointId> {
    let digits = text.strip_prefix("ep_")?;
    let is_ours = digits.len() == 32
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_ours.then(|| EndpointId::parse(text).ok()).flatten()
}
