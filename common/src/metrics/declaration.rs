//! What a metric is. Names and units follow OpenTelemetry; the names for Prometheus come of them by its exporter's rules.

/// A metric as it is declared: all that dashboards, alerts and documents rely on.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// OpenTelemetry's name, as OTLP carries it: `hookline.attempt.duration`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The unit in UCUM: `s`, `By`, what is counted in braces (`{attempt}`), or nothing for a state of 0 or 1.
    pub unit: &'static str,
    /// What tells its samples apart.
    pub labels: &'static [Label],
    /// What it means, as a sentence without its full stop.
    pub help: &'static str,
}

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It only grows, from 0 at the start of the process.
    Counter,
    /// What is so now.
    Gauge,
    /// How values are spread, with these upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// What tells samples of a metric apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Which values it has, in words or as a list, for people.
    pub values: &'static str,
}

impl Metric {
    /// The name in Prometheus.
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let mut name = self.name.replace('.', "_");
        match self.unit {
            "s" => name.push_str("_seconds"),
            "By" => name.push_str("_bytes"),
            _ => {}
        }
        if self.kind == Kind::Counter {
            name.push_str("_total");
        }
        name
    }

    /// The type in Prometheus.
    #[must_use]
    pub fn prometheus_type(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }
}

/// Declares metrics, and a list `ALL` of them that none can be missing from.
macro_rules! declare {
    ($($constant:ident = $kind:expr, $name:literal, $unit:literal, [$($label:expr),*], $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: super::declaration::Metric = super::declaration::Metric {
                name: $name,
                kind: $kind,
                unit: $unit,
                labels: &[$($label),*],
                help: $help,
            };
        )*
        /// All that are declared here, in this order.
        pub const ALL: &[super::declaration::Metric] = &[$($constant),*];
    };
}
pub(super) use declare;
