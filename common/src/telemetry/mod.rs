//! Logs to stderr, metrics for Prometheus, and both traces and metrics over OTLP where an endpoint is set.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::metrics;
use crate::settings::{Reader, parse, variables};
use crate::stderr;
use crate::trace_context::TraceContext;

mod choice; // which traces are collected
mod last_export; // traces and metrics at the end, within a limit
mod otlp; // what OpenTelemetry's variables ask for, and what carries it out

pub use self::choice::is_left_out;
pub use self::otlp::{OtlpError, OtlpSettings};

/// How long a process that ends waits for its last traces and metrics to be taken: a collector that answers takes
/// milliseconds, and one that hangs must not hold up a stop.
pub const EXPORT_WITHIN: Duration = Duration::from_secs(2);

/// How a service tells what it does.
#[derive(Debug, Clone, Default)]
pub struct TelemetrySettings {
    /// `RUST_LOG` directives.
    pub filter: String,
    /// One JSON object a line instead of text for people.
    pub json: bool,
    /// Whether and where traces and metrics are sent over OTLP.
    pub otlp: OtlpSettings,
}

impl TelemetrySettings {
    /// Reads them; `None` after a fault.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let filter = reader.read(&variables::RUST_LOG, |text| {
            let directives = parse::log_directives(text);
            directives
                .parse::<EnvFilter>()
                .map(|_| directives)
                .map_err(|error| format!("is no log filter: {error}"))
        });
        let json = reader.read(&variables::LOG_FORMAT, |text| match text {
            "text" => Ok(false),
            "json" => Ok(true),
            _ => Err("must be text or json"),
        });
        let otlp = OtlpSettings::read(reader);
        Some(Self {
            filter: filter?,
            json: json.unwrap_or_else(|| !std::io::stderr().is_terminal()),
            otlp,
        })
    }
}

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// OTLP cannot be set up.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    /// The Prometheus registry refused the exporter.
    #[error("metrics cannot be set up: {0}")]
    Metrics(String),
}

/// Running telemetry; [`Telemetry::flush`] sends what is left.
#[derive(Debug, Default)]
pub struct Telemetry {
    registry: prometheus::Registry,
    watch: Arc<otlp::Watch>,
    traces: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
    metrics: Option<opentelemetry_sdk::metrics::SdkMeterProvider>,
}

impl Telemetry {
    /// Starts logs, metrics and, where asked for, OTLP, for the whole process.
    ///
    /// # Errors
    /// [`TelemetryError`] names what could not be set up.
    pub fn start(settings: &TelemetrySettings, service: &'static str) -> Result<Self, TelemetryError> {
        let otlp = &settings.otlp;
        let watch = Arc::<otlp::Watch>::default();
        let resource = otlp::resource(otlp, service);
        let registry = prometheus::Registry::new();
        let metrics = start_metrics(otlp, &registry, &resource, &watch)?;
        opentelemetry::global::set_meter_provider(metrics.clone());
        count_losses(&watch);
        let traces = otlp::tracer_provider(otlp, resource, &watch)?;
        if let Some(traces) = &traces {
            opentelemetry::global::set_tracer_provider(traces.clone());
        }
        choice::collect(otlp.part_begun_here());
        start_logs(settings, traces.as_ref());
        for line in &otlp.leftover {
            tracing::warn!("OpenTelemetry: {line}");
        }
        Ok(Self {
            registry,
            watch,
            traces,
            metrics: Some(metrics),
        })
    }

    /// All metrics in Prometheus' text format.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        prometheus::TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_else(|error| {
                tracing::error!(%error, "metrics cannot be encoded");
                String::new()
            })
    }

    /// Sends what is left of traces and metrics, for at most [`EXPORT_WITHIN`] in all.
    pub async fn flush(&self) {
        let mut exports: Vec<(&'static str, last_export::Export)> = Vec::new();
        if let Some(traces) = self.traces.clone() {
            // Longer than anybody waits, so that it is the wait that ends, and says so.
            let export = move || {
                traces
                    .shutdown_with_timeout(EXPORT_WITHIN * 2)
                    .map_err(|error| error.to_string())
            };
            exports.push(("traces", Box::new(export)));
        }
        if let Some(metrics) = self.metrics.clone() {
            let export = move || metrics.shutdown().map_err(|error| error.to_string());
            exports.push(("metrics", Box::new(export)));
        }
        let problems = last_export::run(exports, EXPORT_WITHIN).await.join("; ");
        let lost = self.watch.rest();
        if !problems.is_empty() || lost != otlp::Lost::default() {
            tracing::warn!(
                problem = problems,
                spans_lost = lost.spans,
                metric_exports_lost = lost.metric_exports,
                "the last traces or metrics were not sent; check the collector"
            );
        }
    }
}

fn start_metrics(
    settings: &OtlpSettings,
    registry: &prometheus::Registry,
    resource: &opentelemetry_sdk::Resource,
    watch: &Arc<otlp::Watch>,
) -> Result<opentelemetry_sdk::metrics::SdkMeterProvider, TelemetryError> {
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .build()
        .map_err(|error| TelemetryError::Metrics(error.to_string()))?;
    let builder = opentelemetry_sdk::metrics::SdkMeterProvider::builder()
        .with_resource(resource.clone())
        .with_reader(exporter);
    Ok(otlp::with_metric_reader(builder, settings, watch)?.build())
}

/// What telemetry itself loses.
fn count_losses(watch: &Arc<otlp::Watch>) {
    metrics::process::LOG_LINES_DROPPED.count_from(|| Some(stderr::dropped()));
    let watch = Arc::clone(watch);
    metrics::process::SPANS_LOST.count_from(move || Some(watch.lost()));
}

fn start_logs(settings: &TelemetrySettings, traces: Option<&opentelemetry_sdk::trace::SdkTracerProvider>) {
    use opentelemetry::trace::TracerProvider as _;

    let lines = tracing_subscriber::fmt::layer().with_writer(stderr::writer);
    let lines = if settings.json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    let lines = lines.with_filter(log_filter(&settings.filter));
    let spans = traces.map(|traces| {
        let ours = Targets::new().with_target("hookline", LevelFilter::DEBUG);
        // Lines of our source, threads and times awake tell operators nothing, and would be most of a span's attributes. Nobody
        // asks for the current span: each is handed on by hand.
        tracing_opentelemetry::layer()
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_tracer(traces.tracer("hookline"))
            .with_filter(ours)
    });
    let subscriber = tracing_subscriber::registry().with(lines).with(spans);
    if let Err(error) = subscriber.try_init() {
        tracing::debug!(%error, "somebody else set up the logs of this process");
    }
}

/// Makes `span` a part of the trace that came with a message. Before anything else is done with it.
pub fn continue_trace(span: &tracing::Span, trace: &TraceContext) {
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    if span.is_disabled() || trace.is_empty() {
        return;
    }
    if let Err(error) = span.set_parent(trace.to_parent()) {
        tracing::debug!(%error, "a span could not be put into its trace");
    }
}

/// Links `span` to another one that is neither its parent nor its child.
pub fn link(span: &tracing::Span, to: &opentelemetry::trace::SpanContext, relation: &'static str) {
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    let attributes = vec![opentelemetry::KeyValue::new("hookline.relation", relation)];
    span.add_link_with_attributes(to.clone(), attributes);
}

/// The trace as whatever follows `span` goes on with it; none where nothing is traced.
#[must_use]
pub fn trace_of(span: &tracing::Span) -> TraceContext {
    use opentelemetry::trace::TraceContextExt as _;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    if span.is_disabled() {
        return TraceContext::default();
    }
    TraceContext::of(span.context().span().span_context())
}

/// The broker's client library logs as errors what we handle and log ourselves, and at trace level it may print
/// what it sends to log in. It is heard only where it is named.
fn log_filter(directives: &str) -> EnvFilter {
    let filter: EnvFilter = directives.parse().unwrap_or_default();
    match "lapin=off".parse() {
        Ok(silence) if !directives.contains("lapin") => filter.add_directive(silence),
        _ => filter,
    }
}
