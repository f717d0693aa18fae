//! Steps 5 to 7: one attempt. Signed, sent, and what it came to.

use std::time::Duration;

use hookline_common::delivery::Delivery;
use hookline_common::outcome::Outcome;
use hookline_common::telemetry::trace_of;
use hookline_common::trace_context::TraceContext;
use hookline_outbound::client::{RequestError, SendError, Shortage};
use hookline_outbound::request::{self, Destination};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::classify::{self, Verdict};
use crate::endpoints::PreparedEndpoint;
use crate::failure_log;
use crate::outside::{Sends, time_of_day};
use crate::spans::{self, Traced};

/// One attempt that was made.
pub struct Report {
    /// What it came to.
    pub verdict: Verdict,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Its trace, as what follows goes on with it; none where it is not traced.
    pub trace: Option<TraceContext>,
}

impl Report {
    /// A report of an attempt that was not made.
    #[must_use]
    pub fn nothing(outcome: Outcome) -> Self {
        Self {
            verdict: Verdict::without_answer(outcome, None),
            started_at: time_of_day(),
            duration: Duration::ZERO,
            trace: None,
        }
    }
}

/// Makes the attempt that `delivery` names, as a span of its trace.
///
/// # Errors
/// [`Shortage`] when this process lacks what a request takes: nothing was asked, so no attempt was made.
pub async fn attempt(
    client: &dyn Sends,
    endpoint: &PreparedEndpoint,
    delivery: &Delivery,
    traced: &Traced,
) -> Result<Report, Shortage> {
    let Traced {
        process,
        tells_receivers,
    } = traced;
    let event = &delivery.event;
    let span = spans::attempt(process, endpoint, delivery);
    if span.is_disabled() {
        let trace = &event.trace;
        return try_once(client, endpoint, delivery, trace, *tells_receivers).await;
    }
    let trace = trace_of(&span);
    // In a place of its own, for which attempts that nobody traces need no room.
    let attempting = try_once(client, endpoint, delivery, &trace, *tells_receivers);
    let mut report = Box::pin(attempting.instrument(span.clone())).await?;
    report.trace = spans::attempted(&span, report.verdict.outcome, report.verdict.status);
    Ok(report)
}

async fn try_once(
    client: &dyn Sends,
    endpoint: &PreparedEndpoint,
    delivery: &Delivery,
    trace: &TraceContext,
    tells_receivers: bool,
) -> Result<Report, Shortage> {
    let started_at = time_of_day();
    let clock = Instant::now();
    let answer = match &endpoint.destination {
        Destination::Refused(refusal) => Err(RequestError::blocked(refusal.clone())),
        Destination::Allowed { uri, headers } => {
            let (format, keys) = (endpoint.endpoint.format, endpoint.keys_at(started_at));
            let mut request = request::build(uri, headers, format, keys, delivery, started_at.as_second());
            if tells_receivers {
                request::tell_trace(&mut request, trace);
            }
            match client.send(request).await {
                Ok(answer) => Ok(answer),
                Err(SendError::Failed(error)) => Err(error),
                Err(SendError::Shortage(shortage)) => return Err(shortage),
            }
        }
    };
    let duration = clock.elapsed();
    // Only the operator may know why the guard refused: the reason tells about our network.
    let refusal = answer.as_ref().err().and_then(|error| error.refusal.clone());
    let verdict = match answer {
        Ok(answer) => classify::answered(answer, time_of_day()),
        Err(error) => classify::unanswered(error),
    };
    failure_log::note(&verdict, delivery, trace, refusal.as_ref());
    Ok(Report {
        verdict,
        started_at,
        duration,
        trace: None,
    })
}
