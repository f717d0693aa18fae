//! Send again: what failed for good as a retry of its dead letter, anything else as a replay of its event. What is under way is
//! left alone: a button that is pressed twice delivers once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hookline_common::trace_context::TraceContext;
use hookline_store::{DeliveryStatus, LoggedDelivery, StoreError};
use jiff::{SignedDuration, Timestamp};

use super::one::{page, refused};
use super::rows::address;
use super::upcoming::is_under_way;
use crate::api::failed::retry_one;
use crate::api::replay::send_again;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::DeliveryOf;
use crate::pages::parts::see;
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::problem::Problem;

/// So long after a retry nothing needs to have come back of it.
const A_MOMENT: SignedDuration = SignedDuration::from_secs(60);

pub(in crate::pages) async fn send(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    wanted: DeliveryOf,
) -> Result<Response, Refused> {
    let DeliveryOf(event, endpoint) = &wanted;
    let found = app.store().delivery(&tenant.company, event, endpoint).await?;
    match again(&app, &tenant, &wanted, &found.delivery).await {
        Ok(()) => Ok(see(&format!(
            "{}?done=again",
            address(&tenant.company, &found.delivery)
        ))),
        Err(problem) => {
            let notice = refused(problem.detail());
            let page = page(&app, &visitor, &tenant, &wanted, &notice).await?;
            Ok((problem.status(), page).into_response())
        }
    }
}

async fn again(
    app: &App,
    tenant: &Tenant,
    wanted: &DeliveryOf,
    delivery: &LoggedDelivery,
) -> Result<(), Problem> {
    let DeliveryOf(event, endpoint) = wanted;
    let now = Timestamp::now();
    if is_under_way(delivery, now) {
        return Err(under_way("its next attempt comes by itself"));
    }
    if delivery.status == DeliveryStatus::Failed {
        match app.store().dead_letter(&tenant.company, event, endpoint).await {
            Ok((letter, _))
                if letter
                    .retried_at
                    .is_some_and(|at| now.duration_since(at) < A_MOMENT) =>
            {
                return Err(under_way("it was retried a moment ago"));
            }
            Ok(_) | Err(StoreError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
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

fn under_way(why: &str) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "under_way",
        "Under way",
        format!("it is under way already, and was not sent once more: {why}"),
    )
}
