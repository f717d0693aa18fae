//! All pages together, each behind the check that its row asks for.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use super::access::{anybody, authorize};
use super::headers::safe;
use super::routes::table;
use crate::app::App;
use crate::auth::Asks;

/// The router of the dashboard.
pub(crate) fn router(app: &App) -> Router<App> {
    let router = table().into_iter().fold(Router::new(), |router, row| {
        if row.is_same_for_all {
            return router.route(row.path, row.handler.route_layer(from_fn(anybody)));
        }
        let asks = Asks {
            access: row.access,
            audited: row.audited,
        };
        let check = from_fn_with_state((app.clone(), asks), authorize);
        router.route(row.path, row.handler.route_layer(check))
    });
    router.layer(from_fn(safe))
}
