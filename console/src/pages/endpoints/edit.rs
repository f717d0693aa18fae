//! An endpoint with other settings.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_store::StoreError;

use super::draft::{Draft, Fault};
use super::form::Form;
use super::page::EndpointPage;
use crate::app::App;
use crate::pages::fields::Fields;
use crate::pages::navigation::path;
use crate::pages::parts::see;
use crate::pages::refused::Refused;
use crate::problem::Problem;

pub(in crate::pages) async fn show(State(app): State<App>, page: EndpointPage) -> Response {
    let draft = Draft::of(&page.endpoint, &app.settings().catalogue);
    form(&app, &page, &draft, &Fault::default())
}

fn form(app: &App, page: &EndpointPage, draft: &Draft, fault: &Fault) -> Response {
    let here = page.here();
    let form = Form {
        visitor: &page.visitor,
        catalogue: &app.settings().catalogue,
        draft,
        fault,
        action: format!("{here}/edit"),
        check: path(&page.endpoint.company, "check-url"),
        submit: "Save",
        cancel: here,
    };
    page.show("Edit endpoint", &form.render())
}

pub(in crate::pages) async fn change(
    State(app): State<App>,
    page: EndpointPage,
    fields: Fields,
) -> Result<Response, Refused> {
    let EndpointPage { tenant, endpoint, .. } = &page;
    let draft = Draft::read(&fields, endpoint.format);
    let checked = draft
        .change()
        .and_then(|change| change.checked(app.settings(), tenant.is_admin()));
    let change = match checked {
        Ok(change) => change,
        Err(problem) => return Ok(again(&app, &page, &draft, &problem)),
    };
    let changed = app
        .store()
        .change_endpoint(&tenant.company, &endpoint.id, &change, &tenant.actor)
        .await;
    match changed {
        Ok(_) => Ok(see(&format!("{}?done=saved", page.here()))),
        Err(error @ StoreError::Change(_)) => {
            let problem = Problem::invalid(format!("headers: {error}"));
            Ok(again(&app, &page, &draft, &problem))
        }
        Err(error) => Err(error.into()),
    }
}

/// The form once more, with all that was typed.
fn again(app: &App, page: &EndpointPage, draft: &Draft, problem: &Problem) -> Response {
    let form = form(app, page, draft, &Fault::of(problem));
    (problem.status(), form).into_response()
}
