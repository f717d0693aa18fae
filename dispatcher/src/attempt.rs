//! Step 5: one try. Request → client → what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use hookline_common::delivery::Delivery;
use hookline_common::guard::Refusal;
use hookline_common::ids::EventId;
use hookline_common::outcome::Outcome;
use hookline_common::record::AttemptRecord;
use hookline_common::retry_after;
use hookline_common::schedule::{Delay, NextStep};
use hookline_common::telemetry::continue_trace;
use hyper::StatusCode;
use hyper::header::{HeaderMap, RETRY_AFTER};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, debug_span, info};

use crate::client::{Answer, Client, RequestError, SendError};
use crate::registry::Registered;
use crate::request::{self, Destination};

/// Bytes of response headers that a record keeps, names and values together.
const RECORDED_HEADER_BYTES: usize = 8 * 1024;

/// What became of one attempt.
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// How long the receiver asked not to be tried again.
    pub not_before: Option<Duration>,
    error: Option<String>,
    response: Option<String>,
    request_headers: BTreeMap<String, String>,
    response_headers: BTreeMap<String, String>,
}

/// Makes the attempt that `delivery` names, as a span of the event's trace.
pub async fn attempt(client: &Client, endpoint: &Registered, delivery: &Delivery) -> Report {
    let event = &delivery.event;
    let span = debug_span!(
        target: "hookline",
        "attempt",
        otel.kind = "client",
        event = %event.id,
        company = %event.company,
        endpoint = %delivery.endpoint,
        attempt = %delivery.attempt,
        outcome = Empty,
        status = Empty,
    );
    continue_trace(&span, &event.trace);
    let report = try_once(client, endpoint, delivery)
        .instrument(span.clone())
        .await;
    span.record("outcome", report.outcome.as_str());
    span.record("status", report.status);
    report
}

async fn try_once(client: &Client, endpoint: &Registered, delivery: &Delivery) -> Report {
    let started_at = Timestamp::now();
    let clock = Instant::now();
    let mut request_headers = BTreeMap::new();
    let answer = match &endpoint.destination {
        Destination::Refused(refusal) => Err(RequestError::blocked(refusal.clone())),
        Destination::Allowed { uri, headers } => {
            let request = request::build(uri, headers, &endpoint.endpoint, delivery, started_at.as_second());
            request_headers.extend(request::loggable(request.headers()));
            client.send(request).await.map_err(|error| match error {
                SendError::Failed(error) => error,
                SendError::Shortage(shortage) => RequestError {
                    outcome: Outcome::ConnectError,
                    text: shortage.to_string(),
                    refusal: None,
                },
            })
        }
    };
    // Only the operator may know why the guard refused: the reason tells about our network.
    let refusal = answer.as_ref().err().and_then(|failure| failure.refusal.clone());
    let report = Report {
        started_at,
        duration: clock.elapsed(),
        request_headers,
        ..Report::of(answer)
    };
    tell(&report, delivery, refusal.as_ref());
    report
}

impl Report {
    fn of(answer: Result<Answer, RequestError>) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                return Self {
                    error: Some(failure.text),
                    ..Self::nothing(failure.outcome)
                };
            }
        };
        let outcome = if answer.status.is_success() {
            Outcome::Delivered
        } else {
            Outcome::HttpStatus
        };
        Self {
            status: Some(answer.status.as_u16()),
            not_before: not_before(&answer),
            error: answer
                .body_incomplete
                .then(|| "body_incomplete: the response's body was cut off".to_owned()),
            response: Some(String::from_utf8_lossy(&answer.body).into_owned()),
            response_headers: capped(&answer.headers),
            ..Self::nothing(outcome)
        }
    }

    /// A report of an attempt that was not made.
    #[must_use]
    pub fn nothing(outcome: Outcome) -> Self {
        Self {
            outcome,
            status: None,
            started_at: Timestamp::now(),
            duration: Duration::ZERO,
            not_before: None,
            error: None,
            response: None,
            request_headers: BTreeMap::new(),
            response_headers: BTreeMap::new(),
        }
    }

    /// The report as the log keeps it.
    #[must_use]
    pub fn into_record(
        self,
        delivery: &Delivery,
        url: &str,
        next: NextStep,
        keeps_data: bool,
    ) -> AttemptRecord {
        let event = &delivery.event;
        AttemptRecord {
            id: EventId::new().as_str().trim_start_matches("evt_").to_owned(),
            event: event.id.clone(),
            event_type: event.event_type.clone(),
            company: event.company.clone(),
            endpoint: delivery.endpoint.clone(),
            url: url.to_owned(),
            origin: delivery.origin.to_string(),
            attempt: delivery.attempt.get(),
            next_attempt_at: match next {
                NextStep::RetryAfter(delay) => self.next_attempt_at(delay),
                NextStep::Done | NextStep::Failed => None,
            },
            started_at: self.started_at,
            duration_ms: u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
            outcome: self.outcome,
            status: self.status,
            error: self.error,
            response: self.response,
            is_final: !matches!(next, NextStep::RetryAfter(_)),
            trace_id: event.trace.trace_id().map(str::to_owned),
            request_headers: self.request_headers,
            response_headers: self.response_headers,
            data: keeps_data.then(|| event.data.as_str().to_owned()),
        }
    }

    fn next_attempt_at(&self, delay: Delay) -> Option<Timestamp> {
        self.started_at
            .checked_add(self.duration)
            .ok()?
            .checked_add(delay.as_duration())
            .ok()
    }
}

/// `Retry-After` means something with 429 and 503 only.
fn not_before(answer: &Answer) -> Option<Duration> {
    if !matches!(
        answer.status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        return None;
    }
    let value = answer.headers.get(RETRY_AFTER)?.to_str().ok()?;
    retry_after::parse(value, Timestamp::now())
}

/// The headers as far as they are worth keeping; several of one name in one line.
fn capped(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    let mut bytes = 0;
    for (name, value) in headers {
        bytes += name.as_str().len() + value.len();
        if bytes > RECORDED_HEADER_BYTES {
            break;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        kept.entry(name.to_string())
            .and_modify(|before| {
                before.push_str(", ");
                before.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    kept
}

/// The one line in the operator's log about a failed attempt.
fn tell(report: &Report, delivery: &Delivery, refusal: Option<&Refusal>) {
    if report.outcome == Outcome::Delivered {
        return;
    }
    let (event, company, endpoint, attempt) = (
        &delivery.event.id,
        &delivery.event.company,
        &delivery.endpoint,
        delivery.attempt,
    );
    let (outcome, status) = (report.outcome, report.status);
    let error = refusal.map(Refusal::to_string).or_else(|| report.error.clone());
    let reason = refusal.map(Refusal::reason);
    info!(%event, %company, %endpoint, %attempt, %outcome, status, reason, error, "attempt failed");
}
