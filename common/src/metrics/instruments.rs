//! How declared metrics are counted: by plain numbers that are read when somebody asks, since a counter of OpenTelemetry's
//! library looks its labels up each time. Counting is one atomic addition, and every sample is there from the start, so that
//! the first of anything shows as an increase.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::metrics::{Histogram, Meter};
use opentelemetry::{KeyValue, global};

use super::declaration::{Kind, Metric};

/// A counter without labels. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Count(Arc<AtomicU64>);

impl Count {
    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many it is by now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A counter with one label whose values are known beforehand. Clones count together.
#[derive(Debug, Clone)]
pub struct Counts(Arc<[(&'static str, AtomicU64)]>);

impl Counts {
    fn new(values: impl IntoIterator<Item = &'static str>) -> Self {
        Self(
            values
                .into_iter()
                .map(|value| (value, AtomicU64::new(0)))
                .collect(),
        )
    }

    /// One more of the value that stands at `index` among those that it was made with.
    pub fn one_at(&self, index: usize) {
        if let Some((_, count)) = self.0.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One more of the value `value`, which is looked for: for what happens seldom.
    pub fn one_of(&self, value: &str) {
        if let Some((_, count)) = self.0.iter().find(|(known, _)| *known == value) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A number that goes up and down. Clones are the same number.
#[derive(Debug, Clone, Default)]
pub struct Level(Arc<AtomicU64>);

impl Level {
    /// It is so many now.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// One more.
    pub fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Registering with the process's meter provider, which must be set by then.
impl Metric {
    /// A counter without labels.
    #[must_use]
    pub fn count(&self) -> Count {
        let count = Count::default();
        let read = count.clone();
        self.count_from(move || Some(read.get()));
        count
    }

    /// A counter by its label, of which these are all values.
    #[must_use]
    pub fn counts(&self, values: impl IntoIterator<Item = &'static str>) -> Counts {
        let counts = Counts::new(values);
        let read = counts.clone();
        self.counts_from(move |tell| {
            for (value, count) in read.0.iter() {
                tell(value, count.load(Ordering::Relaxed));
            }
        });
        counts
    }

    /// A number that goes up and down.
    #[must_use]
    pub fn level(&self) -> Level {
        let level = Level::default();
        let read = Arc::clone(&level.0);
        self.gauge_from(move || Some(as_f64(read.load(Ordering::Relaxed))));
        level
    }

    /// A counter that is kept elsewhere. Where `read` has none, there is no sample.
    pub fn count_from(&self, read: impl Fn() -> Option<u64> + Send + Sync + 'static) {
        debug_assert!(self.kind == Kind::Counter && self.labels.is_empty(), "{self:?}");
        meter()
            .u64_observable_counter(self.name)
            .with_unit(self.unit)
            .with_description(self.help)
            .with_callback(move |observer| {
                if let Some(count) = read() {
                    observer.observe(count, &[]);
                }
            })
            .build();
    }

    /// Counters that are kept elsewhere: `read` is given what it tells each value of the label to, with its count.
    pub fn counts_from(&self, read: impl Fn(&mut dyn FnMut(&str, u64)) + Send + Sync + 'static) {
        debug_assert!(self.kind == Kind::Counter && self.labels.len() == 1, "{self:?}");
        let label = self.label();
        meter()
            .u64_observable_counter(self.name)
            .with_unit(self.unit)
            .with_description(self.help)
            .with_callback(move |observer| {
                read(&mut |value, count| {
                    observer.observe(count, &[KeyValue::new(label, value.to_owned())]);
                });
            })
            .build();
    }

    /// A gauge whose value is asked for. Where `read` has none, there is no sample.
    pub fn gauge_from(&self, read: impl Fn() -> Option<f64> + Send + Sync + 'static) {
        debug_assert!(self.kind == Kind::Gauge && self.labels.is_empty(), "{self:?}");
        meter()
            .f64_observable_gauge(self.name)
            .with_unit(self.unit)
            .with_description(self.help)
            .with_callback(move |observer| {
                if let Some(value) = read() {
                    observer.observe(value, &[]);
                }
            })
            .build();
    }

    /// Gauges whose values are asked for: `read` is given what it tells each value of the label to, with its number.
    pub fn gauges_from(&self, read: impl Fn(&mut dyn FnMut(&str, f64)) + Send + Sync + 'static) {
        debug_assert!(self.kind == Kind::Gauge && self.labels.len() == 1, "{self:?}");
        let label = self.label();
        meter()
            .f64_observable_gauge(self.name)
            .with_unit(self.unit)
            .with_description(self.help)
            .with_callback(move |observer| {
                read(&mut |value, number| {
                    observer.observe(number, &[KeyValue::new(label, value.to_owned())]);
                });
            })
            .build();
    }

    /// A histogram. Without labels, recording a value allocates nothing and looks nothing up.
    #[must_use]
    pub fn histogram(&self) -> Histogram<f64> {
        let bounds = match self.kind {
            Kind::Histogram(bounds) => bounds.to_vec(),
            Kind::Counter | Kind::Gauge => Vec::new(),
        };
        debug_assert!(!bounds.is_empty(), "{self:?}");
        meter()
            .f64_histogram(self.name)
            .with_unit(self.unit)
            .with_description(self.help)
            .with_boundaries(bounds)
            .build()
    }

    fn label(&self) -> &'static str {
        self.labels.first().map_or("", |label| label.name)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where metrics are registered")]
fn meter() -> Meter {
    global::meter("hookline")
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2⁵³")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
