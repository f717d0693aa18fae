//! The guard's word on a URL while it is typed. The form is judged again, by the same function, when it is sent.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::api::input;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::Json;
use crate::pages::fields::Fields;
use crate::pages::words::{sentence, visible};

/// What is said of it.
#[derive(Serialize)]
struct Verdict {
    /// Empty where there is nothing against it.
    fault: String,
}

pub(in crate::pages) async fn check(State(app): State<App>, tenant: Tenant, fields: Fields) -> Response {
    let fault = match input::url(&app.settings().policy, fields.text("url"), tenant.is_admin()) {
        Ok(_) => String::new(),
        Err(problem) => sentence(&visible(problem.detail())),
    };
    Json(Verdict { fault }).into_response()
}
