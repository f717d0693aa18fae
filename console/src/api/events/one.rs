//! One event, published.

use bytes::Bytes;
use hookline_common::ids::CompanyId;
use hookline_common::trace_context::TraceContext;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::input::event;
use crate::app::App;
use crate::problem::Problem;

/// An event that is on its way.
#[derive(Serialize, ToSchema)]
pub(crate) struct AcceptedEvent {
    /// Its id: the `webhook-id` that receivers see.
    id: String,
}

/// Publishes the event that `json` is, and returns when the broker has confirmed it.
pub(super) async fn publish(
    app: &App,
    company: &CompanyId,
    trace: &TraceContext,
    json: &Bytes,
    deadline: Instant,
) -> Result<AcceptedEvent, Problem> {
    let event = event(company, trace, json)?;
    match app.publishing().event(&event, deadline).await {
        Ok(()) => Ok(AcceptedEvent {
            id: event.id.to_string(),
        }),
        Err(fault) => Err(Problem::from(fault).event(event.id)),
    }
}
