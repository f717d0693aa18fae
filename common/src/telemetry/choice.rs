//! Which traces are collected, decided before a span is made, where the sampler follows publishers: spans of those that are not
//! collected would take the most of the time that traces cost.

use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::trace::{SpanContext, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

use crate::trace_context::TraceContext;

/// Which part of the traces that begin here is collected, in the bits of a floating-point number; all ones, which are none, where
/// that is left to the sampler.
static PART: AtomicU64 = AtomicU64::new(u64::MAX);

/// Sets it: from 0 to 1, or none where it is left to the sampler.
pub(super) fn collect(part: Option<f64>) {
    PART.store(part.map_or(u64::MAX, f64::to_bits), Ordering::Relaxed);
}

/// Whether nobody collects this trace, so that its spans need not be made. Where there is none, one is begun if it is not collected,
/// so that nothing that follows decides otherwise.
#[must_use]
pub fn is_left_out(trace: &mut TraceContext) -> bool {
    let part = f64::from_bits(PART.load(Ordering::Relaxed));
    if part.is_nan() {
        return false;
    }
    if !trace.is_empty() {
        return !trace.is_sampled();
    }
    let ids = RandomIdGenerator::default();
    let (id, span) = (ids.new_trace_id(), ids.new_span_id());
    if is_collected(id, part) {
        return false;
    }
    *trace = TraceContext::of(&SpanContext::new(
        id,
        span,
        TraceFlags::NOT_SAMPLED,
        false,
        TraceState::NONE,
    ));
    true
}

/// By the lower half of the id, as OpenTelemetry's own sampler does it.
fn is_collected(id: TraceId, part: f64) -> bool {
    let [.., a, b, c, d, e, f, g, h] = id.to_bytes();
    let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
    number < (part * (1_u64 << 63) as f64) as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_part_of_all_ids_is_collected_all_of_them_or_none() {
        let ids = RandomIdGenerator::default();
        let count = |part| {
            (0..10_000)
                .filter(|_| is_collected(ids.new_trace_id(), part))
                .count()
        };
        assert_eq!((count(0.0), count(1.0)), (0, 10_000));
        assert!((700..1_300).contains(&count(0.1)), "{}", count(0.1));
        assert!(is_collected(TraceId::from_bytes([0xff; 16]), 1.0));
        assert!(!is_collected(TraceId::from_bytes([0; 16]), 0.0));
    }

    #[test]
    fn what_its_publisher_decided_holds_and_what_nobody_has_is_decided_once() {
        let of = |flags: &str| {
            let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
            TraceContext::from_headers(Some(&parent), None)
        };
        let mut none = TraceContext::default();
        assert!(
            !is_left_out(&mut none) && !is_left_out(&mut of("00")),
            "nobody set it"
        );
        collect(Some(0.0));
        assert!(is_left_out(&mut of("00")) && !is_left_out(&mut of("01")));
        assert!(is_left_out(&mut none));
        assert!(!none.is_empty() && !none.is_sampled());
        collect(Some(1.0));
        assert!(is_left_out(&mut none), "it was decided");
        let mut other = TraceContext::default();
        assert!(!is_left_out(&mut other) && other.is_empty());
        collect(None);
    }
}
