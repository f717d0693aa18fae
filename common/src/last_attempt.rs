//! The attempt before, as the trace of a delivery keeps it from one message to the next: which span it was, and when it ended. An
//! entry of its own in `tracestate` carries it, which every message hands on, also the one that a person sends again.
//!
//! Grammar: W3C Trace Context, §3.3.1.3: `hookline=<span>-<milliseconds since the epoch>`, both in hex.

use std::time::Duration;

use jiff::Timestamp;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _};

use crate::trace_context::TraceContext;

/// The key of the entry.
const KEY: &str = "hookline";

/// An attempt that came before another one of the same delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAttempt {
    span: SpanContext,
    ended_at: Timestamp,
}

impl LastAttempt {
    /// The one that `trace` tells of; none where it tells of none, or of something else than an attempt.
    #[must_use]
    pub fn of(trace: &TraceContext) -> Option<Self> {
        if !trace.tracestate()?.contains(KEY) {
            return None;
        }
        let parent = trace.to_parent();
        let goes_on = parent.span().span_context().clone();
        let (span, ended_at) = goes_on.trace_state().get(KEY)?.split_once('-')?;
        let span = SpanId::from_hex(span)
            .ok()
            .filter(|span| *span != SpanId::INVALID)?;
        let ended_at = i64::from_str_radix(ended_at, 16).ok()?;
        Some(Self {
            span: SpanContext::new(
                goes_on.trace_id(),
                span,
                goes_on.trace_flags(),
                true,
                goes_on.trace_state().clone(),
            ),
            ended_at: Timestamp::from_millisecond(ended_at).ok()?,
        })
    }

    /// The trace of an attempt that ended at this time, as what comes after it goes on with it. It is left as it is where nobody
    /// collects it, and where its own entries leave no room.
    #[must_use]
    pub fn note(trace: TraceContext, ended_at: Timestamp) -> TraceContext {
        let parent = trace.to_parent();
        let attempt = parent.span().span_context().clone();
        if !attempt.is_sampled() {
            return trace;
        }
        let entry = format!("{}-{:x}", attempt.span_id(), ended_at.as_millisecond());
        let Ok(state) = attempt.trace_state().insert(KEY, entry) else {
            return trace;
        };
        let noted = TraceContext::of(&SpanContext::new(
            attempt.trace_id(),
            attempt.span_id(),
            attempt.trace_flags(),
            true,
            state,
        ));
        // Entries that are too long together would all be left out, those of others too.
        if noted.tracestate().is_some() {
            noted
        } else {
            trace
        }
    }

    /// Its span, in the trace that it was found in.
    #[must_use]
    pub fn span(&self) -> &SpanContext {
        &self.span
    }

    /// How long it has been over; nothing where this clock is behind the one that it ended by.
    #[must_use]
    pub fn over_for(&self, now: Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.ended_at)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn trace(flags: &str, state: Option<&str>) -> TraceContext {
        TraceContext::from_headers(Some(&format!("00-{TRACE}-{SPAN}-{flags}")), state)
    }

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    #[test]
    fn what_was_noted_is_found_again_before_everything_else_that_stands_there() {
        let noted = LastAttempt::note(
            trace("01", Some("rojo=00f067aa0ba902b7,hookline=1-1")),
            at(1_900_000_000_123),
        );
        assert_eq!(
            noted.tracestate(),
            Some("hookline=b7ad6b7169203331-1ba60d3387b,rojo=00f067aa0ba902b7")
        );
        assert_eq!(noted.traceparent(), trace("01", None).traceparent());
        let last = LastAttempt::of(&noted).unwrap();
        assert_eq!(last.span().span_id().to_string(), SPAN);
        assert_eq!(last.span().trace_id().to_string(), TRACE);
        assert!(last.span().is_remote() && last.span().is_sampled());
        assert_eq!(last.over_for(at(1_900_000_001_500)), Duration::from_millis(1_377));
    }

    #[test]
    fn a_clock_that_is_behind_makes_no_wait() {
        let noted = LastAttempt::note(trace("01", None), at(2_000));
        let last = LastAttempt::of(&noted).unwrap();
        assert_eq!(last.over_for(at(1_000)), Duration::ZERO);
    }

    #[test]
    fn nothing_is_noted_of_a_trace_that_nobody_collects_or_that_there_is_none_of() {
        for unchanged in [
            trace("00", Some("rojo=1")),
            trace("00", None),
            TraceContext::default(),
        ] {
            assert_eq!(LastAttempt::note(unchanged.clone(), at(1)), unchanged);
        }
    }

    #[test]
    fn entries_of_others_are_not_lost_for_want_of_room() {
        let long = format!("rojo={},congo={}", "1".repeat(250), "2".repeat(240));
        let full = trace("01", Some(&long));
        assert_eq!(LastAttempt::note(full.clone(), at(1)), full);
    }

    #[test]
    fn an_entry_that_is_none_of_ours_tells_of_no_attempt() {
        for state in [
            None,
            Some("rojo=hookline"),
            Some("hookline="),
            Some("hookline=b7ad6b7169203331"),
            Some("hookline=0000000000000000-1"),
            Some("hookline=b7ad6b7169203331-x"),
            Some("hookline=b7ad6b7169203331-7fffffffffffffff"),
            Some("hookline=rosa-1"),
        ] {
            assert_eq!(LastAttempt::of(&trace("01", state)), None, "{state:?}");
        }
    }
}
