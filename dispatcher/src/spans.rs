//! Spans, by OpenTelemetry's conventions for messaging and for HTTP clients: one for a delivery as long as it is in hand, one within
//! it for its attempt. The next attempt goes on from this one, however long it waits between them. Where nothing is traced, all of
//! this is a look at whether it is.

use hookline_common::event::Event;
use hookline_common::ids::AttemptNo;
use hookline_common::outcome::Outcome;
use hookline_common::telemetry::{continue_trace, trace_of};
use hookline_common::trace_context::TraceContext;
use tracing::field::Empty;
use tracing::{Span, debug_span};

use crate::endpoints::Registered;

/// How an attempt is traced.
pub struct Traced {
    /// The span that it is made in.
    pub(crate) process: Span,
    /// Whether its receiver is told of the trace.
    pub(crate) tells_receivers: bool,
}

impl Traced {
    /// Not at all.
    #[must_use]
    pub fn not() -> Self {
        Self {
            process: Span::none(),
            tells_receivers: false,
        }
    }
}

/// An event or a delivery that was taken from `queue`, until it is done with.
pub(crate) fn process(event: &Event, queue: impl FnOnce() -> String) -> Span {
    let span = debug_span!(
        target: "hookline",
        "process",
        otel.name = Empty,
        otel.kind = "consumer",
        messaging.system = "rabbitmq",
        "messaging.operation.type" = "process",
        messaging.operation.name = "process",
        messaging.destination.name = Empty,
        messaging.message.id = %event.id,
        hookline.company = %event.company,
        "hookline.event.type" = %event.event_type,
        hookline.parked = Empty,
    );
    if !span.is_disabled() {
        let queue = queue();
        span.record("otel.name", format_args!("process {queue}"));
        span.record("messaging.destination.name", queue.as_str());
        continue_trace(&span, &event.trace);
    }
    span
}

/// It is set aside, without an attempt.
pub(crate) fn parked(process: &Span, seconds: u32) {
    process.record("hookline.parked", seconds);
}

/// One attempt, while a delivery is processed.
pub(crate) fn attempt(process: &Span, endpoint: &Registered, event: &Event, attempt: AttemptNo) -> Span {
    let span = debug_span!(
        target: "hookline",
        parent: process,
        "attempt",
        otel.kind = "client",
        otel.name = "POST",
        otel.status_code = Empty,
        http.request.method = "POST",
        http.request.resend_count = Empty,
        http.response.status_code = Empty,
        url.full = Empty,
        server.address = Empty,
        server.port = Empty,
        "error.type" = Empty,
        hookline.event = %event.id,
        hookline.endpoint = %endpoint.endpoint.id,
        hookline.attempt = attempt.get(),
        hookline.outcome = Empty,
    );
    if !span.is_disabled() {
        let again = attempt.get().saturating_sub(1);
        if again > 0 {
            span.record("http.request.resend_count", again);
        }
        span.record("url.full", endpoint.shown_url.as_str());
        if let Ok(url) = url::Url::parse(&endpoint.endpoint.url) {
            span.record("server.address", url.host_str());
            span.record("server.port", url.port_or_known_default());
        }
    }
    span
}

/// How it ended. Returns the trace as the next attempt goes on with it, if it is one.
pub(crate) fn attempted(attempt: &Span, outcome: Outcome, status: Option<u16>) -> Option<TraceContext> {
    attempt.record("hookline.outcome", outcome.as_str());
    attempt.record("http.response.status_code", status);
    if outcome != Outcome::Delivered {
        attempt.record("otel.status_code", "ERROR");
        match status {
            Some(status) => attempt.record("error.type", status),
            None => attempt.record("error.type", outcome.as_str()),
        };
    }
    Some(trace_of(attempt)).filter(|trace| !trace.is_empty())
}
