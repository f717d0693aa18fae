//! An endpoint with other settings.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_store::{Registered, StoreError};
use maud::html;

use super::draft::{Draft, Fault};
use super::form::Form;
use super::list::name;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::EndpointOf;
use crate::pages::fields::Fields;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::{head, see};
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::problem::Problem;

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Response, Refused> {
    let endpoint = app.store().endpoint(&tenant.company, &id).await?;
    let draft = Draft::of(&endpoint, &app.settings().catalogue);
    Ok(form(&app, &visitor, &endpoint, &draft, &Fault::default()))
}

fn form(app: &App, visitor: &Visitor, endpoint: &Registered, draft: &Draft, fault: &Fault) -> Response {
    let list = path(&endpoint.company, "endpoints");
    let here = format!("{list}/{}", endpoint.id);
    let form = Form {
        visitor,
        catalogue: &app.settings().catalogue,
        draft,
        fault,
        action: format!("{here}/edit"),
        check: path(&endpoint.company, "check-url"),
        submit: "Save",
        cancel: here.clone(),
    };
    let body = html! {
        (head(&[(&list, "Endpoints"), (&here, &name(endpoint))], "Edit endpoint", &html! {}))
        (form.render())
    };
    Page {
        visitor,
        place: Place::Endpoints,
        title: "Edit endpoint",
        body,
    }
    .into_response()
}

pub(in crate::pages) async fn change(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
    fields: Fields,
) -> Result<Response, Refused> {
    let endpoint = app.store().endpoint(&tenant.company, &id).await?;
    let draft = Draft::read(&fields, endpoint.format);
    let checked = draft
        .change()
        .and_then(|change| change.checked(app.settings(), tenant.is_admin()));
    let change = match checked {
        Ok(change) => change,
        Err(problem) => return Ok(again(&app, &visitor, &endpoint, &draft, &problem)),
    };
    let changed = app
        .store()
        .change_endpoint(&tenant.company, &id, &change, &tenant.actor)
        .await;
    match changed {
        Ok(_) => Ok(see(&path(&tenant.company, &format!("endpoints/{id}?done=saved")))),
        Err(error @ StoreError::Change(_)) => {
            let problem = Problem::invalid(format!("headers: {error}"));
            Ok(again(&app, &visitor, &endpoint, &draft, &problem))
        }
        Err(error) => Err(error.into()),
    }
}

/// The form once more, with all that was typed.
fn again(app: &App, visitor: &Visitor, endpoint: &Registered, draft: &Draft, problem: &Problem) -> Response {
    let mut response = form(app, visitor, endpoint, draft, &Fault::of(problem));
    *response.status_mut() = problem.status();
    response
}
