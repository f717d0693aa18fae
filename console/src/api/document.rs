//! The description of the API: for programs, and as a page for people.

use std::sync::OnceLock;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::reference::{STYLE, page};
use crate::app::App;

/// The page needs its own style and nothing else.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// It is the same for as long as the program runs.
static PAGE: OnceLock<String> = OnceLock::new();

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "meta", operation_id = "getOpenapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn document(State(app): State<App>) -> Response {
    let content_type = [(CONTENT_TYPE, "application/json")];
    (content_type, app.description().to_owned()).into_response()
}

/// This description as a page.
#[utoipa::path(get, path = "/docs", tag = "meta", operation_id = "getDocs", security(()),
    responses((status = 200, description = "A page for people", body = String, content_type = "text/html")))]
pub(crate) async fn docs(State(app): State<App>) -> Response {
    let page = PAGE.get_or_init(|| page(app.description()));
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, PAGE_POLICY),
    ];
    (headers, page.as_str()).into_response()
}

/// The style of that page.
#[utoipa::path(get, path = "/docs/style.css", tag = "meta", operation_id = "getDocsStyle", security(()),
    responses((status = 200, description = "CSS", body = String, content_type = "text/css")))]
pub(crate) async fn style() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8"),
        (CACHE_CONTROL, "max-age=3600"),
    ];
    (headers, STYLE).into_response()
}
