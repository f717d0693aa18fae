//! A delivery in full: its attempts, and the payload as it was published.

use std::collections::BTreeMap;

use hookline_common::delivery::Origin;
use hookline_store::{DeliveryDetail, KeptEvent, LoggedAttempt};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::json::raw;
use crate::api::words::{ExplanationView, in_words};

/// One event at one endpoint, with its attempts.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryInFull {
    /// The event.
    event: String,
    /// The endpoint.
    endpoint: String,
    /// The event's type.
    #[serde(rename = "type")]
    event_type: String,
    /// Why it was sent: `event`, `test` or `manual`.
    origin: String,
    /// How far it has come.
    #[schema(pattern = "^(delivered|retrying|failed|discarded)$")]
    status: String,
    /// How the last attempt ended; null where nothing was attempted.
    last_outcome: Option<String>,
    /// The HTTP status of the last attempt, if there was one.
    last_status: Option<u16>,
    /// What went wrong with it, as it was recorded.
    last_error: Option<String>,
    /// The same in words, with what to do.
    explanation: ExplanationView,
    /// When the first attempt began, or when it failed without any.
    #[schema(format = DateTime)]
    created_at: String,
    /// When the last attempt began.
    #[schema(format = DateTime)]
    last_attempt_at: Option<String>,
    /// When the next one is due.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    /// Attempts so far, those that are no longer kept included: what a list calls `attempts`.
    attempt_count: u32,
    /// The attempts that are kept, the oldest first; the last 200 at most.
    attempts: Vec<LoggedAttemptView>,
    /// The event's data, byte for byte as it was published; null where it was not kept.
    #[schema(value_type = Option<Object>)]
    data: Option<Box<RawValue>>,
    /// Why there is no data; null where there is some.
    data_missing: Option<String>,
}

/// One attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = LoggedAttempt)]
pub(crate) struct LoggedAttemptView {
    /// The attempt's own id.
    id: String,
    /// Which one: 1 for the first, and again after a manual retry.
    attempt: u32,
    /// Why it was made: `event`, `test` or `manual`.
    origin: String,
    /// Where it was sent, without user, password and the values of its query.
    url: String,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// How it ended: `delivered`, `http_status`, `timeout` …
    outcome: String,
    /// The HTTP status, if there was one.
    status: Option<u16>,
    /// What went wrong, as it was recorded.
    error: Option<String>,
    /// The same in words, with what to do.
    explanation: ExplanationView,
    /// When the next attempt was planned for, if one was.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    /// Whether no other was planned.
    #[serde(rename = "final")]
    is_final: bool,
    /// The trace that it belongs to.
    trace_id: Option<String>,
    /// What was sent, without signatures and values of the endpoint's own headers.
    #[schema(value_type = Object)]
    request_headers: BTreeMap<String, String>,
    /// What came back.
    #[schema(value_type = Object)]
    response_headers: BTreeMap<String, String>,
    /// The beginning of the response's body: 1,024 bytes at most, as text.
    response: Option<String>,
}

impl DeliveryInFull {
    pub(super) fn of(found: DeliveryDetail, kept: Option<KeptEvent>) -> Self {
        let DeliveryDetail { delivery, attempts } = found;
        let is_test = delivery.origin == Origin::Test.as_str();
        let error = delivery.last_error.as_deref();
        let data = kept.and_then(|event| event.data).and_then(raw);
        let data_missing = data.is_none().then(|| missing(is_test).to_owned());
        Self {
            explanation: in_words(delivery.last_outcome, delivery.last_status, error),
            event: delivery.event.to_string(),
            endpoint: delivery.endpoint.to_string(),
            event_type: delivery.event_type.to_string(),
            origin: delivery.origin,
            status: delivery.status.as_str().to_owned(),
            last_outcome: delivery.last_outcome.map(|outcome| outcome.to_string()),
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            created_at: delivery.created_at.to_string(),
            last_attempt_at: delivery.last_attempt_at.map(|at| at.to_string()),
            next_attempt_at: delivery.next_attempt_at.map(|at| at.to_string()),
            attempt_count: delivery.attempts,
            attempts: attempts.into_iter().map(attempt).collect(),
            data,
            data_missing,
        }
    }
}

/// Why nothing is kept of what was sent.
pub(crate) fn missing(is_test: bool) -> &'static str {
    if is_test {
        "It was a test event: a sample of the catalogue, which is not kept."
    } else {
        "Its payload is not here: the platform does not keep the payloads of all events, and keeps none for good."
    }
}

fn attempt(attempt: LoggedAttempt) -> LoggedAttemptView {
    LoggedAttemptView {
        explanation: in_words(Some(attempt.outcome), attempt.status, attempt.error.as_deref()),
        id: attempt.id,
        attempt: attempt.attempt,
        origin: attempt.origin,
        url: attempt.url,
        started_at: attempt.started_at.to_string(),
        duration_ms: attempt.duration_ms,
        outcome: attempt.outcome.to_string(),
        status: attempt.status,
        error: attempt.error,
        next_attempt_at: attempt.next_attempt_at.map(|at| at.to_string()),
        is_final: attempt.is_final,
        trace_id: attempt.trace_id,
        request_headers: recorded_headers(&attempt.request_headers),
        response_headers: recorded_headers(&attempt.response_headers),
        response: attempt.response,
    }
}

/// Headers as a record has them. What is no object of texts was written by nobody of ours, and holds none.
pub(crate) fn recorded_headers(json: &str) -> BTreeMap<String, String> {
    serde_json::from_str(json).unwrap_or_default()
}
