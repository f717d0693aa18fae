//! Endpoints: registered, listed, shown, changed, removed.

use std::slice;

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hookline_common::ids::EndpointId;
use hookline_store::{EndpointHealth, Registered};
use serde::Serialize;
use utoipa::ToSchema;

use super::input::{ChangeEndpoint, CreateEndpoint};
use super::view::{EndpointView, List};
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::{EndpointOf, Json, PageOf, PageQuery};
use crate::problem::{Problem, ProblemBody};

/// A new endpoint, with its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedEndpoint {
    #[serde(flatten)]
    endpoint: EndpointView,
    /// What its requests are signed with.
    secret: String,
}

/// List a company's endpoints, in the order in which they were registered.
#[utoipa::path(get, path = "/v1/companies/{company}/endpoints", tag = "endpoints", operation_id = "listEndpoints",
    params(("company" = String, Path, description = "The company"), PageQuery),
    responses(
        (status = 200, description = "A page of them", body = List<EndpointView>),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(State(app): State<App>, tenant: Tenant, page: PageOf) -> Result<Response, Problem> {
    let found = app
        .store()
        .endpoints(&tenant.company, page.cursor, page.limit)
        .await?;
    let ids: Vec<EndpointId> = found.items.iter().map(|endpoint| endpoint.id.clone()).collect();
    let health = app.store().health(&tenant.company, &ids).await?;
    Ok(Json(List::of_endpoints(found, health)).into_response())
}

/// Register an endpoint. The answer holds its secret.
#[utoipa::path(post, path = "/v1/companies/{company}/endpoints", tag = "endpoints", operation_id = "createEndpoint",
    params(("company" = String, Path, description = "The company")), request_body = CreateEndpoint,
    responses(
        (status = 201, description = "Registered", body = CreatedEndpoint),
        (status = 409, description = "The company has as many as it may have, or one with this id", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn create(
    State(app): State<App>,
    tenant: Tenant,
    Json(body): Json<CreateEndpoint>,
) -> Result<Response, Problem> {
    let settings = app.settings();
    let new = body.checked(settings, tenant.is_admin())?;
    let limit = settings.endpoints_per_company;
    let endpoint = app
        .store()
        .create_endpoint(&tenant.company, &new, limit, &tenant.actor)
        .await?;
    let location = format!("/v1/companies/{}/endpoints/{}", tenant.company, endpoint.id);
    let created = CreatedEndpoint {
        endpoint: EndpointView::of(endpoint, EndpointHealth::default()),
        secret: new.secret.expose().to_owned(),
    };
    let mut response = (StatusCode::CREATED, Json(created)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Show an endpoint.
#[utoipa::path(get, path = "/v1/companies/{company}/endpoints/{id}", tag = "endpoints", operation_id = "getEndpoint",
    params(("company" = String, Path, description = "The company"), ("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The endpoint", body = EndpointView),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn show(
    State(app): State<App>,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Json<EndpointView>, Problem> {
    let endpoint = app.store().endpoint(&tenant.company, &id).await?;
    Ok(Json(with_health(&app, endpoint).await?))
}

/// Change an endpoint, pause it (`"disabled": true`) or resume it.
///
/// Resumed, or sent to another URL, it starts afresh: what failed before counts no more.
#[utoipa::path(patch, path = "/v1/companies/{company}/endpoints/{id}", tag = "endpoints", operation_id = "changeEndpoint",
    params(("company" = String, Path, description = "The company"), ("id" = String, Path, description = "The endpoint")),
    request_body = ChangeEndpoint,
    responses(
        (status = 200, description = "The endpoint as it is now", body = EndpointView),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn change(
    State(app): State<App>,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
    Json(body): Json<ChangeEndpoint>,
) -> Result<Json<EndpointView>, Problem> {
    let change = body.checked(app.settings(), tenant.is_admin())?;
    let endpoint = app
        .store()
        .change_endpoint(&tenant.company, &id, &change, &tenant.actor)
        .await?;
    Ok(Json(with_health(&app, endpoint).await?))
}

/// The endpoint with how it fares.
pub(super) async fn with_health(app: &App, endpoint: Registered) -> Result<EndpointView, Problem> {
    let mut known = app
        .store()
        .health(&endpoint.company, slice::from_ref(&endpoint.id))
        .await?;
    let health = known.remove(&endpoint.id).unwrap_or_default();
    Ok(EndpointView::of(endpoint, health))
}

/// Remove an endpoint. What is still on its way to it is discarded.
#[utoipa::path(delete, path = "/v1/companies/{company}/endpoints/{id}", tag = "endpoints", operation_id = "removeEndpoint",
    params(("company" = String, Path, description = "The company"), ("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 204, description = "Removed"),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn remove(
    State(app): State<App>,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<StatusCode, Problem> {
    app.store()
        .remove_endpoint(&tenant.company, &id, &tenant.actor)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
