//! The log: what became of each event at each endpoint, with its attempts.

mod filter; // which ones are asked for
mod view; // one in a list
mod detail; // one in full

use axum::extract::State;

use self::detail::DeliveryInFull;
pub(crate) use self::detail::{missing, recorded_headers};
pub(crate) use self::filter::{Asked, DeliveryQuery};
use self::view::DeliveryView;
use super::view::List;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::{DeliveryOf, Json};
use crate::problem::{Problem, ProblemBody};

/// List what became of events, the newest first.
///
/// A filter leaves only what is as all of its parts say. Test events and manual retries are in the list too; `origin` tells
/// them apart.
#[utoipa::path(get, path = "/v1/companies/{company}/deliveries", tag = "deliveries", operation_id = "listDeliveries",
    params(("company" = String, Path, description = "The company"), DeliveryQuery),
    responses(
        (status = 200, description = "A page of them", body = List<DeliveryView>),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(app): State<App>,
    tenant: Tenant,
    asked: DeliveryQuery,
) -> Result<Json<List<DeliveryView>>, Problem> {
    let Asked {
        filter,
        cursor,
        limit,
    } = asked.checked(&app.settings().catalogue)?;
    let found = app
        .store()
        .deliveries(&tenant.company, &filter, cursor.as_ref(), limit)
        .await?;
    Ok(Json(List::of(found)))
}

/// Show what became of an event at an endpoint: each attempt with what was sent and what came back, and the payload.
///
/// Signatures and the values of the endpoint's own headers are not recorded, so they are not shown. Of a response the first
/// 1,024 bytes are kept. Attempts are dropped when they are older than the operator keeps them.
#[utoipa::path(get, path = "/v1/companies/{company}/deliveries/{event}/{endpoint}", tag = "deliveries",
    operation_id = "getDelivery",
    params(("company" = String, Path, description = "The company"), ("event" = String, Path, description = "The event"),
        ("endpoint" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The delivery", body = DeliveryInFull),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn show(
    State(app): State<App>,
    tenant: Tenant,
    DeliveryOf(event, endpoint): DeliveryOf,
) -> Result<Json<DeliveryInFull>, Problem> {
    let found = app.store().delivery(&tenant.company, &event, &endpoint).await?;
    let kept = app.store().kept_event(&tenant.company, &event).await?;
    Ok(Json(DeliveryInFull::of(found, kept)))
}
