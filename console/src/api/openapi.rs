//! The description of all routes, made of the same rows as the router.

use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use super::routes::table;
use crate::app::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookline",
        description = "Webhooks of booking platforms: where companies want their events, and what becomes of them.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/", description = "This console")),
    security(("bearer" = [])),
    tags(
        (name = "events", description = "What happened, published for every endpoint that wants it; and which types there are"),
        (name = "endpoints", description = "Where a company wants which events"),
        (name = "secrets", description = "What an endpoint's requests are signed with"),
        (name = "tokens", description = "What a company's programs sign in with"),
        (name = "audit", description = "Who did what"),
        (name = "meta", description = "The API itself"),
        (name = "health", description = "What probes and scrapers ask")
    )
)]
struct Description;

/// The description as JSON.
#[must_use]
pub fn description() -> String {
    let mut api = Description::openapi();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "The operator's token, or one of a company's own, which sees that company alone",
        ))
        .build();
    let components = api.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let router = OpenApiRouter::<App>::with_openapi(api);
    let (_, api) = table()
        .into_iter()
        .fold(router, |router, row| router.routes(row.route))
        .split_for_parts();
    api.to_pretty_json().unwrap_or_default()
}
