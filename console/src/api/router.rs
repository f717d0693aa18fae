//! All routes together, each behind the check that its row asks for.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa::openapi::path::Paths;

use super::routes::table;
use crate::app::App;
use crate::auth::{Asks, authorize};
use crate::meters;
use crate::problem::Problem;

/// The router.
pub(crate) fn router(app: App) -> Router {
    let router = table().into_iter().fold(Router::new(), |router, row| {
        let (_, paths, handler) = row.route;
        let asks = Asks {
            access: row.access,
            is_audited: row.is_audited,
        };
        let check = from_fn_with_state((app.clone(), asks), authorize);
        router.route(&path(&paths), handler.route_layer(check))
    });
    router
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn(meters::measure))
        .with_state(app)
}

/// A row has one path.
fn path(paths: &Paths) -> String {
    paths.paths.keys().next().cloned().unwrap_or_default()
}
