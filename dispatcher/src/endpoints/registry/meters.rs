//! What is counted of the registry. It is told by the registry itself whenever somebody asks.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use hookline_common::metrics::dispatcher as declared;

use super::counts::Counts;
use super::state::State;

/// Registers the metrics with the process's meter provider.
pub(super) fn observe(registry: &Arc<State>) {
    let weak = Arc::downgrade(registry);
    let of = |value: fn(&State) -> f64| {
        let registry = Weak::clone(&weak);
        move || registry.upgrade().map(|registry| value(&registry))
    };
    declared::REGISTRY_UP.gauge_from(of(|registry| f64::from(u8::from(registry.is_up()))));
    declared::REGISTRY_COMPANIES.gauge_from(of(|registry| as_f64(registry.cache.count())));
    declared::REGISTRY_UNOPENED.gauge_from(of(|registry| as_f64(registry.unopened.count())));
    let registry = Weak::clone(&weak);
    declared::REGISTRY_LOADS.counts_from(move |tell| {
        if let Some(registry) = registry.upgrade() {
            let Counts { loaded, failed, .. } = &registry.counts;
            tell("loaded", loaded.load(Ordering::Relaxed));
            tell("failed", failed.load(Ordering::Relaxed));
        }
    });
    declared::REGISTRY_AWAITED.count_from(move || {
        let registry = weak.upgrade()?;
        Some(registry.counts.awaited.load(Ordering::Relaxed))
    });
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2⁵³")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
