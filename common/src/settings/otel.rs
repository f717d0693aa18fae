//! OpenTelemetry's own variables, as its specification names them. They have no flags, as they are the platform's and not
//! Hookline's; their values are milliseconds, numbers and words as OpenTelemetry writes them. The generic endpoint stands
//! among the other settings.

use super::variable::{Variable, variables};

variables! {
    SDK_DISABLED = "OTEL_SDK_DISABLED", None, false,
        "true sends nothing, whatever else is set";
    TRACES_EXPORTER = "OTEL_TRACES_EXPORTER", None, false,
        "otlp, or none to send no traces";
    METRICS_EXPORTER = "OTEL_METRICS_EXPORTER", None, false,
        "otlp, or none or prometheus to send no metrics";
    LOGS_EXPORTER = "OTEL_LOGS_EXPORTER", None, false,
        "none: logs go to stderr";
    PROPAGATORS = "OTEL_PROPAGATORS", None, false,
        "tracecontext: what events carry";
    TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", None, false,
        "Where traces go, taken as it is";
    METRICS_ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", None, false,
        "Where metrics go, taken as it is";
    PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL", None, false,
        "grpc or http/protobuf";
    TRACES_PROTOCOL = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", None, false,
        "The same for traces";
    METRICS_PROTOCOL = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", None, false,
        "The same for metrics";
    HEADERS = "OTEL_EXPORTER_OTLP_HEADERS", None, true,
        "Headers of each request: name=value, comma-separated, percent-encoded";
    TRACES_HEADERS = "OTEL_EXPORTER_OTLP_TRACES_HEADERS", None, true,
        "The same for traces";
    METRICS_HEADERS = "OTEL_EXPORTER_OTLP_METRICS_HEADERS", None, true,
        "The same for metrics";
    TIMEOUT = "OTEL_EXPORTER_OTLP_TIMEOUT", None, false,
        "Time for one export with its retries, in milliseconds";
    TRACES_TIMEOUT = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", None, false,
        "The same for traces";
    METRICS_TIMEOUT = "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", None, false,
        "The same for metrics";
    COMPRESSION = "OTEL_EXPORTER_OTLP_COMPRESSION", None, false,
        "gzip or none";
    TRACES_COMPRESSION = "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", None, false,
        "The same for traces";
    METRICS_COMPRESSION = "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", None, false,
        "The same for metrics";
    CERTIFICATE = "OTEL_EXPORTER_OTLP_CERTIFICATE", None, false,
        "PEM file with the roots to trust for an https collector, instead of the system's";
    TRACES_CERTIFICATE = "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", None, false,
        "The same for traces";
    METRICS_CERTIFICATE = "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", None, false,
        "The same for metrics";
    INSECURE = "OTEL_EXPORTER_OTLP_INSECURE", None, false,
        "true leaves TLS out where a gRPC endpoint names no scheme";
    TRACES_INSECURE = "OTEL_EXPORTER_OTLP_TRACES_INSECURE", None, false,
        "The same for traces";
    METRICS_INSECURE = "OTEL_EXPORTER_OTLP_METRICS_INSECURE", None, false,
        "The same for metrics";
    TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", Some("cumulative"), false,
        "How metrics are counted: cumulative, delta or lowmemory";
    SERVICE_NAME = "OTEL_SERVICE_NAME", None, false,
        "What the service is called";
    RESOURCE_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES", None, false,
        "What else is said of it: name=value, comma-separated, percent-encoded";
    SAMPLER = "OTEL_TRACES_SAMPLER", Some("parentbased_always_on"), false,
        "Which traces are sent";
    SAMPLER_ARG = "OTEL_TRACES_SAMPLER_ARG", Some("1"), false,
        "The ratio of a traceidratio sampler: 0 to 1";
    BSP_SCHEDULE_DELAY = "OTEL_BSP_SCHEDULE_DELAY", Some("5000"), false,
        "Time between two exports of spans, in milliseconds";
    BSP_EXPORT_TIMEOUT = "OTEL_BSP_EXPORT_TIMEOUT", Some("30000"), false,
        "Time for an export of spans, in milliseconds; the shorter one counts";
    BSP_MAX_QUEUE_SIZE = "OTEL_BSP_MAX_QUEUE_SIZE", Some("2048"), false,
        "Spans that may wait; further ones are lost";
    BSP_MAX_EXPORT_BATCH_SIZE = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", Some("512"), false,
        "Spans in one export at most";
    METRIC_EXPORT_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL", Some("60000"), false,
        "Time between two exports of metrics, in milliseconds";
    METRIC_EXPORT_TIMEOUT = "OTEL_METRIC_EXPORT_TIMEOUT", Some("30000"), false,
        "Time for an export of metrics, in milliseconds; the shorter one counts";
    SPAN_ATTRIBUTES = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", Some("128"), false,
        "Attributes of a span at most";
    SPAN_EVENTS = "OTEL_SPAN_EVENT_COUNT_LIMIT", Some("128"), false,
        "Events of a span at most";
    SPAN_LINKS = "OTEL_SPAN_LINK_COUNT_LIMIT", Some("128"), false,
        "Links of a span at most";
}
