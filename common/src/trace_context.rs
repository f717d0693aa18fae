//! W3C trace context: how a publisher's trace goes on in the dispatcher, through message headers.
//!
//! Grammar: W3C Trace Context, §3.2 (`traceparent`) and §3.3 (`tracestate`). What does not fit it is ignored:
//! a broken trace must never cost an event.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};

/// The `traceparent` and `tracestate` of a message, both valid or absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceContext {
    parent: Option<TraceParent>,
    state: Option<String>,
}

/// A `traceparent` that was checked; only such a text is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TraceParent(String);

impl TraceContext {
    /// The longest `tracestate` that is passed on, in bytes (the specification asks for at least 512).
    const MAX_STATE_BYTES: usize = 512;

    /// Takes both headers as they came. A bad `traceparent` drops both, a bad `tracestate` only itself.
    #[must_use]
    pub fn from_headers(traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        let Some(parent) = traceparent.and_then(TraceParent::parse) else {
            return Self::default();
        };
        let is_sound = |state: &&str| {
            !state.is_empty()
                && state.len() <= Self::MAX_STATE_BYTES
                && state.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        };
        Self {
            parent: Some(parent),
            state: tracestate.filter(is_sound).map(str::to_owned),
        }
    }

    /// The trace that the caller is in, if it records one with OpenTelemetry.
    #[must_use]
    pub fn current() -> Self {
        Self::of(Context::current().span().span_context())
    }

    /// The trace of a span, as those that follow it go on with it; none where it belongs to none.
    #[must_use]
    pub fn of(span: &SpanContext) -> Self {
        if !span.is_valid() {
            return Self::default();
        }
        let parent = format!(
            "00-{}-{}-{:02x}",
            span.trace_id(),
            span.span_id(),
            span.trace_flags().to_u8()
        );
        Self::from_headers(Some(&parent), Some(&span.trace_state().header()))
    }

    /// What a span that goes on with this trace has for its parent.
    #[must_use]
    pub fn to_parent(&self) -> Context {
        self.to_span()
            .map_or_else(Context::new, |span| Context::new().with_remote_span_context(span))
    }

    fn to_span(&self) -> Option<SpanContext> {
        let mut parts = self.traceparent()?.split('-').skip(1);
        let trace = TraceId::from_hex(parts.next()?).ok()?;
        let span = SpanId::from_hex(parts.next()?).ok()?;
        let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
        let state = self
            .tracestate()
            .and_then(|state| state.parse::<TraceState>().ok());
        Some(SpanContext::new(
            trace,
            span,
            flags,
            true,
            state.unwrap_or_default(),
        ))
    }

    /// The `traceparent` to pass on.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.parent.as_ref().map(|parent| parent.0.as_str())
    }

    /// The `tracestate` to pass on.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The 32 hex digits that all spans of the trace share.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent().and_then(|parent| parent.get(3..35))
    }

    /// Whether those who began the trace want it collected.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        let flags = self.traceparent().and_then(|parent| parent.get(53..55));
        flags.is_some_and(|flags| u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1))
    }

    /// Whether there is no trace.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parent.is_none()
    }
}

impl TraceParent {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = hex(parts.next()?, 2)?;
        let trace_id = hex(parts.next()?, 32)?;
        let span_id = hex(parts.next()?, 16)?;
        hex(parts.next()?, 2)?;
        // Version 00 has exactly four parts and 55 characters; later ones may append more, for which 128 leave room.
        // Version ff is forbidden.
        let has_rest = parts.next().is_some();
        let is_version_sound = version != "ff" && !(version == "00" && has_rest);
        let has_ids = !is_zero(trace_id) && !is_zero(span_id);
        (is_version_sound && has_ids && text.len() <= 128).then(|| Self(text.to_owned()))
    }
}

fn hex(text: &str, length: usize) -> Option<&str> {
    let is_hex = text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then_some(text)
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|b| b == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_sound_context_is_kept_and_knows_its_trace() {
        let context = TraceContext::from_headers(Some(PARENT), Some("rojo=00f067aa0ba902b7"));
        assert_eq!(context.traceparent(), Some(PARENT));
        assert_eq!(context.tracestate(), Some("rojo=00f067aa0ba902b7"));
        assert_eq!(context.trace_id(), Some("0af7651916cd43dd8448eb211c80319c"));
    }

    #[test]
    fn the_last_bit_of_its_flags_says_whether_it_is_collected() {
        for (flags, is_sampled) in [("00", false), ("01", true), ("02", false), ("ff", true)] {
            let parent = PARENT.replace("-01", &format!("-{flags}"));
            let context = TraceContext::from_headers(Some(&parent), None);
            assert_eq!(context.is_sampled(), is_sampled, "{flags}");
        }
        assert!(!TraceContext::default().is_sampled());
    }

    #[test]
    fn a_span_that_goes_on_with_it_has_its_ids_and_its_state() {
        let context = TraceContext::from_headers(Some(PARENT), Some("rojo=00f067aa0ba902b7"));
        assert_eq!(
            TraceContext::of(context.to_parent().span().span_context()),
            context
        );
        let none = TraceContext::default();
        assert_eq!(TraceContext::of(none.to_parent().span().span_context()), none);
    }

    #[test]
    fn an_unsound_parent_is_ignored() {
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "\u{0}\u{0}",
        ] {
            assert!(
                TraceContext::from_headers(Some(bad), Some("a=b")).is_empty(),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_unsound_state_costs_only_itself() {
        for bad in ["", "a\nb", &"x".repeat(513)] {
            let context = TraceContext::from_headers(Some(PARENT), Some(bad));
            assert_eq!(
                (context.traceparent(), context.tracestate()),
                (Some(PARENT), None),
                "{bad}"
            );
        }
    }
}
