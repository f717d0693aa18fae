//! An endpoint's secret: revealed, rotated with an overlap, and the rotation completed.

use axum::extract::State;
use hookline_common::duration;
use hookline_store::Overlap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoints::with_health;
use super::view::EndpointView;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::{EndpointOf, Json, OptionalJson};
use crate::problem::{Problem, ProblemBody};

/// Long enough for a person to put the new secret in place within a working day.
const DEFAULT_OVERLAP: &str = "24h";

/// A secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecretView {
    /// The secret.
    secret: String,
}

/// How to rotate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateSecret {
    /// How long the old secret counts as well: `0s` (revokes it at once) to `7d`, `24h` by default.
    #[schema(pattern = "^[0-9]{1,9}(ms|s|m|h|d)$")]
    overlap: Option<String>,
}

/// The new secret, and how long the old one counts as well.
#[derive(Serialize, ToSchema)]
pub(crate) struct RotatedSecret {
    /// The new secret.
    secret: String,
    /// Until when the old one counts as well.
    #[schema(format = DateTime)]
    overlap_until: String,
}

/// Reveal an endpoint's secret. That it was shown stands in the audit.
#[utoipa::path(get, path = "/v1/companies/{company}/endpoints/{id}/secret", tag = "secrets", operation_id = "revealSecret",
    params(("company" = String, Path, description = "The company"), ("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The secret", body = SecretView),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn reveal(
    State(app): State<App>,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Json<SecretView>, Problem> {
    let secret = app
        .store()
        .reveal_secret(&tenant.company, &id, &tenant.actor)
        .await?;
    Ok(Json(SecretView {
        secret: secret.expose().to_owned(),
    }))
}

/// Give an endpoint a new secret, while the old one counts as well for a time.
#[utoipa::path(post, path = "/v1/companies/{company}/endpoints/{id}/rotate-secret", tag = "secrets",
    operation_id = "rotateSecret",
    params(("company" = String, Path, description = "The company"), ("id" = String, Path, description = "The endpoint")),
    request_body(content = Option<RotateSecret>),
    responses(
        (status = 200, description = "The new secret", body = RotatedSecret),
        (status = 409, description = "The last rotation still overlaps", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn rotate(
    State(app): State<App>,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
    OptionalJson(body): OptionalJson<RotateSecret>,
) -> Result<Json<RotatedSecret>, Problem> {
    let overlap = overlap(body.and_then(|body| body.overlap).as_deref())?;
    let rotated = app
        .store()
        .rotate_secret(&tenant.company, &id, overlap, &tenant.actor)
        .await?;
    Ok(Json(RotatedSecret {
        secret: rotated.secret.expose().to_owned(),
        overlap_until: rotated.overlap_until.to_string(),
    }))
}

/// How long the old secret is to count as well.
pub(crate) fn overlap(text: Option<&str>) -> Result<Overlap, Problem> {
    let overlap = duration::parse(text.unwrap_or(DEFAULT_OVERLAP)).and_then(Overlap::new);
    overlap.ok_or_else(|| Problem::invalid("overlap: must be a duration from 0s to 7d, like 24h"))
}

/// Complete a rotation: from now on only the new secret counts.
#[utoipa::path(post, path = "/v1/companies/{company}/endpoints/{id}/rotate-secret/complete", tag = "secrets",
    operation_id = "completeRotation",
    params(("company" = String, Path, description = "The company"), ("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The endpoint as it is now", body = EndpointView),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn complete(
    State(app): State<App>,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Json<EndpointView>, Problem> {
    app.store()
        .complete_rotation(&tenant.company, &id, &tenant.actor)
        .await?;
    let endpoint = app.store().endpoint(&tenant.company, &id).await?;
    Ok(Json(with_health(&app, endpoint).await?))
}
