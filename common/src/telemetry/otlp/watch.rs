//! Exporters that are watched: each export ends in time, and what is lost is counted and told. Deliveries see nothing of
//! it: spans wait in a bounded queue, and what finds it full is lost.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use tokio::runtime::Handle;

use super::last_error::LastError;
use super::losses::{Kind, Losses, Lost};

/// What happens to all exports of this process.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    losses: Mutex<Losses>,
    /// Spans that wait for their export.
    waiting: AtomicUsize,
    /// Spans in an export that has not ended.
    on_the_way: AtomicUsize,
    /// Spans that found the queue full and were not told of.
    overflowed: AtomicU64,
    /// All spans lost so far.
    lost: AtomicU64,
}

impl Watch {
    /// All spans lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// What was lost and never told, with what still waits: asked at the end, when nothing is sent any more.
    pub(crate) fn rest(&self) -> Lost {
        let unsent = self.waiting.load(Ordering::Relaxed) + self.on_the_way.load(Ordering::Relaxed);
        let unsent = unsent as u64 + self.overflowed.swap(0, Ordering::Relaxed);
        let mut rest = self.losses.lock().unwrap_or_else(PoisonError::into_inner).rest();
        rest.spans += unsent;
        rest
    }

    fn failed(&self, kind: Kind, mut lost: Lost, tell: impl FnOnce(Lost)) {
        self.lost.fetch_add(lost.spans, Ordering::Relaxed);
        lost.spans += self.overflowed.swap(0, Ordering::Relaxed);
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        let told = losses.failed(kind, lost, Instant::now());
        drop(losses);
        if let Some(lost) = told {
            tell(lost);
        }
    }

    fn succeeded(&self, kind: Kind, target: &str) {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        let told = losses.succeeded(kind, Instant::now());
        drop(losses);
        if let Some(lost) = told {
            let kind = kind.as_str();
            tracing::info!(
                spans_lost = lost.spans,
                "the collector at {target} takes {kind} again"
            );
        }
    }
}

/// An exporter that is watched.
#[derive(Debug)]
pub(crate) struct Watched<E> {
    pub(super) exporter: E,
    pub(super) kind: Kind,
    /// The collector, for people.
    pub(super) target: String,
    /// For one export with its retries.
    pub(super) limit: Duration,
    pub(super) runtime: Handle,
    /// What the transport said last, where the exporter keeps it to itself.
    pub(super) last_error: LastError,
    pub(super) watch: Arc<Watch>,
}

impl<E> Watched<E> {
    /// Waits for an export, no longer than the limit. The thread that waits is none of the runtime's, so the clock has to
    /// be given to it.
    async fn within_limit(&self, export: impl Future<Output = OTelSdkResult>) -> OTelSdkResult {
        let limited = {
            let _in_runtime = self.runtime.enter();
            tokio::time::timeout(self.limit, export)
        };
        let begun = Instant::now();
        match limited.await {
            Ok(Ok(())) => Ok(()),
            // The exporter has limits of its own, which may end it just before ours and say it in other words.
            Ok(Err(error)) if begun.elapsed() < self.limit => Err(error),
            _ => Err(OTelSdkError::Timeout(self.limit)),
        }
    }

    fn judge(&self, result: &OTelSdkResult, lost: Lost) {
        let said = self.last_error.take();
        let reason = match (result, said) {
            (Ok(()), _) => return self.watch.succeeded(self.kind, &self.target),
            (Err(OTelSdkError::Timeout(limit)), _) => format!("no answer within {limit:?}"),
            (Err(_), Some(said)) => said,
            (Err(OTelSdkError::InternalFailure(reason)), None) => reason.clone(),
            (Err(error), None) => error.to_string(),
        };
        let (kind, target) = (self.kind.as_str(), &self.target);
        self.watch.failed(self.kind, lost, |lost| {
            tracing::warn!(
                reason,
                spans_lost = lost.spans,
                metric_exports_lost = lost.metric_exports,
                "the collector at {target} does not take {kind}; deliveries go on. Check the OTEL_EXPORTER_OTLP_ variables and the collector"
            );
        });
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.watch.on_the_way.fetch_add(count, Ordering::Relaxed);
        self.watch.waiting.fetch_sub(count, Ordering::Relaxed);
        let result = self.within_limit(self.exporter.export(batch)).await;
        self.watch.on_the_way.fetch_sub(count, Ordering::Relaxed);
        let lost = Lost {
            spans: count as u64,
            metric_exports: 0,
        };
        self.judge(&result, lost);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Watched<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.within_limit(self.exporter.export(metrics)).await;
        let lost = Lost {
            spans: 0,
            metric_exports: 1,
        };
        self.judge(&result, lost);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

/// The queue of spans before their export. The library's own drops what finds it full and tells nobody how much; so it is
/// kept from becoming full.
#[derive(Debug)]
pub(super) struct BoundedQueue {
    pub(super) queue: BatchSpanProcessor,
    pub(super) max_waiting: usize,
    pub(super) watch: Arc<Watch>,
}

impl SpanProcessor for BoundedQueue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.queue.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.watch.waiting.fetch_add(1, Ordering::Relaxed) < self.max_waiting {
            self.queue.on_end(span);
        } else {
            self.watch.waiting.fetch_sub(1, Ordering::Relaxed);
            self.watch.overflowed.fetch_add(1, Ordering::Relaxed);
            self.watch.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.queue.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.queue.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.queue.set_resource(resource);
    }
}
