//! Everything that is served: the API for programs and the dashboard for people.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::app::App;
use crate::problem::Problem;
use crate::{api, meters, pages};

/// The router.
pub(crate) fn router(app: App) -> Router {
    api::router(&app)
        .merge(pages::router(&app))
        .fallback(pages::nothing_here)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn_with_state(app.clone(), pages::over_tls_only))
        .layer(from_fn(meters::measure))
        .with_state(app)
}
