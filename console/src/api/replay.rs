//! Replay: an event whose payload was kept is sent again, under its own id.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hookline_common::delivery::{Delivery, Origin, PassThrough, Unrouted, Work};
use hookline_common::event::{Data, Event};
use hookline_common::ids::{AttemptNo, EndpointId, EventId};
use hookline_common::trace_context::TraceContext;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Tenant;
use crate::extract::{EventOf, Json, OptionalJson, Trace};
use crate::problem::{Problem, ProblemBody};
use crate::publishing::PUBLISH_WITHIN;

/// Whom to send it to.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    /// One endpoint, whatever its filter says; left out, all that want the event now.
    #[schema(max_length = 64, example = "ep_crm")]
    endpoint: Option<String>,
}

/// An event that is on its way again.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReplayedEvent {
    /// Its id, the same as before: receivers that have it recognise a duplicate by it.
    event: String,
    /// The endpoint that it is sent to; null for all that want it.
    endpoint: Option<String>,
}

/// Send an event again, with the same id, time and payload.
///
/// It goes to all endpoints that want it now, or to the one that is named. Receivers that have taken it before get it once
/// more, with the same `webhook-id`. Asked for twice within a second for the same endpoint, or once for it and once for all, it
/// is sent once: the second answer is 409 with the code `under_way`.
#[utoipa::path(post, path = "/v1/companies/{company}/events/{event}/replay", tag = "events", operation_id = "replayEvent",
    params(("company" = String, Path, description = "The company"), ("event" = String, Path, description = "The event")),
    request_body = Option<Replay>,
    responses(
        (status = 202, description = "The broker has it", body = ReplayedEvent),
        (status = 409, description = "The event is known, and its payload was not kept; or the endpoint is disabled; or it was \
            sent again within the last second",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now; `detail` says whether it may be sent all the same", body = ProblemBody,
            content_type = "application/problem+json")))]
pub(crate) async fn replay(
    State(app): State<App>,
    tenant: Tenant,
    EventOf(id): EventOf,
    Trace(trace): Trace,
    OptionalJson(body): OptionalJson<Replay>,
) -> Result<Response, Problem> {
    let Replay { endpoint } = body.unwrap_or_default();
    let endpoint = endpoint.map(|text| EndpointId::parse(&text));
    let endpoint = endpoint
        .transpose()
        .map_err(|error| Problem::invalid(format!("endpoint: {error}")))?;
    let replayed = ReplayedEvent {
        event: id.to_string(),
        endpoint: endpoint.as_ref().map(ToString::to_string),
    };
    send_again(&app, &tenant, id, endpoint, trace).await?;
    Ok((StatusCode::ACCEPTED, Json(replayed)).into_response())
}

/// Sends an event again, to one endpoint or to all that want it.
pub(crate) async fn send_again(
    app: &App,
    tenant: &Tenant,
    id: EventId,
    endpoint: Option<EndpointId>,
    trace: TraceContext,
) -> Result<(), Problem> {
    if let Some(endpoint) = &endpoint
        && app.store().endpoint(&tenant.company, endpoint).await?.disabled
    {
        return Err(disabled());
    }
    let event = event(app, tenant, id, trace).await?;
    // First, so that nothing is sent for which nobody answers. Where the broker does not take it, somebody has tried.
    app.store()
        .note_replay(&tenant.company, &event.id, endpoint.as_ref(), &tenant.actor)
        .await?;
    publish(app, event, endpoint).await
}

/// The event as it was published.
async fn event(app: &App, tenant: &Tenant, id: EventId, trace: TraceContext) -> Result<Event, Problem> {
    let kept = app.store().kept_event(&tenant.company, &id).await?;
    let kept = kept.ok_or_else(Problem::not_found)?;
    let (Some(created_at), Some(data)) = (kept.created_at, kept.data) else {
        return Err(not_kept());
    };
    let data = Data::new(data).map_err(|error| {
        tracing::error!(%error, event = %id, "what was kept of an event is no data of one");
        Problem::internal()
    })?;
    Ok(Event {
        id,
        company: tenant.company.clone(),
        event_type: kept.event_type,
        created_at,
        data,
        trace,
    })
}

async fn publish(app: &App, event: Event, endpoint: Option<EndpointId>) -> Result<(), Problem> {
    let (id, deadline) = (event.id.clone(), Instant::now() + PUBLISH_WITHIN);
    let pass_through = PassThrough {
        retried_at: Some(Timestamp::now()),
        ..PassThrough::default()
    };
    let work = match endpoint {
        None => Work::Route(Unrouted { event, pass_through }),
        Some(endpoint) => Work::Deliver(Delivery {
            event,
            endpoint,
            attempt: AttemptNo::FIRST,
            origin: Origin::Manual,
            pass_through,
        }),
    };
    let published = app.publishing().work(&work, deadline).await;
    published.map_err(|fault| Problem::from(fault).event(id))
}

fn not_kept() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "payload_not_kept",
        "Payload not kept",
        "the event is known, but its payload is not here: the platform does not keep the payloads of all events, and keeps \
         none for good; publish it again from where it came from, with the same id",
    )
}

fn disabled() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "endpoint_disabled",
        "Endpoint disabled",
        "the endpoint is disabled, so that what is sent to it fails at once; resume it first",
    )
}
