//! Spans, by OpenTelemetry's conventions for messaging and for HTTP clients: one for a delivery as long as it is in hand, one within
//! it for its attempt. The next attempt goes on from this one, however long it waits between them; it is linked to it, and says how
//! long it waited. Where nothing is traced, all of this is a look at whether it is.

use hookline_common::delivery::Delivery;
use hookline_common::event::Event;
use hookline_common::ids::AttemptNo;
use hookline_common::last_attempt::LastAttempt;
use hookline_common::outcome::Outcome;
use hookline_common::telemetry::{continue_trace, is_left_out, link, trace_of};
use hookline_common::trace_context::TraceContext;
use jiff::Timestamp;
use tracing::field::Empty;
use tracing::{Span, debug_span};

use crate::endpoints::PreparedEndpoint;

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

/// An event or a delivery that was taken from `queue`, until it is done with. Where it is in no trace, and in none that is collected,
/// its own begins here.
pub(crate) fn process(event: &mut Event, queue: impl FnOnce() -> String) -> Span {
    if is_left_out(&mut event.trace) {
        return Span::none();
    }
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
    process.record("hookline.parked", i64::from(seconds));
}

/// One attempt, while a delivery is processed.
pub(crate) fn attempt(process: &Span, endpoint: &PreparedEndpoint, delivery: &Delivery) -> Span {
    if process.is_disabled() {
        return Span::none();
    }
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
        hookline.event = %delivery.event.id,
        hookline.endpoint = %delivery.endpoint,
        hookline.attempt = i64::from(delivery.attempt.get()),
        hookline.outcome = Empty,
        hookline.wait.duration = Empty,
    );
    if !span.is_disabled() {
        tell_of_last(&span, delivery);
        span.record("url.full", endpoint.shown_url.as_str());
        if let Ok(url) = url::Url::parse(&endpoint.endpoint.url) {
            span.record("server.address", url.host_str());
            span.record("server.port", url.port_or_known_default().map(i64::from));
        }
    }
    span
}

/// What the attempt has to do with the one before it.
fn tell_of_last(attempt: &Span, delivery: &Delivery) {
    let again = delivery.attempt.get().saturating_sub(1);
    if again > 0 {
        attempt.record("http.request.resend_count", i64::from(again));
    }
    // A publisher's trace may tell of another delivery's attempt, which made it publish.
    let has_last = delivery.attempt > AttemptNo::FIRST || delivery.pass_through.retried_at.is_some();
    if let Some(last) = LastAttempt::of(&delivery.event.trace).filter(|_| has_last) {
        link(attempt, last.span(), "previous attempt");
        let waited = last.over_for(Timestamp::now()).as_secs_f64();
        attempt.record("hookline.wait.duration", waited);
    }
}

/// How it ended. Returns the trace as the next attempt goes on with it, if it is one.
pub(crate) fn attempted(attempt: &Span, outcome: Outcome, status: Option<u16>) -> Option<TraceContext> {
    let ended_at = Timestamp::now();
    attempt.record("hookline.outcome", outcome.as_str());
    attempt.record("http.response.status_code", status.map(i64::from));
    let trace = Some(trace_of(attempt)).filter(|trace| !trace.is_empty());
    if outcome == Outcome::Delivered {
        return trace;
    }
    attempt.record("otel.status_code", "ERROR");
    match status {
        // By the conventions a text, also where it is a number.
        Some(status) => attempt.record("error.type", status.to_string()),
        None => attempt.record("error.type", outcome.as_str()),
    };
    trace.map(|trace| LastAttempt::note(trace, ended_at))
}
