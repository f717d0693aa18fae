//! Who says all this.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;

use super::settings::OtlpSettings;

/// Who we are: what the variables say, else `service`.
pub(crate) fn resource(settings: &OtlpSettings, service: &'static str) -> Resource {
    let name = settings
        .service_name
        .clone()
        .unwrap_or_else(|| service.to_owned());
    let attributes = settings
        .attributes
        .iter()
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(attributes)
        .with_service_name(name)
        .build()
}
