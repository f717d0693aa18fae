//! In place of the exporters, in a program that was built without them (feature `otlp`): what was asked for is not sent, and
//! [`leftover`](super::leftover) says so.

use std::sync::Arc;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::MeterProviderBuilder;
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::settings::OtlpSettings;
use super::watch::Watch;

/// Why nothing can be sent: never, as nothing is.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {}

/// None, as no spans are sent.
#[expect(clippy::unnecessary_wraps, reason = "in place of one that can fail")]
pub(crate) fn tracer_provider(
    _: &OtlpSettings,
    _: Resource,
    _: &Arc<Watch>,
) -> Result<Option<SdkTracerProvider>, OtlpError> {
    Ok(None)
}

/// `provider` as it is.
#[expect(clippy::unnecessary_wraps, reason = "in place of one that can fail")]
pub(crate) fn with_metric_reader(
    provider: MeterProviderBuilder,
    _: &OtlpSettings,
    _: &Arc<Watch>,
) -> Result<MeterProviderBuilder, OtlpError> {
    Ok(provider)
}
