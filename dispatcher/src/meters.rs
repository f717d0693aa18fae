//! What is counted. Labels hold no tenant, endpoint or event: their number stays bounded.

use std::sync::{Arc, Weak};

use hookline_common::message::Rejection;
use hookline_common::outcome::Outcome;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use opentelemetry::{KeyValue, global};

use crate::attempt::Report;
use crate::settle::{Acks, Source};

/// Upper bounds of the buckets for an attempt's duration, in seconds.
const DURATION_BUCKETS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// The dispatcher's metrics.
pub struct Meters {
    received: Counter<u64>,
    attempts: Counter<u64>,
    durations: Histogram<f64>,
    rejected: Counter<u64>,
    parked: Counter<u64>,
    failed: Counter<u64>,
    sources: [[KeyValue; 1]; 3],
    outcomes: [[KeyValue; 1]; 9],
}

impl Meters {
    /// Registers the metrics with the process's meter provider.
    #[must_use]
    pub fn new(acks: &Arc<Acks>) -> Self {
        let meter = global::meter("hookline");
        observe_in_hand(&meter, Arc::downgrade(acks));
        let counter = |name, help| meter.u64_counter(name).with_description(help).build();
        Self {
            received: counter(
                "hookline_messages_received",
                "Messages taken from the working queues",
            ),
            attempts: counter("hookline_attempts", "Attempts by how they ended"),
            durations: meter
                .f64_histogram("hookline_attempt_duration")
                .with_unit("s")
                .with_description("How long attempts took, from DNS to the end of the response")
                .with_boundaries(DURATION_BUCKETS.to_vec())
                .build(),
            rejected: counter(
                "hookline_messages_rejected",
                "Messages that went to the rejected queue, by reason",
            ),
            parked: counter(
                "hookline_deliveries_parked",
                "Deliveries set aside because their endpoint was saturated",
            ),
            failed: counter("hookline_deliveries_failed", "Deliveries whose last retry failed"),
            sources: Source::ALL.map(|source| [KeyValue::new("queue", source.as_str())]),
            outcomes: Outcome::ALL.map(|outcome| [KeyValue::new("outcome", outcome.as_str())]),
        }
    }

    /// A message was taken in.
    pub fn received(&self, source: Source) {
        self.received.add(1, &self.sources[source as usize]);
    }

    /// An attempt ended.
    pub fn attempted(&self, report: &Report) {
        self.attempts.add(1, &self.outcomes[report.outcome as usize]);
        self.durations.record(report.duration.as_secs_f64(), &[]);
    }

    /// A message could not be understood.
    pub fn rejected(&self, rejection: &Rejection) {
        self.rejected.add(1, &[KeyValue::new("reason", rejection.name())]);
    }

    /// A delivery was set aside.
    pub fn parked(&self) {
        self.parked.add(1, &[]);
    }

    /// A delivery became a dead letter after its last retry.
    pub fn failed(&self) {
        self.failed.add(1, &[]);
    }
}

fn observe_in_hand(meter: &Meter, acks: Weak<Acks>) {
    let gauge = meter.u64_observable_gauge("hookline_messages_in_hand");
    let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
        let Some(acks) = acks.upgrade() else { return };
        for source in Source::ALL {
            let in_hand = u64::try_from(acks.in_hand(source)).unwrap_or(u64::MAX);
            observer.observe(in_hand, &[KeyValue::new("queue", source.as_str())]);
        }
    };
    gauge
        .with_description("Unacknowledged messages of the working queues")
        .with_callback(observe)
        .build();
}
