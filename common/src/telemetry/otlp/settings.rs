//! All that OpenTelemetry's variables ask for.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::trace::Sampler;

use super::collector::{self, Collector, METRICS, TRACES, milliseconds};
use super::{leftover, pairs, sampler};
use crate::settings::{Reader, Variable, otel, parse};

/// The most spans that may wait: room for them is taken at the start, half a kilobyte each.
const MAX_QUEUE: u64 = 100_000;
/// The most that one span may have of anything.
const MAX_PER_SPAN: u64 = 10_000;

/// What OpenTelemetry's variables ask for.
#[derive(Debug, Clone, Default)]
pub struct OtlpSettings {
    /// Where traces go and which, if they are sent.
    pub(super) traces: Option<Traces>,
    /// Where metrics go and when, if they are sent.
    pub(super) metrics: Option<Metrics>,
    /// What the service is called, if it is said.
    pub service_name: Option<String>,
    /// What else is said of the service.
    pub attributes: Vec<(String, String)>,
    /// A line for each thing that is set and has no effect.
    pub leftover: Vec<String>,
}

/// Where traces go, and which.
#[derive(Debug, Clone)]
pub(super) struct Traces {
    pub(super) collector: Collector,
    pub(super) sampler: Sampler,
    pub(super) part_begun_here: Option<f64>,
    pub(super) delay: Duration,
    pub(super) max_waiting: usize,
    pub(super) max_at_once: usize,
    pub(super) max_attributes: u32,
    pub(super) max_events: u32,
    pub(super) max_links: u32,
}

/// Where metrics go, and when.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) collector: Collector,
    pub(super) interval: Duration,
    pub(super) temporality: Temporality,
}

impl OtlpSettings {
    /// Which part of the traces that begin here is collected, where those of others are as their publishers decide; none where the
    /// sampler decides about all of them.
    #[must_use]
    pub fn part_begun_here(&self) -> Option<f64> {
        self.traces.as_ref()?.part_begun_here
    }

    /// Reads them; after a fault, what is left of them. Where nothing is sent, what only matters then is not judged.
    #[must_use]
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let (service_name, attributes) = read_resource(reader);
        // Only true disables, and not 1, yes or the mere presence, as OpenTelemetry wants it.
        let is_true = |text: &str| Ok::<_, String>(text.trim().eq_ignore_ascii_case("true"));
        let is_disabled = reader.read(&otel::SDK_DISABLED, is_true).unwrap_or_default();
        if is_disabled {
            return Self {
                service_name,
                attributes,
                ..Self::default()
            };
        }
        let traces = read_traces(reader);
        let metrics = read_metrics(reader);
        let leftover = leftover::lines(reader, traces.is_some() || metrics.is_some());
        Self {
            traces,
            metrics,
            service_name,
            attributes,
            leftover,
        }
    }
}

/// The name has a variable of its own, which wins over that among the attributes.
fn read_resource(reader: &mut Reader<'_>) -> (Option<String>, Vec<(String, String)>) {
    let name = reader.read(&otel::SERVICE_NAME, |text| Ok::<_, String>(text.to_owned()));
    let attributes = reader.read(&otel::RESOURCE_ATTRIBUTES, pairs::parse);
    let (names, attributes): (Vec<_>, Vec<_>) = attributes
        .unwrap_or_default()
        .into_iter()
        .partition(|(key, _)| key == "service.name");
    let among_them = names.into_iter().next_back().map(|(_, name)| name);
    (name.or(among_them), attributes)
}

fn read_traces(reader: &mut Reader<'_>) -> Option<Traces> {
    if !collector::is_sent(reader, &TRACES) {
        return None;
    }
    let collector = collector::read(reader, &TRACES);
    let within = reader.read(&otel::BSP_EXPORT_TIMEOUT, milliseconds);
    let ratio = reader.read(&otel::SAMPLER_ARG, sampler::ratio);
    let ratio = ratio.unwrap_or(1.0);
    let sampler = reader.read(&otel::SAMPLER, |text| {
        let sampler = sampler::parse(text, ratio)?;
        Ok::<_, &'static str>((sampler, sampler::part_begun_here(text, ratio)))
    });
    let delay = reader.read(&otel::BSP_SCHEDULE_DELAY, milliseconds);
    let max_waiting = read_count(reader, &otel::BSP_MAX_QUEUE_SIZE, MAX_QUEUE);
    let max_at_once = read_count(reader, &otel::BSP_MAX_EXPORT_BATCH_SIZE, MAX_QUEUE);
    let max_attributes = read_count(reader, &otel::SPAN_ATTRIBUTES, MAX_PER_SPAN);
    let max_events = read_count(reader, &otel::SPAN_EVENTS, MAX_PER_SPAN);
    let max_links = read_count(reader, &otel::SPAN_LINKS, MAX_PER_SPAN);
    let (sampler, part_begun_here) = sampler?;
    Some(Traces {
        collector: collector?.within(within?),
        sampler,
        part_begun_here,
        delay: delay?,
        max_waiting: usize::try_from(max_waiting?).ok()?,
        max_at_once: usize::try_from(max_at_once?.min(max_waiting?)).ok()?,
        max_attributes: max_attributes?,
        max_events: max_events?,
        max_links: max_links?,
    })
}

fn read_metrics(reader: &mut Reader<'_>) -> Option<Metrics> {
    if !collector::is_sent(reader, &METRICS) {
        return None;
    }
    let collector = collector::read(reader, &METRICS);
    let within = reader.read(&otel::METRIC_EXPORT_TIMEOUT, milliseconds);
    let interval = reader.read(&otel::METRIC_EXPORT_INTERVAL, milliseconds);
    let temporality = reader.read(&otel::TEMPORALITY, |text| {
        text.parse::<Temporality>()
            .map_err(|()| "must be cumulative, delta or lowmemory")
    });
    Some(Metrics {
        collector: collector?.within(within?),
        interval: interval?,
        temporality: temporality?,
    })
}

fn read_count(reader: &mut Reader<'_>, variable: &Variable, max: u64) -> Option<u32> {
    reader.read(variable, |text| {
        let count = parse::number_within(text, 1, max)?;
        u32::try_from(count).map_err(|error| error.to_string())
    })
}
