//! Step 7: the one line in the operator's log about a failed attempt.

use std::borrow::Cow;

use hookline_common::delivery::Delivery;
use hookline_common::guard::Refusal;
use hookline_common::outcome::Outcome;
use hookline_common::trace_context::TraceContext;
use tracing::info;

use crate::classify::Verdict;

/// Notes an attempt that failed; one that succeeded leaves no line.
pub(crate) fn note(verdict: &Verdict, delivery: &Delivery, trace: &TraceContext, refusal: Option<&Refusal>) {
    if verdict.outcome == Outcome::Delivered {
        return;
    }
    let (event, company) = (&delivery.event.id, &delivery.event.company);
    let (endpoint, attempt) = (&delivery.endpoint, delivery.attempt.get());
    let (outcome, status) = (verdict.outcome, verdict.status);
    let error: Option<Cow<'_, str>> = match refusal {
        Some(refusal) => Some(refusal.to_string().into()),
        None => verdict.error.as_deref().map(Cow::Borrowed),
    };
    let (error, reason) = (error.as_deref(), refusal.map(Refusal::reason));
    let trace_id = trace.trace_id();
    info!(%event, %company, %endpoint, attempt, %outcome, status, reason, error, trace_id, "attempt failed");
}
