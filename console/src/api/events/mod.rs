//! Events published over HTTP: one, or many a line each. Accepted means that the broker has confirmed it.

mod input; // one as it is given
mod one; // and published
mod lines; // the lines of a body as they arrive
mod batch; // many of them

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;

use self::one::AcceptedEvent;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::{Json, Trace, is_json, media_type, read};
use crate::limits::MAX_BODY_BYTES;
use crate::problem::{Problem, ProblemBody};
use crate::publishing::PUBLISH_WITHIN;

/// The media type of events a line each, and of their results.
const LINES: &str = "application/x-ndjson";

/// An event to be published.
#[derive(ToSchema)]
#[schema(as = NewEvent)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "it describes what `input.rs` reads, which borrows its bytes"
)]
struct DescribedEvent {
    /// What kind of thing happened: lower-case words joined by dots.
    #[serde(rename = "type")]
    #[schema(
        example = "booking.created",
        max_length = 128,
        pattern = "^[a-z0-9_]+(\\.[a-z0-9_]+)*$"
    )]
    event_type: String,
    /// What receivers are told: an object of at most 101,888 bytes, passed on byte for byte.
    #[schema(value_type = Object)]
    data: Value,
    /// The event's own id, by which receivers recognise a duplicate; made where it is not given.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    id: Option<String>,
    /// When it happened, to the millisecond; now where it is not given.
    #[serde(rename = "createdAt")]
    #[schema(format = DateTime)]
    created_at: Option<String>,
}

/// Publish an event, or many.
///
/// The answer comes when the broker has confirmed it. The same id again is accepted as well, and may be delivered twice with
/// the same `webhook-id`. As `application/x-ndjson` up to 1,000 events, one a line, however large each is: each is accepted or
/// refused by itself, and the answer has a line for each, in order, `{"id":…}` or a problem. Blank lines are skipped. Each event
/// counts as a request does: where a token's rate is used up, the rest of the body is read as fast as the rate allows.
#[utoipa::path(post, path = "/v1/companies/{company}/events", tag = "events", operation_id = "publishEvent",
    params(("company" = String, Path, description = "The company"),
        ("traceparent" = Option<String>, Header, description = "The trace that the event belongs to (W3C); taken from the operator's token alone"),
        ("tracestate" = Option<String>, Header, description = "What goes with it")),
    request_body(content((DescribedEvent = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 202, description = "The broker has it; of many, what became of each",
            content((AcceptedEvent = "application/json"), (String = "application/x-ndjson"))),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now; `detail` says whether it may be stored all the same, and `event` is its id",
            body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn publish(
    State(app): State<App>,
    tenant: Tenant,
    Trace(trace): Trace,
    request: Request,
) -> Result<Response, Problem> {
    let media_type = media_type(&request);
    if media_type == LINES {
        let results = batch::publish(app, tenant, trace, request).await?;
        return Ok((StatusCode::ACCEPTED, [(CONTENT_TYPE, LINES)], results).into_response());
    }
    if !is_json(&media_type) {
        return Err(Problem::media_type("application/json` or `application/x-ndjson"));
    }
    let body = read(request, MAX_BODY_BYTES).await?;
    let deadline = Instant::now() + PUBLISH_WITHIN;
    let accepted = one::publish(&app, &tenant.company, &trace, &body, deadline).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}
