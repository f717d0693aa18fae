//! What a producer counts: readable at any time, and told to the process's OpenTelemetry meter provider.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};
use tokio::time::Instant;

use crate::error::PublishError;

/// Seconds to the broker's confirm: milliseconds on a calm broker, and up to the publish timeout.
const BOUNDARIES: [f64; 13] = [
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// What a [`Producer`](crate::Producer) and its clones have counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProducerStats {
    /// Publishes that were begun.
    pub published: u64,
    /// Those that the broker has confirmed, with a queue that holds the event.
    pub confirmed: u64,
    /// Those that the broker returned, because no queue takes such events.
    pub returned: u64,
    /// Those that failed in another way.
    pub failed: u64,
    /// Those that wait for the broker's answer, or for a slot, at this moment.
    pub in_flight: u64,
    /// How long those that were confirmed have taken together.
    pub confirm_time: Duration,
}

/// The counts of one producer.
pub(crate) struct Meters {
    published: AtomicU64,
    confirmed: AtomicU64,
    returned: AtomicU64,
    failed: AtomicU64,
    in_flight: AtomicU64,
    confirm_us: AtomicU64,
    told: Instruments,
}

/// The same for a collector. Without a meter provider they cost nothing.
struct Instruments {
    published: Counter<u64>,
    confirmed: Counter<u64>,
    returned: Counter<u64>,
    failed: Counter<u64>,
    in_flight: UpDownCounter<i64>,
    confirm: Histogram<f64>,
}

impl Instruments {
    #[expect(
        clippy::disallowed_methods,
        reason = "the library's metrics are told to its service's provider, and not to Hookline's own"
    )]
    fn new() -> Self {
        let meter = global::meter("hookline-producer");
        let counter = |name: &'static str, what: &'static str| {
            meter
                .u64_counter(name)
                .with_unit("{event}")
                .with_description(what)
                .build()
        };
        Self {
            published: counter("hookline.producer.published", "Publishes that were begun"),
            confirmed: counter(
                "hookline.producer.confirmed",
                "Events that the broker has confirmed",
            ),
            returned: counter(
                "hookline.producer.returned",
                "Events that no queue takes, returned by the broker",
            ),
            failed: counter("hookline.producer.failed", "Publishes that failed in another way"),
            in_flight: meter
                .i64_up_down_counter("hookline.producer.in_flight")
                .with_unit("{event}")
                .with_description("Events that wait for the broker's answer, or for a slot")
                .build(),
            confirm: meter
                .f64_histogram("hookline.producer.confirm.duration")
                .with_unit("s")
                .with_description("From the call of publish to the broker's confirm")
                .with_boundaries(BOUNDARIES.to_vec())
                .build(),
        }
    }
}

impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            published: AtomicU64::default(),
            confirmed: AtomicU64::default(),
            returned: AtomicU64::default(),
            failed: AtomicU64::default(),
            in_flight: AtomicU64::default(),
            confirm_us: AtomicU64::default(),
            told: Instruments::new(),
        }
    }

    /// A publish begins. What is returned is told how it ended, or dropped where its caller went away.
    pub(crate) fn begin(&self) -> Publishing<'_> {
        self.published.fetch_add(1, Ordering::Relaxed);
        self.told.published.add(1, &[]);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.told.in_flight.add(1, &[]);
        Publishing {
            meters: self,
            since: Instant::now(),
        }
    }

    pub(crate) fn stats(&self) -> ProducerStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ProducerStats {
            published: read(&self.published),
            confirmed: read(&self.confirmed),
            returned: read(&self.returned),
            failed: read(&self.failed),
            in_flight: read(&self.in_flight),
            confirm_time: Duration::from_micros(read(&self.confirm_us)),
        }
    }
}

/// A publish under way.
pub(crate) struct Publishing<'a> {
    meters: &'a Meters,
    since: Instant,
}

impl Publishing<'_> {
    /// Since when it is under way.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// It has ended.
    pub(crate) fn ended<T>(&self, published: &Result<T, PublishError>) {
        let Meters {
            confirmed,
            returned,
            failed,
            confirm_us,
            told,
            ..
        } = self.meters;
        let (counter, instrument) = match published {
            Ok(_) => {
                let took = self.since.elapsed();
                let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                confirm_us.fetch_add(us, Ordering::Relaxed);
                told.confirm.record(took.as_secs_f64(), &[]);
                (confirmed, &told.confirmed)
            }
            Err(PublishError::Unroutable { .. }) => (returned, &told.returned),
            Err(_) => (failed, &told.failed),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        instrument.add(1, &[]);
    }
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        self.meters.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.meters.told.in_flight.add(-1, &[]);
    }
}

#[cfg(test)]
mod tests {
    use hookline_common::ids::EventId;

    use super::*;

    #[test]
    fn each_end_counts_once_and_nothing_stays_in_flight() {
        let meters = Meters::new();
        let unroutable = PublishError::Unroutable {
            event: EventId::default(),
            maybe_stored: false,
            exchange: "x".to_owned(),
        };
        let away = PublishError::NotStored {
            event: EventId::default(),
            waited: Duration::ZERO,
            cause: None,
        };
        meters.begin().ended(&Ok(()));
        meters.begin().ended::<()>(&Err(unroutable));
        meters.begin().ended::<()>(&Err(away));
        // Its caller went away.
        drop(meters.begin());
        let running = meters.begin();
        let ProducerStats {
            published,
            confirmed,
            returned,
            failed,
            in_flight,
            ..
        } = meters.stats();
        assert_eq!(
            (published, confirmed, returned, failed, in_flight),
            (5, 1, 1, 1, 1)
        );
        drop(running);
        assert_eq!(meters.stats().in_flight, 0);
    }
}
