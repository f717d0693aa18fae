//! The description of all routes, made of the same rows as the router.

use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use super::complete::complete;
use super::routes::{routes, table};
use crate::app::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookline",
        description = "Webhooks of booking platforms: where companies want their events, and what becomes of them. Every \
            request carries a bearer token: the operator's, or one of a company, which sees that company alone. What went \
            wrong is told as RFC 9457 has it, with a `code` for programs that does not change. Lists come a page at a time: \
            give `next` as `cursor` until it is null. Times are RFC 3339 in UTC.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/", description = "This console")),
    security(("bearer" = [])),
    tags(
        (name = "events", description = "What happened, published for every endpoint that wants it; and which types there are"),
        (name = "endpoints", description = "Where a company wants which events"),
        (name = "secrets", description = "What an endpoint's requests are signed with"),
        (name = "deliveries", description = "What became of each event at each endpoint, and what fails"),
        (name = "tokens", description = "What a company's programs sign in with"),
        (name = "failed", description = "What failed for good: shown, sent again, discarded"),
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
    let mut api = serde_json::to_value(&api).unwrap_or_default();
    complete(&mut api, &routes());
    serde_json::to_string_pretty(&api).unwrap_or_default() + "\n"
}
