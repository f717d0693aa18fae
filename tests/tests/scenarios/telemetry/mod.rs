//! What a collector gets, by OpenTelemetry's variables: each row of the table in docs/SETTINGS.md against a collector that speaks both
//! protocols.

mod address; // where it goes, and how it is spoken
mod signals; // where one of both goes by itself
mod failing; // a collector that takes nothing
mod tree; // one trace from a publisher to a manual retry

use hookline_common::topology::Queue;
use hookline_tests::dispatcher::Setup;
use hookline_tests::endpoint::endpoint;
use hookline_tests::message::{HandMade, text};
use hookline_tests::otlp_sink::OtlpSink;
use hookline_tests::world::World;
use hookline_tests::{Receiver, eventually, scenario, status};

use super::SOON;

/// A dispatcher that sends what it has several times a second, to nobody yet.
fn sending(world: &World) -> Setup<'_> {
    world
        .dispatcher()
        .set("OTEL_BSP_SCHEDULE_DELAY", "100")
        .set("OTEL_METRIC_EXPORT_INTERVAL", "200")
}

/// The same, to this collector.
fn sending_to<'a>(world: &'a World, sink: &OtlpSink) -> Setup<'a> {
    sending(world).set("OTEL_EXPORTER_OTLP_ENDPOINT", sink.http_url())
}

/// A receiver that takes everything.
async fn receiver(world: &World) -> Receiver {
    let receiver = Receiver::answering(status(200)).await;
    world.endpoints([endpoint("ep_crm", &receiver)]);
    receiver
}

#[tokio::test]
async fn an_attempt_is_a_span_in_the_trace_of_its_event_from_a_service_with_our_name() {
    scenario(async |world| {
        let (sink, receiver) = (OtlpSink::plain().await, receiver(world).await);
        sending_to(world, &sink).start().await;
        let trace = "0af7651916cd43dd8448eb211c80319c";
        HandMade::event()
            .header("traceparent", text(&format!("00-{trace}-b7ad6b7169203331-01")))
            .publish(world)
            .await;
        let id = receiver.expect_one(SOON).await.id().to_owned();
        let spans = sink.spans(2, SOON).await;
        let export = sink.traces(SOON).await;
        let span = spans.iter().find(|span| span.name == "POST").unwrap();
        assert_eq!((span.trace.as_str(), span.kind), (trace, 3));
        assert_eq!(span.attributes["hookline.event"], id);
        assert_eq!(span.attributes["hookline.outcome"], "delivered");
        assert_eq!(export.resource["service.name"], "hookline-dispatcher");
        let metrics = eventually(SOON, "the attempt is counted", async || {
            let exports = sink.exports().into_iter();
            exports
                .rev()
                .find(|export| export.metrics.contains("hookline.attempts"))
        })
        .await;
        assert!(!metrics.has_deltas);
        assert_eq!(metrics.resource["service.name"], "hookline-dispatcher");
    })
    .await;
}

#[tokio::test]
async fn the_service_is_what_the_variables_say() {
    scenario(async |world| {
        let (sink, receiver) = (OtlpSink::plain().await, receiver(world).await);
        let dispatcher = sending_to(world, &sink)
            .set("OTEL_SERVICE_NAME", "hooks of acme")
            .set(
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=loses,deployment.environment=staging%20%2C1",
            )
            .set("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        receiver.expect_one(SOON).await;
        for export in [sink.traces(SOON).await, sink.metrics(SOON).await] {
            assert_eq!(export.resource["service.name"], "hooks of acme");
            assert_eq!(export.resource["deployment.environment"], "staging ,1");
            assert!(export.resource.contains_key("telemetry.sdk.version"));
        }
        eventually(SOON, "an export of deltas", async || {
            sink.exports()
                .iter()
                .any(|export| export.has_deltas)
                .then_some(())
        })
        .await;
        let page = dispatcher.get("/metrics").await.unwrap().body;
        assert!(page.contains("service_name=\"hooks of acme\""), "{page}");
    })
    .await;
}

#[tokio::test]
async fn traces_and_metrics_are_left_out_where_their_exporter_is_none() {
    for (variable, has_spans) in [("OTEL_TRACES_EXPORTER", false), ("OTEL_METRICS_EXPORTER", true)] {
        scenario(async |world| {
            let (sink, receiver) = (OtlpSink::plain().await, receiver(world).await);
            let dispatcher = sending_to(world, &sink).set(variable, "none").start().await;
            world.publish("booking.created", "{}").await;
            receiver.expect_one(SOON).await;
            if has_spans {
                sink.traces(SOON).await;
            } else {
                sink.metrics(SOON).await;
            }
            // The other would be sent by the end at the latest.
            dispatcher.stop().await;
            let exports = sink.exports();
            assert_eq!(exports.iter().any(|export| !export.spans.is_empty()), has_spans);
            assert_eq!(
                exports.iter().any(|export| !export.metrics.is_empty()),
                !has_spans
            );
        })
        .await;
    }
}

#[tokio::test]
async fn the_word_true_disables_and_no_other() {
    for (value, is_disabled) in [("TRUE", true), ("true", true), ("1", false), ("false", false)] {
        scenario(async |world| {
            let (sink, receiver) = (OtlpSink::plain().await, receiver(world).await);
            let dispatcher = sending_to(world, &sink)
                .set("OTEL_SDK_DISABLED", value)
                .start()
                .await;
            world.publish("booking.created", "{}").await;
            receiver.expect_one(SOON).await;
            if !is_disabled {
                sink.traces(SOON).await;
            }
            dispatcher.stop().await;
            assert_eq!(sink.exports().is_empty(), is_disabled, "{value}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_trace_that_its_publisher_does_not_sample_is_not_sent_unless_the_sampler_says_so() {
    for (sampler, ratio, sampled) in [
        (None, None, vec!["01"]),
        (Some("always_on"), None, vec!["00", "01"]),
        (Some("always_off"), None, vec![]),
        (Some("traceidratio"), Some("0"), vec![]),
        (Some("parentbased_traceidratio"), Some("0"), vec!["01"]),
    ] {
        scenario(async |world| {
            let (sink, receiver) = (OtlpSink::plain().await, receiver(world).await);
            let mut setup = sending_to(world, &sink).set("OTEL_METRICS_EXPORTER", "none");
            if let Some(sampler) = sampler {
                setup = setup.set("OTEL_TRACES_SAMPLER", sampler);
            }
            if let Some(ratio) = ratio {
                setup = setup.set("OTEL_TRACES_SAMPLER_ARG", ratio);
            }
            let dispatcher = setup.start().await;
            for flags in ["00", "01"] {
                let parent = format!(
                    "00-{}-b7ad6b7169203331-{flags}",
                    flags.repeat(16).replace("00", "02")
                );
                let event = HandMade::event().header("traceparent", text(&parent));
                event.publish(world).await;
            }
            receiver.expect(2, SOON).await;
            sink.spans(sampled.len() * 2, SOON).await;
            dispatcher.stop().await;
            let mut traces: Vec<String> = sink
                .exports()
                .into_iter()
                .flat_map(|export| export.spans)
                .filter(|span| span.name == "POST")
                .map(|span| span.trace[..2].replace("02", "00"))
                .collect();
            traces.sort();
            assert_eq!(traces, sampled, "{sampler:?} {ratio:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn exports_and_spans_are_no_larger_than_they_may_be() {
    scenario(async |world| {
        let sink = OtlpSink::plain().await;
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.leaves(Queue::Failed);
        let dispatcher = sending_to(world, &sink)
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .set("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "7")
            .set("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3")
            .set("OTEL_SPAN_EVENT_COUNT_LIMIT", "1")
            .set("OTEL_SPAN_LINK_COUNT_LIMIT", "1")
            .set("RUST_LOG", "info")
            .start()
            .await;
        world.publish_many(20, "booking.created").await;
        receiver.expect(40, SOON).await;
        world.expect_in(Queue::Failed, 20, SOON).await;
        sink.spans(80, SOON).await;
        dispatcher.stop().await;
        let exports = sink.exports();
        let spans: Vec<_> = exports.iter().flat_map(|export| &export.spans).collect();
        assert_eq!(spans.len(), 80, "two for each attempt");
        assert!(exports.iter().all(|export| export.spans.len() <= 7));
        for span in spans {
            assert!(span.attributes.len() == 3 && span.left_out > 0, "{span:?}");
            assert!(span.events <= 1 && span.links.len() <= 1, "{span:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_set_and_not_honoured_is_named_once_and_what_is_wrong_is_refused() {
    scenario(async |world| {
        let (sink, _receiver) = (OtlpSink::plain().await, receiver(world).await);
        let dispatcher = sending_to(world, &sink)
            .set("OTEL_EXPORTER_OTLP_CLIENT_KEY", "x")
            .set("OTEL_EXPORTER_OTLP_ENDPIONT", "x")
            .set("OTEL_LOGS_EXPORTER", "otlp")
            .set("OTEL_PROPAGATORS", "b3")
            .start()
            .await;
        for words in [
            "not honoured: OTEL_EXPORTER_OTLP_CLIENT_KEY, OTEL_EXPORTER_OTLP_ENDPIONT (did you mean OTEL_EXPORTER_OTLP_ENDPOINT?)",
            "OTEL_LOGS_EXPORTER is not honoured",
            "OTEL_PROPAGATORS is not honoured",
        ] {
            dispatcher.says(words, SOON).await;
            let log = dispatcher.log();
            assert_eq!(log.matches(words).count(), 1, "{words} in\n{log}");
        }
        let refused = sending_to(world, &sink)
            .set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
            .set("OTEL_TRACES_SAMPLER", "xray")
            .set("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")
            .launch();
        assert_eq!(refused.ends_within(SOON).await.code(), Some(2));
        for words in ["http/json", "must be grpc or http/protobuf", "xray", "OTEL_EXPORTER_OTLP_TIMEOUT=\"10s\""] {
            refused.says(words, SOON).await;
        }
    })
    .await;
}
