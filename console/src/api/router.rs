//! The API's routes together, each behind the check that its row asks for.

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa::openapi::path::Paths;

use super::routes::table;
use crate::app::App;
use crate::auth::{Asks, authorize};

/// The router, which still lacks what it has in common with the dashboard's.
pub(crate) fn router(app: &App) -> Router<App> {
    table().into_iter().fold(Router::new(), |router, row| {
        let (_, paths, handler) = row.route;
        let asks = Asks {
            access: row.access,
            audited: row.audited,
        };
        let check = from_fn_with_state((app.clone(), asks), authorize);
        router.route(&path(&paths), handler.route_layer(check))
    })
}

/// A row has one path.
fn path(paths: &Paths) -> String {
    paths.paths.keys().next().cloned().unwrap_or_default()
}
