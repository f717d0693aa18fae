//! The description of the API, for programs.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "meta", operation_id = "getOpenapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn document(State(app): State<App>) -> Response {
    let content_type = [(CONTENT_TYPE, "application/json")];
    (content_type, app.description().to_owned()).into_response()
}
