#![allow(clippy::unwrap_used)]
//! What is asked for, read whole.

use std::collections::BTreeMap;
use std::time::Duration;

use super::OtlpSettings;
use super::endpoint::Protocol;
use crate::settings::{Faults, NotText, Reader, SettingSource};

struct Given(BTreeMap<&'static str, &'static str>);

impl SettingSource for Given {
    fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
        Ok(self.0.get(name).map(|value| (*value).to_owned()))
    }
    fn flag(&self, flag: &str) -> Option<String> {
        self.0.get(flag).map(|value| (*value).to_owned())
    }
    fn names(&self) -> Vec<String> {
        self.0.keys().map(|name| (*name).to_owned()).collect()
    }
}

fn try_read<const N: usize>(given: [(&'static str, &'static str); N]) -> Result<OtlpSettings, Faults> {
    let source = Given(given.into());
    let mut reader = Reader::new(&source);
    let settings = OtlpSettings::read(&mut reader);
    reader.finish(|| Some(settings))
}

fn read<const N: usize>(given: [(&'static str, &'static str); N]) -> OtlpSettings {
    try_read(given).unwrap()
}

fn fault<const N: usize>(given: [(&'static str, &'static str); N]) -> String {
    try_read(given).unwrap_err().to_string()
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:1234/base");

#[test]
fn nothing_is_sent_unless_somebody_asks_for_it() {
    for settings in [
        read([]),
        read([("OTEL_EXPORTER_OTLP_ENDPOINT", "")]),
        read([("OTEL_SERVICE_NAME", "x")]),
        read([ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")]),
        read([
            ENDPOINT,
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "None"),
        ]),
        read([
            ENDPOINT,
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "prometheus"),
        ]),
    ] {
        assert!(settings.traces.is_none() && settings.metrics.is_none());
        assert_eq!(settings.leftover, Vec::<String>::new());
    }
}

#[test]
fn an_endpoint_is_for_both_signals_and_the_flag_gives_its_value() {
    for settings in [
        read([ENDPOINT]),
        read([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere"),
            ("otel-exporter-otlp-endpoint", "http://collector:1234/base"),
        ]),
        read([ENDPOINT, ("OTEL_SDK_DISABLED", "false")]),
        read([
            ENDPOINT,
            ("OTEL_METRICS_EXPORTER", "otlp,prometheus"),
            ("OTEL_TRACES_EXPORTER", "OTLP"),
        ]),
    ] {
        let (traces, metrics) = (settings.traces.unwrap(), settings.metrics.unwrap());
        for collector in [&traces.collector, &metrics.collector] {
            assert_eq!(collector.url.as_str(), "http://collector:1234/");
            assert_eq!(collector.protocol, Protocol::Grpc);
            assert_eq!(collector.timeout, Duration::from_secs(10));
            assert!(!collector.gzip);
        }
        assert_eq!(format!("{:?}", traces.sampler), "ParentBased(AlwaysOn)");
        assert_eq!((traces.max_waiting, traces.max_at_once), (2048, 512));
        assert_eq!(traces.delay, Duration::from_secs(5));
        assert_eq!(metrics.interval, Duration::from_secs(60));
    }
}

#[test]
fn only_the_word_true_disables_and_what_else_stands_there_is_told() {
    for value in ["1", "yes", "on", "disabled"] {
        let settings = read([ENDPOINT, ("OTEL_SDK_DISABLED", value)]);
        assert!(settings.traces.is_some(), "{value}");
        assert!(
            settings.leftover.concat().contains("OTEL_SDK_DISABLED"),
            "{value}"
        );
    }
}

#[test]
fn an_exporter_that_is_asked_for_by_name_has_the_default_address_of_its_protocol() {
    let settings = read([("OTEL_TRACES_EXPORTER", "otlp")]);
    assert_eq!(
        settings.traces.unwrap().collector.url.as_str(),
        "http://localhost:4317/"
    );
    assert!(settings.metrics.is_none());
    let settings = read([
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
    ]);
    let url = settings.metrics.unwrap().collector.url;
    assert_eq!(url.as_str(), "http://localhost:4318/v1/metrics");
}

#[test]
fn a_signals_own_variables_win_over_those_of_all_signals() {
    let settings = read([
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "own:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "c=3"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "90000"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true"),
    ]);
    let traces = settings.traces.unwrap().collector;
    assert_eq!(traces.url.as_str(), "http://own:4317/");
    assert_eq!((traces.protocol, traces.gzip), (Protocol::Grpc, false));
    // The queue's own limit is the shorter one.
    assert_eq!(traces.timeout, Duration::from_secs(30));
    assert_eq!(traces.headers.keys().collect::<Vec<_>>(), ["c"]);
    let metrics = settings.metrics.unwrap().collector;
    assert_eq!(metrics.url.as_str(), "http://collector:1234/base/v1/metrics");
    assert_eq!((metrics.protocol, metrics.gzip), (Protocol::HttpProtobuf, true));
    assert_eq!(metrics.timeout, Duration::from_secs(2));
    assert_eq!(metrics.headers.len(), 2);
}

#[test]
fn a_span_may_have_as_much_as_its_variables_say() {
    let limits = |settings: OtlpSettings| {
        let traces = settings.traces.unwrap();
        (traces.max_attributes, traces.max_events, traces.max_links)
    };
    assert_eq!(limits(read([ENDPOINT])), (128, 128, 128));
    let set = read([
        ENDPOINT,
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "4"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "5"),
    ]);
    assert_eq!(limits(set), (3, 4, 5));
}

#[test]
fn the_service_has_the_name_of_its_own_variable_or_of_its_attributes() {
    let attributes = (
        "OTEL_RESOURCE_ATTRIBUTES",
        "service.name=attribute,deployment.environment=a%20b",
    );
    let settings = read([attributes]);
    assert_eq!(settings.service_name.as_deref(), Some("attribute"));
    assert_eq!(
        settings.attributes,
        [("deployment.environment".to_owned(), "a b".to_owned())]
    );
    let settings = read([attributes, ("OTEL_SERVICE_NAME", "own")]);
    assert_eq!(settings.service_name.as_deref(), Some("own"));
}

#[test]
fn wrong_values_are_refused_with_what_is_allowed() {
    for (given, words) in [
        (("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"), "http/protobuf"),
        (
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://x"),
            "http:// or https://",
        ),
        (("OTEL_EXPORTER_OTLP_HEADERS", "s3cret"), "name=value"),
        (("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), "milliseconds"),
        (("OTEL_EXPORTER_OTLP_TIMEOUT", "0"), "milliseconds"),
        (("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"), "gzip or none"),
        (("OTEL_TRACES_EXPORTER", "zipkin"), "otlp or none"),
        (("OTEL_METRICS_EXPORTER", "console"), "prometheus"),
        (("OTEL_TRACES_SAMPLER", "jaeger_remote"), "always_on"),
        (("OTEL_TRACES_SAMPLER_ARG", "2"), "0 to 1"),
        (("OTEL_BSP_MAX_QUEUE_SIZE", "0"), "1 to 100000"),
        (("OTEL_BSP_SCHEDULE_DELAY", "-1"), "milliseconds"),
        (("OTEL_METRIC_EXPORT_INTERVAL", "x"), "milliseconds"),
        (
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "x"),
            "delta",
        ),
        (("OTEL_RESOURCE_ATTRIBUTES", "x"), "name=value"),
    ] {
        let text = fault([ENDPOINT, given]);
        assert!(
            text.contains(given.0) && text.contains(words),
            "{given:?}: {text}"
        );
        assert!(!text.contains("s3cret"), "{text}");
        // Each is told once, although several signals read it.
        assert_eq!(
            text.matches("OTEL_").count(),
            text.matches('\n').count(),
            "{text}"
        );
    }
    let all = fault([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user@collector"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "x"),
    ]);
    assert_eq!(all.matches('\n').count(), 4, "{all}");
    for endpoint in ["http://user:s3cret@collector", "ftp://collector?key=s3cret"] {
        let text = fault([("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
        assert!(!text.contains("s3cret"), "{text}");
    }
    let https = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector");
    let text = fault([https, ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file")]);
    assert!(text.contains("cannot be read"), "{text}");
    // Without TLS nobody asks for it.
    read([ENDPOINT, ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file")]);
}

#[test]
fn what_is_set_and_not_honoured_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "key=s3cret\n").unwrap();
    let headers: &str = Box::leak(file.path().to_str().unwrap().into());
    let settings = read([
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "x"),
        ("OTEL_EXPORTER_OTLP_ENDPIONT", "x"),
        ("OTEL_LOG_LEVEL", ""),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_PROPAGATORS", "tracecontext,baggage"),
        ("OTEL_EXPORTER_OTLP_HEADERS_FILE", headers),
    ]);
    assert_eq!(settings.leftover.len(), 3, "{:?}", settings.leftover);
    assert_eq!(
        settings.leftover[0],
        "set and not honoured: OTEL_EXPORTER_OTLP_CLIENT_KEY, OTEL_EXPORTER_OTLP_ENDPIONT \
         (did you mean OTEL_EXPORTER_OTLP_ENDPOINT?)"
    );
    let nothing = read([
        ENDPOINT,
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_PROPAGATORS", "tracecontext"),
    ]);
    assert_eq!(nothing.leftover, Vec::<String>::new());
    let idle = read([("OTEL_EXPORTER_OTLP_HEADERS", "a=b")]);
    assert!(idle.leftover.concat().contains("set OTEL_EXPORTER_OTLP_ENDPOINT"));
}
