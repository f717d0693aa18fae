//! What is counted, as `hookline_common::metrics::dispatcher` declares it. Labels hold no tenant, endpoint or event: their number
//! stays bounded.

use std::sync::{Arc, Weak};
use std::time::Duration;

use hookline_common::broker::{BrokerStats, Publisher};
use hookline_common::delivery::{DeadLetterReason, Delivery, Origin};
use hookline_common::event::Event;
use hookline_common::ids::AttemptNo;
use hookline_common::message::Rejection;
use hookline_common::metrics::{Count, Counts, Level, dispatcher as declared, process};
use hookline_common::outcome::Outcome;
use hookline_consume::AckLedger;
use hookline_outbound::client::Client;
use jiff::Timestamp;
use opentelemetry::metrics::Histogram;

use crate::fairness::Overview;
use crate::queues::Working;

/// The dispatcher's metrics. Clones count together.
#[derive(Clone)]
pub struct Meters(Arc<Instruments>);

struct Instruments {
    received: Counts,
    queue_time: Histogram<f64>,
    unmatched: Count,
    parked: Count,
    in_flight: Level,
    attempts: Counts,
    durations: Histogram<f64>,
    to_first_attempt: Histogram<f64>,
    delivered_after: Histogram<f64>,
    retries: Count,
    failed: Counts,
    rejected: Counts,
    quarantined: Count,
    records_written: Count,
    batches: Count,
    bytes_sent: Count,
    batch_durations: Histogram<f64>,
    records_spilled: Count,
    records_lost: Count,
    stream_silent: Level,
}

/// An attempt under way; dropped, it is not any more.
pub struct InFlight<'a>(&'a Level);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fall();
    }
}

impl Meters {
    /// Registers the metrics with the process's meter provider.
    #[must_use]
    pub fn new(
        ledgers: &[Arc<AckLedger>],
        stats: &Arc<BrokerStats>,
        publisher: &Publisher,
        client: &Client,
    ) -> Self {
        observe_ledgers(ledgers);
        observe_broker(stats, publisher);
        observe_shortages(client.clone());
        Self::unobserved()
    }

    /// The metrics that are counted where things happen, and none of those that are looked at.
    #[must_use]
    pub fn unobserved() -> Self {
        Self(Arc::new(Instruments {
            received: declared::MESSAGES_RECEIVED.counts(Working::ALL.map(Working::label)),
            queue_time: declared::EVENT_QUEUE_TIME.histogram(),
            unmatched: declared::EVENTS_UNMATCHED.count(),
            parked: declared::DELIVERIES_PARKED.count(),
            in_flight: declared::ATTEMPTS_IN_FLIGHT.level(),
            attempts: declared::ATTEMPTS.counts(Outcome::ALL.map(Outcome::as_str)),
            durations: declared::ATTEMPT_DURATION.histogram(),
            to_first_attempt: declared::TIME_TO_FIRST_ATTEMPT.histogram(),
            delivered_after: declared::DELIVERY_DURATION.histogram(),
            retries: declared::RETRIES_SCHEDULED.count(),
            failed: declared::DELIVERIES_FAILED.counts(DeadLetterReason::ALL.map(DeadLetterReason::as_str)),
            rejected: declared::MESSAGES_REJECTED.counts(Rejection::NAMES),
            quarantined: declared::MESSAGES_QUARANTINED.count(),
            records_written: declared::RECORDS_WRITTEN.count(),
            batches: declared::RECORDS_BATCHES.count(),
            bytes_sent: declared::RECORDS_SENT.count(),
            batch_durations: declared::RECORDS_BATCH_DURATION.histogram(),
            records_spilled: declared::RECORDS_SPILLED.count(),
            records_lost: declared::RECORDS_LOST.count(),
            stream_silent: declared::STREAM_SILENT.level(),
        }))
    }

    /// A message was taken in.
    pub fn received(&self, queue: Working) {
        self.0.received.one_at(queue.index());
    }

    /// An event was taken from the queue of events.
    pub fn taken(&self, event: &Event, now: Timestamp) {
        self.0.queue_time.record(age(event, now), &[]);
    }

    /// Nobody wants an event.
    pub fn unmatched(&self) {
        self.0.unmatched.one();
    }

    /// An attempt begins, and lasts as long as what is returned.
    pub fn attempting(&self) -> InFlight<'_> {
        self.0.in_flight.rise();
        InFlight(&self.0.in_flight)
    }

    /// An attempt that began at `started_at` ended.
    pub fn attempted(&self, delivery: &Delivery, outcome: Outcome, started_at: Timestamp, took: Duration) {
        let Instruments {
            attempts,
            durations,
            to_first_attempt,
            delivered_after,
            ..
        } = &*self.0;
        attempts.one_at(outcome as usize);
        if outcome == Outcome::Discarded {
            return;
        }
        let took = took.as_secs_f64();
        durations.record(took, &[]);
        if delivery.origin != Origin::Event {
            return;
        }
        let waited = age(&delivery.event, started_at);
        if delivery.attempt == AttemptNo::FIRST {
            to_first_attempt.record(waited, &[]);
        }
        if outcome == Outcome::Delivered {
            delivered_after.record(waited + took, &[]);
        }
    }

    /// A failed attempt will be followed by another.
    pub fn retry_scheduled(&self) {
        self.0.retries.one();
    }

    /// A message could not be understood.
    pub fn rejected(&self, rejection: &Rejection) {
        self.0.rejected.one_of(rejection.name());
    }

    /// A message came back too often.
    pub fn quarantined(&self) {
        self.0.quarantined.one();
    }

    /// A delivery or an event was set aside.
    pub fn parked(&self) {
        self.0.parked.one();
    }

    /// A delivery became a dead letter.
    pub fn failed(&self, reason: DeadLetterReason) {
        self.0.failed.one_of(reason.as_str());
    }

    /// The broker has a batch of so many records and bytes, after so long.
    pub fn records_written(&self, records: usize, bytes: usize, took: Duration) {
        let Instruments {
            records_written,
            batches,
            bytes_sent,
            batch_durations,
            ..
        } = &*self.0;
        records_written.add(as_u64(records));
        batches.one();
        bytes_sent.add(as_u64(bytes));
        batch_durations.record(took.as_secs_f64(), &[]);
    }

    /// Records went to the spill.
    pub fn records_spilled(&self, records: usize) {
        self.0.records_spilled.add(as_u64(records));
    }

    /// Whether the stream of attempts is silent.
    pub fn stream_is_silent(&self, is_silent: bool) {
        self.0.stream_silent.set(u64::from(is_silent));
    }

    /// Records are left out of the log.
    pub fn records_lost(&self, records: usize) {
        self.0.records_lost.add(as_u64(records));
    }
}

/// How long ago an event happened, in seconds. The clock of whoever published it may be ahead of ours.
fn age(event: &Event, now: Timestamp) -> f64 {
    now.duration_since(event.created_at.as_timestamp())
        .as_secs_f64()
        .max(0.0)
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2⁵³")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

/// Registers what endpoints show of themselves. `look` is asked whenever somebody asks, and has nothing once it is over.
pub fn observe_endpoints(look: impl Fn() -> Option<Overview> + Clone + Send + Sync + 'static) {
    let of = |value: fn(&Overview) -> usize| {
        let look = look.clone();
        move || look().map(|overview| as_f64(value(&overview)))
    };
    declared::DELIVERIES_WAITING.gauge_from(of(|overview| overview.waiting));
    declared::ENDPOINTS_HELD.gauge_from(of(|overview| overview.held));
    declared::ENDPOINTS_SLOTS.gauge_from(of(|overview| overview.slots));
    declared::ENDPOINTS_ACTIVE.gauges_from(move |tell| {
        let Some(overview) = look() else { return };
        for (state, count) in [
            ("proven", overview.proven),
            ("limited", overview.limited),
            ("silent", overview.silent),
        ] {
            tell(state, as_f64(count));
        }
    });
}

fn observe_ledgers(ledgers: &[Arc<AckLedger>]) {
    let ledgers: Vec<Weak<AckLedger>> = ledgers.iter().map(Arc::downgrade).collect();
    let of = |value: fn(&AckLedger) -> f64| {
        let ledgers = ledgers.clone();
        move |tell: &mut dyn FnMut(&str, f64)| {
            for ledger in ledgers.iter().filter_map(Weak::upgrade) {
                tell(ledger.label(), value(&ledger));
            }
        }
    };
    declared::MESSAGES_IN_HAND.gauges_from(of(|ledger| as_f64(ledger.load().messages)));
    declared::IN_HAND_BYTES.gauges_from(of(|ledger| as_f64(ledger.load().bytes)));
    declared::OLDEST_UNSETTLED.gauges_from(of(|ledger| ledger.load().oldest.as_secs_f64()));
    declared::QUEUE_CONSUMING.gauges_from(of(|ledger| f64::from(u8::from(ledger.is_consuming()))));
}

fn observe_broker(stats: &Arc<BrokerStats>, publisher: &Publisher) {
    let of = |value: fn(&BrokerStats) -> u64| {
        let stats = Arc::clone(stats);
        move || Some(value(&stats))
    };
    declared::PUBLISH_CONFIRMED.count_from(of(BrokerStats::publish_confirmed));
    declared::PUBLISH_REFUSED.count_from(of(BrokerStats::publish_refused));
    declared::RECONNECTS.count_from(of(BrokerStats::reconnects));
    let unconfirmed = of(BrokerStats::unconfirmed_bytes);
    declared::UNCONFIRMED.gauge_from(move || {
        let bytes = usize::try_from(unconfirmed()?).unwrap_or(usize::MAX);
        Some(as_f64(bytes))
    });
    let of = |is_so: fn(&Publisher) -> bool| {
        let publisher = publisher.clone();
        move || Some(f64::from(u8::from(is_so(&publisher))))
    };
    process::BROKER_UP.gauge_from(of(Publisher::is_up));
    process::BROKER_BLOCKED.gauge_from(of(Publisher::is_blocked));
}

fn observe_shortages(client: Client) {
    declared::SHORTAGES.counts_from(move |tell| {
        for (shortage, count) in client.shortages() {
            tell(shortage.as_str(), count);
        }
    });
}
