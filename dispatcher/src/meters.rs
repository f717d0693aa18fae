//! What is counted. Labels hold no tenant, endpoint or event: their number stays bounded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use hookline_common::broker::BrokerStats;
use hookline_common::delivery::DeadLetterReason;
use hookline_common::message::Rejection;
use hookline_common::outcome::Outcome;
use hookline_consume::{AckLedger, Load};
use opentelemetry::metrics::{AsyncInstrument, Counter, Gauge, Histogram, Meter};
use opentelemetry::{KeyValue, global};

use crate::client::Client;
use crate::queues::Working;

/// Upper bounds of the buckets for an attempt's duration, in seconds: from what a receiver in the same house takes to the
/// longest that an attempt may.
const DURATION_BUCKETS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// The dispatcher's metrics. Clones count together.
#[derive(Clone)]
pub struct Meters(Arc<Instruments>);

struct Instruments {
    often: Arc<Often>,
    unmatched: Counter<u64>,
    durations: Histogram<f64>,
    rejected: Counter<u64>,
    quarantined: Counter<u64>,
    parked: Counter<u64>,
    failed: Counter<u64>,
    records_spilled: Counter<u64>,
    records_lost: Counter<u64>,
    stream_silent: Gauge<u64>,
}

/// What is counted for every message: by plain numbers that are read when somebody asks, since a counter of the library looks its
/// labels up each time.
#[derive(Default)]
struct Often {
    received: [AtomicU64; Working::ALL.len()],
    attempts: [AtomicU64; Outcome::ALL.len()],
}

impl Meters {
    /// Registers the metrics with the process's meter provider.
    #[must_use]
    pub fn new(ledgers: &[Arc<AckLedger>], stats: &Arc<BrokerStats>, client: &Client) -> Self {
        let meter = global::meter("hookline");
        observe_ledgers(&meter, ledgers);
        observe_broker(&meter, stats);
        observe_shortages(&meter, client.clone());
        let often = Arc::<Often>::default();
        observe_often(&meter, &often);
        let counter = |name, help| meter.u64_counter(name).with_description(help).build();
        Self(Arc::new(Instruments {
            often,
            unmatched: counter("hookline_events_unmatched", "Events that no endpoint wants"),
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
            quarantined: counter(
                "hookline_messages_quarantined",
                "Messages that came back too often and went to the quarantine",
            ),
            parked: counter(
                "hookline_deliveries_parked",
                "Deliveries and events set aside on the broker, without an attempt spent",
            ),
            failed: counter(
                "hookline_deliveries_failed",
                "Deliveries that became dead letters, by reason",
            ),
            records_spilled: counter(
                "hookline_records_spilled",
                "Records that went to the spill, because the stream of attempts did not confirm",
            ),
            records_lost: counter(
                "hookline_records_lost",
                "Records left out of the log: the broker takes them in no size, or the spill is full",
            ),
            stream_silent: meter
                .u64_gauge("hookline_attempts_stream_silent")
                .with_description("1 while the stream of attempts does not confirm, else 0")
                .build(),
        }))
    }

    /// A message was taken in.
    pub fn received(&self, queue: Working) {
        self.0.often.received[queue.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody wants an event.
    pub fn unmatched(&self) {
        self.0.unmatched.add(1, &[]);
    }

    /// An attempt ended.
    pub fn attempted(&self, outcome: Outcome, duration: Duration) {
        self.0.often.attempts[outcome as usize].fetch_add(1, Ordering::Relaxed);
        self.0.durations.record(duration.as_secs_f64(), &[]);
    }

    /// A message could not be understood.
    pub fn rejected(&self, rejection: &Rejection) {
        self.0
            .rejected
            .add(1, &[KeyValue::new("reason", rejection.name())]);
    }

    /// A message came back too often.
    pub fn quarantined(&self) {
        self.0.quarantined.add(1, &[]);
    }

    /// A delivery or an event was set aside.
    pub fn parked(&self) {
        self.0.parked.add(1, &[]);
    }

    /// A delivery became a dead letter.
    pub fn failed(&self, reason: DeadLetterReason) {
        let reason = KeyValue::new("reason", reason.as_str());
        self.0.failed.add(1, &[reason]);
    }

    /// Records went to the spill.
    pub fn records_spilled(&self, records: usize) {
        self.0
            .records_spilled
            .add(u64::try_from(records).unwrap_or(u64::MAX), &[]);
    }

    /// Whether the stream of attempts is silent.
    pub fn stream_is_silent(&self, is_silent: bool) {
        self.0.stream_silent.record(u64::from(is_silent), &[]);
    }

    /// Records are left out of the log.
    pub fn records_lost(&self, records: usize) {
        self.0
            .records_lost
            .add(u64::try_from(records).unwrap_or(u64::MAX), &[]);
    }
}

fn observe_often(meter: &Meter, often: &Arc<Often>) {
    let counts = Arc::clone(often);
    meter
        .u64_observable_counter("hookline_messages_received")
        .with_description("Messages taken from the working queues")
        .with_callback(move |observer| {
            for queue in Working::ALL {
                let count = counts.received[queue.index()].load(Ordering::Relaxed);
                observer.observe(count, &[KeyValue::new("queue", queue.label())]);
            }
        })
        .build();
    let counts = Arc::clone(often);
    meter
        .u64_observable_counter("hookline_attempts")
        .with_description("Attempts by how they ended")
        .with_callback(move |observer| {
            for outcome in Outcome::ALL {
                let count = counts.attempts[outcome as usize].load(Ordering::Relaxed);
                observer.observe(count, &[KeyValue::new("outcome", outcome.as_str())]);
            }
        })
        .build();
}

fn observe_ledgers(meter: &Meter, ledgers: &[Arc<AckLedger>]) {
    let observe = |value: fn(Load) -> f64| {
        let ledgers: Vec<Weak<AckLedger>> = ledgers.iter().map(Arc::downgrade).collect();
        move |observer: &dyn AsyncInstrument<f64>| {
            for ledger in ledgers.iter().filter_map(Weak::upgrade) {
                observer.observe(value(ledger.load()), &[KeyValue::new("queue", ledger.label())]);
            }
        }
    };
    meter
        .f64_observable_gauge("hookline_messages_in_hand")
        .with_description("Unacknowledged messages of the working queues")
        .with_callback(observe(|load| as_f64(load.messages)))
        .build();
    meter
        .f64_observable_gauge("hookline_bytes_in_hand")
        .with_description("What the unacknowledged messages take, in bytes")
        .with_callback(observe(|load| as_f64(load.bytes)))
        .build();
    meter
        .f64_observable_gauge("hookline_oldest_unsettled")
        .with_unit("s")
        .with_description("For how long the oldest message that is not settled has been in hand")
        .with_callback(observe(|load| load.oldest.as_secs_f64()))
        .build();
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2⁵³")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

fn observe_broker(meter: &Meter, stats: &Arc<BrokerStats>) {
    let observe = |value: fn(&BrokerStats) -> u64| {
        let stats = Arc::clone(stats);
        move |observer: &dyn AsyncInstrument<u64>| observer.observe(value(&stats), &[])
    };
    meter
        .u64_observable_counter("hookline_publish_refused")
        .with_description("Publishes that the broker refused: a queue was full or had no quorum")
        .with_callback(observe(BrokerStats::publish_refused))
        .build();
    meter
        .u64_observable_counter("hookline_reconnects")
        .with_description("Connections to the broker that were made after the first of each kind")
        .with_callback(observe(BrokerStats::reconnects))
        .build();
    meter
        .u64_observable_gauge("hookline_unconfirmed_bytes")
        .with_description("Bytes that were published and that the broker has not confirmed")
        .with_callback(observe(BrokerStats::unconfirmed_bytes))
        .build();
}

fn observe_shortages(meter: &Meter, client: Client) {
    let observe = move |observer: &dyn AsyncInstrument<u64>| {
        for (shortage, count) in client.shortages() {
            observer.observe(count, &[KeyValue::new("of", shortage.as_str())]);
        }
    };
    meter
        .u64_observable_counter("hookline_shortages")
        .with_description(
            "Requests that were not made because this process or machine had run out of something",
        )
        .with_callback(observe)
        .build();
}
