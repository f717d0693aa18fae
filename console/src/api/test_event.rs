//! Send Test Event: one attempt with a sample of the catalogue, so that whoever set an endpoint up sees what it answers.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use hookline_common::delivery::{Delivery, Origin, PassThrough};
use hookline_common::duration;
use hookline_common::event::{CreatedAt, Event};
use hookline_common::ids::{AttemptNo, EventId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Tenant;
use crate::extract::{EndpointOf, Json, Trace, query};
use crate::followed_attempts::Waiting;
use crate::problem::{Problem, ProblemBody};
use crate::publishing::PUBLISH_WITHIN;

/// The longest wait: an attempt takes no longer by default.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestEvent {
    /// A type of the catalogue, by its own name or by that of the endpoint's format.
    #[serde(rename = "type")]
    #[schema(example = "booking.created")]
    event_type: String,
}

/// A test event that is on its way.
#[derive(Serialize, ToSchema)]
pub(crate) struct SentTestEvent {
    /// Its id: the `webhook-id` that the endpoint sees.
    event: String,
}

/// What became of an attempt.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptView {
    /// The attempt's own id.
    id: String,
    /// The event.
    event: String,
    /// Its type.
    #[serde(rename = "type")]
    event_type: String,
    /// The company.
    company: String,
    /// The endpoint.
    endpoint: String,
    /// Where it was sent.
    url: String,
    /// `event`, `test` or `manual`.
    origin: String,
    /// Which attempt: 1 for the first.
    attempt: u16,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// How it ended: `delivered`, `http_status`, `timeout` …
    outcome: String,
    /// The HTTP status, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The beginning of the response's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
    /// When the next attempt is due, if one is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    /// Whether this is the delivery's last attempt.
    #[serde(rename = "final")]
    is_final: bool,
    /// The trace that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    /// What was sent, without signatures and static values.
    request_headers: BTreeMap<String, String>,
    /// What came back.
    response_headers: BTreeMap<String, String>,
    /// The event's data as it was published, where it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

/// How long to wait.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// How long to wait for the attempt: `0s` (the default) to `30s`.
    #[param(example = "10s")]
    wait: Option<String>,
}

/// A checked [`WaitQuery`].
pub(crate) struct Wait(Duration);

impl<S: Send + Sync> FromRequestParts<S> for Wait {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let WaitQuery { wait } = query(parts, state).await?;
        let wait = wait.map(|text| {
            let wait = duration::parse(&text).filter(|wait| *wait <= MAX_WAIT);
            wait.ok_or_else(|| Problem::invalid("wait: must be a duration from 0s to 30s, like 10s"))
        });
        Ok(Self(wait.transpose()?.unwrap_or_default()))
    }
}

/// Send a test event.
///
/// It is the sample of a type, in one attempt without retries, whatever the endpoint's filter says and even where it is
/// disabled. With `wait` the attempt is answered where it ends in time. Otherwise, and where dispatchers record no attempts,
/// the answer is 202 as without, and the event is on its way.
#[utoipa::path(post, path = "/v1/companies/{company}/endpoints/{id}/test", tag = "endpoints",
    operation_id = "sendTestEvent",
    params(("company" = String, Path, description = "The company"), ("id" = String, Path, description = "The endpoint"),
        WaitQuery),
    request_body = TestEvent,
    responses(
        (status = 200, description = "It was waited for: the attempt", body = AttemptView),
        (status = 202, description = "It is on its way", body = SentTestEvent),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn send(
    State(app): State<App>,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
    Wait(wait): Wait,
    Trace(trace): Trace,
    Json(body): Json<TestEvent>,
) -> Result<Response, Problem> {
    let endpoint = app.store().endpoint(&tenant.company, &id).await?;
    let catalogue = &app.settings().catalogue;
    let known = catalogue.find_in(endpoint.format, &body.event_type);
    let info = known.or_else(|| catalogue.find(&body.event_type));
    let info =
        info.ok_or_else(|| Problem::invalid("type: there is no such type; GET /v1/event-types lists all"))?;
    let data = info.sample_data().map_err(|error| {
        tracing::error!(%error, "a sample of the catalogue is no event's data");
        Problem::internal()
    })?;
    let event = Event {
        id: EventId::new(),
        company: tenant.company.clone(),
        event_type: info.name.clone(),
        created_at: CreatedAt::now(),
        data,
        trace,
    };
    let event_id = event.id.clone();
    let delivery = Delivery {
        event,
        endpoint: id,
        attempt: AttemptNo::FIRST,
        origin: Origin::Test,
        pass_through: PassThrough::default(),
    };
    // Followed before it is published, so that no attempt is missed.
    let until = Instant::now() + wait;
    let waiting = if wait.is_zero() {
        None
    } else {
        app.attempts().follow(&tenant.company, &event_id, until).await
    };
    let published = app
        .publishing()
        .delivery(&delivery, Instant::now() + PUBLISH_WITHIN)
        .await;
    published.map_err(|fault| Problem::from(fault).event(event_id.clone()))?;
    if let Some(waiting) = waiting
        && let Some(attempt) = attempt(&app, waiting, until).await
    {
        return Ok(Json(attempt).into_response());
    }
    let event = event_id.to_string();
    Ok((StatusCode::ACCEPTED, Json(SentTestEvent { event })).into_response())
}

/// The attempt, if it ends in time and before the console does.
async fn attempt(app: &App, waiting: Waiting, until: Instant) -> Option<AttemptView> {
    let record = tokio::select! {
        record = waiting.record(until) => record?,
        () = app.shutdown().requested() => return None,
    };
    let attempt = serde_json::from_slice(&record);
    attempt
        .inspect_err(|error| tracing::warn!(%error, "the record of a test event cannot be read"))
        .ok()
}
