//! What sends traces and metrics: OpenTelemetry's exporters, set up by our settings and not by their own reading of the
//! environment, and watched.

use std::sync::Arc;

use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{
    Compression, ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig,
    WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{MeterProviderBuilder, PeriodicReader};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;

use super::collector::Collector;
use super::endpoint::Protocol;
use super::http_client::CollectorClient;
use super::last_error::LastError;
use super::losses::Kind;
use super::roots;
use super::settings::OtlpSettings;
use super::watch::{BoundedQueue, Watch, Watched};

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The exporter refused its settings.
    #[error("OTLP cannot be set up: {0}; mend the OTEL_ variables, or set OTEL_SDK_DISABLED=true")]
    Exporter(#[from] ExporterBuildError),
    /// The TLS library refused its own defaults.
    #[error("OTLP cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// Nothing is there that could send.
    #[error("OTLP cannot be set up: {0}")]
    Runtime(#[from] tokio::runtime::TryCurrentError),
}

/// What makes spans and sends them, if traces are sent.
///
/// # Errors
/// [`OtlpError`] when nothing can be sent, whatever the collector does.
pub(crate) fn tracer_provider(
    settings: &OtlpSettings,
    resource: Resource,
    watch: &Arc<Watch>,
) -> Result<Option<SdkTracerProvider>, OtlpError> {
    let Some(traces) = &settings.traces else {
        return Ok(None);
    };
    let parts = Parts::new(&traces.collector)?;
    let builder = SpanExporter::builder();
    let exporter = match &parts.client {
        None => grpc(builder.with_tonic(), &traces.collector).build()?,
        Some(client) => http(builder.with_http(), &traces.collector, client).build()?,
    };
    let exporter = parts.watched(exporter, Kind::Traces, &traces.collector, watch);
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(traces.max_waiting)
        .with_max_export_batch_size(traces.max_at_once)
        .with_scheduled_delay(traces.delay)
        .build();
    let queue = BatchSpanProcessor::builder(exporter)
        .with_batch_config(batches)
        .build();
    let queue = BoundedQueue {
        queue,
        max_waiting: traces.max_waiting,
        watch: Arc::clone(watch),
    };
    // Spans of what begins here and is not collected are not made where that is decided before (`choice.rs`).
    let sampler = match traces.part_begun_here {
        Some(_) => Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
        None => traces.sampler.clone(),
    };
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(sampler)
        .with_max_attributes_per_span(traces.max_attributes)
        .with_max_events_per_span(traces.max_events)
        .with_max_links_per_span(traces.max_links)
        .with_span_processor(queue);
    Ok(Some(provider.build()))
}

/// `provider` with what sends its metrics, if they are sent.
///
/// # Errors
/// [`OtlpError`] when nothing can be sent, whatever the collector does.
pub(crate) fn with_metric_reader(
    provider: MeterProviderBuilder,
    settings: &OtlpSettings,
    watch: &Arc<Watch>,
) -> Result<MeterProviderBuilder, OtlpError> {
    let Some(metrics) = &settings.metrics else {
        return Ok(provider);
    };
    let parts = Parts::new(&metrics.collector)?;
    let builder = MetricExporter::builder().with_temporality(metrics.temporality);
    let exporter = match &parts.client {
        None => grpc(builder.with_tonic(), &metrics.collector).build()?,
        Some(client) => http(builder.with_http(), &metrics.collector, client).build()?,
    };
    let exporter = parts.watched(exporter, Kind::Metrics, &metrics.collector, watch);
    let reader = PeriodicReader::builder(exporter).with_interval(metrics.interval);
    Ok(provider.with_reader(reader.build()))
}

/// What an exporter of any signal is made of.
struct Parts {
    /// What sends protobuf over HTTP; gRPC brings its own.
    client: Option<Arc<CollectorClient>>,
    runtime: Handle,
}

impl Parts {
    fn new(collector: &Collector) -> Result<Self, OtlpError> {
        let runtime = Handle::try_current()?;
        let client = match collector.protocol {
            Protocol::Grpc => None,
            Protocol::HttpProtobuf => {
                let roots = trusted(collector).unwrap_or_else(RootCertStore::empty);
                let headers = collector.headers.clone();
                let client = CollectorClient::new(tls(roots)?, headers, collector.timeout, runtime.clone());
                Some(Arc::new(client))
            }
        };
        Ok(Self { client, runtime })
    }

    fn watched<E>(self, exporter: E, kind: Kind, collector: &Collector, watch: &Arc<Watch>) -> Watched<E> {
        Watched {
            exporter,
            kind,
            target: format!("{collector} ({})", collector.protocol.as_str()),
            limit: collector.timeout,
            runtime: self.runtime,
            last_error: self
                .client
                .map_or_else(LastError::default, |client| client.last_error()),
            watch: Arc::clone(watch),
        }
    }
}

/// Whom to believe that it is the collector, where that has to be proven.
fn trusted(collector: &Collector) -> Option<RootCertStore> {
    let roots = || collector.roots.clone().unwrap_or_else(roots::of_system);
    collector.is_https().then(roots)
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Everything that the exporter would otherwise look up itself, in its own way.
fn grpc<B: WithExportConfig + WithTonicConfig>(builder: B, collector: &Collector) -> B {
    let builder = builder
        .with_endpoint(collector.url.as_str())
        .with_timeout(collector.timeout)
        .with_metadata(MetadataMap::from_headers(collector.headers.clone()));
    let builder = match trusted(collector) {
        Some(roots) => builder.with_tls_config(ClientTlsConfig::new().trust_anchors(roots.roots)),
        None => builder,
    };
    if collector.gzip {
        return builder.with_compression(Compression::Gzip);
    }
    builder
}

/// The same over HTTP. The headers are added by the client: the exporter would decode their values a second time.
fn http<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    collector: &Collector,
    client: &Arc<CollectorClient>,
) -> B {
    let builder = builder
        .with_endpoint(collector.url.as_str())
        .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
        .with_timeout(collector.timeout)
        .with_shared_http_client(Arc::clone(client) as _);
    if collector.gzip {
        return WithHttpConfig::with_compression(builder, Compression::Gzip);
    }
    builder
}
