//! What is counted of the registry. It is told by the registry itself whenever somebody asks.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use opentelemetry::metrics::AsyncInstrument;
use opentelemetry::{KeyValue, global};

use super::counts::Counts;
use super::state::State;

/// Registers the metrics with the process's meter provider.
pub(super) fn observe(registry: &Arc<State>) {
    let meter = global::meter("hookline");
    let gauge = |name, help, value: fn(&State) -> u64| {
        let registry = Arc::downgrade(registry);
        let callback = move |observer: &dyn AsyncInstrument<u64>| {
            if let Some(registry) = Weak::upgrade(&registry) {
                observer.observe(value(&registry), &[]);
            }
        };
        meter
            .u64_observable_gauge(name)
            .with_description(help)
            .with_callback(callback)
            .build();
    };
    gauge(
        "hookline_registry_up",
        "1 while the registry's database answers and tells of changes, else 0",
        |registry| u64::from(registry.is_up()),
    );
    gauge(
        "hookline_registry_companies",
        "Companies whose endpoints are known, those without endpoints included",
        |registry| registry.cache.count(),
    );
    gauge(
        "hookline_registry_unopened",
        "Endpoints that cannot be sent to, because their secrets cannot be opened",
        |registry| registry.unopened.count(),
    );
    let weak = Arc::downgrade(registry);
    let registry = Weak::clone(&weak);
    meter
        .u64_observable_counter("hookline_registry_loads")
        .with_description("Queries to the registry for companies' endpoints, by how they ended")
        .with_callback(move |observer| {
            if let Some(registry) = Weak::upgrade(&registry) {
                let Counts { loaded, failed, .. } = &registry.counts;
                for (outcome, count) in [("loaded", loaded), ("failed", failed)] {
                    let outcome = KeyValue::new("outcome", outcome);
                    observer.observe(count.load(Ordering::Relaxed), &[outcome]);
                }
            }
        })
        .build();
    meter
        .u64_observable_counter("hookline_registry_awaited")
        .with_description("Messages that waited for a query, as their company or endpoint was not known")
        .with_callback(move |observer| {
            if let Some(registry) = Weak::upgrade(&weak) {
                observer.observe(registry.counts.awaited.load(Ordering::Relaxed), &[]);
            }
        })
        .build();
}
