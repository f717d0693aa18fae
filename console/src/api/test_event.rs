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
use hookline_common::ids::{AttemptNo, CompanyId, EndpointId, EventId};
use hookline_common::trace_context::TraceContext;
use hookline_store::Registered;
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
    pub(crate) id: String,
    /// The event.
    pub(crate) event: String,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    /// The company.
    pub(crate) company: String,
    /// The endpoint.
    pub(crate) endpoint: String,
    /// Where it was sent.
    pub(crate) url: String,
    /// `event`, `test` or `manual`.
    pub(crate) origin: String,
    /// Which attempt: 1 for the first.
    pub(crate) attempt: u16,
    /// When it began.
    #[schema(format = DateTime)]
    pub(crate) started_at: String,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: u64,
    /// How it ended: `delivered`, `http_status`, `timeout` …
    pub(crate) outcome: String,
    /// The HTTP status, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// The beginning of the response's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response: Option<String>,
    /// When the next attempt is due, if one is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub(crate) next_attempt_at: Option<String>,
    /// Whether this is the delivery's last attempt.
    #[serde(rename = "final")]
    pub(crate) is_final: bool,
    /// The trace that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
    /// What was sent, without signatures and static values.
    pub(crate) request_headers: BTreeMap<String, String>,
    /// What came back.
    pub(crate) response_headers: BTreeMap<String, String>,
    /// The event's data as it was published, where it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<String>,
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

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let WaitQuery { wait } = query(&parts.uri)?;
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
/// the answer is 202 as without, and the event is on its way. A company has 60 sent at once, and then one a second.
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
    let sent = send_one(&app, tenant.company, id, &body.event_type, wait, trace).await?;
    if let Some(attempt) = sent.attempt {
        return Ok(Json(attempt).into_response());
    }
    let event = sent.event.id.to_string();
    Ok((StatusCode::ACCEPTED, Json(SentTestEvent { event })).into_response())
}

/// A test event, the endpoint that it went to, and its attempt where that ended in time.
pub(crate) struct Sent {
    pub(crate) endpoint: Registered,
    pub(crate) event: Event,
    pub(crate) attempt: Option<AttemptView>,
}

/// Sends a test event of this type, and waits so long for its attempt.
pub(crate) async fn send_one(
    app: &App,
    company: CompanyId,
    id: EndpointId,
    event_type: &str,
    wait: Duration,
    trace: TraceContext,
) -> Result<Sent, Problem> {
    app.rates()
        .test_event(&company)
        .map_err(Problem::too_many_tests)?;
    let endpoint = app.store().endpoint(&company, &id).await?;
    let catalogue = &app.settings().catalogue;
    let known = catalogue.find_in(endpoint.format, event_type);
    let info = known.or_else(|| catalogue.find(event_type));
    let info =
        info.ok_or_else(|| Problem::invalid("type: there is no such type; GET /v1/event-types lists all"))?;
    let data = info.sample_data().map_err(|error| {
        tracing::error!(%error, "a sample of the catalogue is no event's data");
        Problem::internal()
    })?;
    let event = Event {
        id: EventId::new(),
        company,
        event_type: info.name.clone(),
        created_at: CreatedAt::now(),
        data,
        trace,
    };
    let event_id = event.id.clone();
    let delivery = Delivery {
        event: event.clone(),
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
        app.attempts().follow(&event.company, &event_id, until).await
    };
    let published = app
        .publishing()
        .delivery(&delivery, Some(Instant::now() + PUBLISH_WITHIN))
        .await;
    published.map_err(|fault| Problem::from(fault).event(event_id.clone()))?;
    let attempt = match waiting {
        Some(waiting) => attempt(app, waiting, until).await,
        None => None,
    };
    Ok(Sent {
        endpoint,
        event,
        attempt,
    })
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
