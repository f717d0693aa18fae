//! Where traces and metrics go, and how they are spoken: addresses, protocols, headers, compression, TLS.

use hookline_tests::hostile::certificates::Authority;
use hookline_tests::otlp_sink::{Export, OtlpSink};
use hookline_tests::{Receiver, World, scenario};
use hyper::Version;

use super::super::SOON;
use super::{receiver, sending, sending_to};

const GRPC_TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const GRPC_METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Has one attempt made, and returns what the collectors got of it: its trace, and metrics.
async fn told(
    world: &World,
    receiver: &Receiver,
    of_traces: &OtlpSink,
    of_metrics: &OtlpSink,
) -> (Export, Export) {
    world.publish("booking.created", "{}").await;
    receiver.expect_one(SOON).await;
    (of_traces.traces(SOON).await, of_metrics.metrics(SOON).await)
}

#[tokio::test]
async fn both_protocols_are_spoken_with_headers_and_gzip_where_they_are_asked_for() {
    for (protocol, version, traces, metrics) in [
        (None, Version::HTTP_2, GRPC_TRACES, GRPC_METRICS),
        (Some("GRPC"), Version::HTTP_2, GRPC_TRACES, GRPC_METRICS),
        (
            Some("http/protobuf"),
            Version::HTTP_11,
            "/base/v1/traces",
            "/base/v1/metrics",
        ),
    ] {
        scenario(async |world| {
            let (sink, receiver) = (OtlpSink::plain().await, receiver(world).await);
            // The base is no part of a gRPC address.
            let mut setup = sending(world)
                .set(
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                    format!("{}/base/", sink.http_url()),
                )
                .set(
                    "OTEL_EXPORTER_OTLP_HEADERS",
                    "x-api-key=a%20%2C%3Db%25,x-team = crm ",
                )
                .set("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-api-key=of%20traces")
                .set("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
                .set("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none");
            if let Some(protocol) = protocol {
                setup = setup.set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
            }
            setup.start().await;
            let (of_traces, of_metrics) = told(world, &receiver, &sink, &sink).await;
            assert_eq!((of_traces.version, of_metrics.version), (version, version));
            assert_eq!(
                (of_traces.path.as_str(), of_metrics.path.as_str()),
                (traces, metrics)
            );
            assert!(of_traces.was_gzip && !of_metrics.was_gzip);
            assert_eq!(of_traces.headers["x-api-key"], "of traces");
            assert_eq!(of_traces.headers.get("x-team"), None);
            assert_eq!(of_metrics.headers["x-api-key"], "a ,=b%");
            assert_eq!(of_metrics.headers["x-team"], "crm");
        })
        .await;
    }
}

#[tokio::test]
async fn a_signals_own_address_is_taken_as_it_is_and_its_protocol_is_its_own() {
    scenario(async |world| {
        let (of_all, of_traces) = (OtlpSink::plain().await, OtlpSink::plain().await);
        let receiver = receiver(world).await;
        sending_to(world, &of_all)
            .set(
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                format!("{}/custom/spans/", of_traces.http_url()),
            )
            .set("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
            .start()
            .await;
        let (traces, metrics) = told(world, &receiver, &of_traces, &of_all).await;
        assert_eq!(
            (traces.path.as_str(), metrics.path.as_str()),
            ("/custom/spans/", GRPC_METRICS)
        );
        assert!(of_traces.exports().iter().all(|export| export.metrics.is_empty()));
        assert!(of_all.exports().iter().all(|export| export.spans.is_empty()));
    })
    .await;
}

#[tokio::test]
async fn the_flag_gives_the_address_and_wins_over_its_variable() {
    scenario(async |world| {
        let (sink, other) = (OtlpSink::plain().await, OtlpSink::plain().await);
        let receiver = receiver(world).await;
        sending_to(world, &other)
            .flag("--otel-exporter-otlp-endpoint", sink.http_url())
            .start()
            .await;
        told(world, &receiver, &sink, &sink).await;
        assert!(other.exports().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_collector_behind_tls_is_trusted_by_the_file_of_its_authority_alone() {
    let authority = Authority::new("the collector's");
    let identity = authority.vouch_for(&["127.0.0.1"]);
    for protocol in ["grpc", "http/protobuf"] {
        scenario(async |world| {
            std::fs::write(world.path("ca.pem"), authority.pem()).unwrap();
            let (sink, receiver) = (OtlpSink::secure(&identity).await, receiver(world).await);
            let setup = || {
                sending(world)
                    .set("OTEL_EXPORTER_OTLP_ENDPOINT", sink.https_url())
                    .set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            };
            let stranger = setup().start().await;
            let warning = stranger.says("does not take", SOON).await;
            assert!(warning.contains("UnknownIssuer"), "{warning}");
            stranger.stop().await;
            assert!(sink.exports().is_empty());
            setup()
                .set(
                    "OTEL_EXPORTER_OTLP_CERTIFICATE",
                    world.path("ca.pem").display().to_string(),
                )
                .start()
                .await;
            told(world, &receiver, &sink, &sink).await;
        })
        .await;
    }
}

#[tokio::test]
async fn an_address_without_a_scheme_is_grpc_by_tls_unless_it_is_said_to_be_insecure() {
    let authority = Authority::new("the collector's");
    let identity = authority.vouch_for(&["127.0.0.1"]);
    for is_insecure in [false, true] {
        scenario(async |world| {
            std::fs::write(world.path("ca.pem"), authority.pem()).unwrap();
            let sink = if is_insecure {
                OtlpSink::plain().await
            } else {
                OtlpSink::secure(&identity).await
            };
            let receiver = receiver(world).await;
            sending(world)
                .set("OTEL_EXPORTER_OTLP_ENDPOINT", sink.address())
                .set("OTEL_EXPORTER_OTLP_INSECURE", is_insecure.to_string())
                .set(
                    "OTEL_EXPORTER_OTLP_CERTIFICATE",
                    world.path("ca.pem").display().to_string(),
                )
                .start()
                .await;
            let (traces, _) = told(world, &receiver, &sink, &sink).await;
            assert_eq!(traces.path, GRPC_TRACES);
            let refused = sending(world)
                .set("OTEL_EXPORTER_OTLP_ENDPOINT", sink.address())
                .set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
                .launch();
            assert_eq!(refused.ends_within(SOON).await.code(), Some(2));
            refused.says("names no scheme", SOON).await;
        })
        .await;
    }
}
