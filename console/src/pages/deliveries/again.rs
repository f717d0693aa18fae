//! Send again: what failed for good as a retry of its dead letter, anything else as a replay of its event.

use axum::extract::State;
use axum::response::Response;
use hookline_common::trace_context::TraceContext;
use hookline_store::DeliveryStatus;

use super::one::{page, refused};
use super::rows::address;
use crate::api::failed::retry_one;
use crate::api::replay::send_again;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::DeliveryOf;
use crate::pages::parts::see;
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::problem::Problem;

pub(in crate::pages) async fn send(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    wanted: DeliveryOf,
) -> Result<Response, Refused> {
    let DeliveryOf(event, endpoint) = &wanted;
    let found = app.store().delivery(&tenant.company, event, endpoint).await?;
    match again(&app, &tenant, &wanted, found.delivery.status).await {
        Ok(()) => Ok(see(&format!(
            "{}?done=again",
            address(&tenant.company, &found.delivery)
        ))),
        Err(problem) => {
            let notice = refused(problem.detail());
            let mut response = page(&app, &visitor, &tenant, &wanted, &notice).await?;
            *response.status_mut() = problem.status();
            Ok(response)
        }
    }
}

async fn again(
    app: &App,
    tenant: &Tenant,
    wanted: &DeliveryOf,
    status: DeliveryStatus,
) -> Result<(), Problem> {
    let DeliveryOf(event, endpoint) = wanted;
    if status == DeliveryStatus::Failed {
        let of = DeliveryOf(event.clone(), endpoint.clone());
        match retry_one(State(app.clone()), tenant.clone(), of).await {
            // Not filed, or discarded meanwhile: what was kept of the event is sent.
            Err(problem) if problem.code() == "not_found" => {}
            answered => return answered.map(drop),
        }
    }
    send_again(
        app,
        tenant,
        event.clone(),
        Some(endpoint.clone()),
        TraceContext::default(),
    )
    .await
}
