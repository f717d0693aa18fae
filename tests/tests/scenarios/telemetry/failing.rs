//! A collector that takes nothing: deliveries do not notice, one line says why, and every span that is lost is counted.

use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::otlp_sink::{Manner, OtlpSink};
use hookline_tests::{eventually, scenario};

use super::super::SOON;
use super::{receiver, sending, sending_to};

/// All spans that the log says are lost, line by line.
fn lost(dispatcher: &Dispatcher) -> Vec<u64> {
    let log = dispatcher.log();
    let counts = log.lines().filter_map(|line| {
        let rest = line.split("spans_lost=").nth(1)?;
        let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    counts.collect()
}

#[tokio::test]
async fn a_collector_that_refuses_is_one_line_however_many_exports_fail_and_no_span_is_lost_uncounted() {
    for (protocol, reason) in [("grpc", "Unauthenticated"), ("http/protobuf", "401")] {
        scenario(async |world| {
            let (sink, receiver) = (OtlpSink::plain().await, receiver(world).await);
            sink.answer_now(Manner::Refuse);
            let dispatcher = sending_to(world, &sink)
                .set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
                .set("OTEL_METRICS_EXPORTER", "none")
                .start()
                .await;
            for round in 1..=4 {
                world.publish_many(50, "booking.created").await;
                receiver.expect(round * 50, SOON).await;
                // Each delivery is a span, and its attempt another.
                sink.spans(round * 100, SOON).await;
            }
            let warning = dispatcher.says("does not take traces", SOON).await;
            assert!(
                warning.contains(reason) && warning.contains(&sink.address()),
                "{warning}"
            );
            eventually(SOON, "all are counted", async || {
                (dispatcher.metric("hookline_spans_lost_total").await? as u64 == 400).then_some(())
            })
            .await;
            dispatcher.stop().await;
            assert!(sink.exports().len() >= 4);
            // One line at the first failure, and one at the end with the rest.
            dispatcher.says("were not sent", SOON).await;
            let log = dispatcher.log();
            assert_eq!(log.matches("does not take traces").count(), 1, "{log}");
            assert_eq!(lost(&dispatcher).iter().sum::<u64>(), 400, "{log}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_told_with_the_systems_words() {
    for protocol in ["grpc", "http/protobuf"] {
        scenario(async |world| {
            let receiver = receiver(world).await;
            let url = {
                let gone = OtlpSink::plain().await;
                gone.http_url()
            };
            let dispatcher = sending(world)
                .set("OTEL_EXPORTER_OTLP_ENDPOINT", url)
                .set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
                .start()
                .await;
            world.publish("booking.created", "{}").await;
            receiver.expect_one(SOON).await;
            let warning = dispatcher.says("does not take", SOON).await;
            assert!(warning.contains("Connection refused"), "{warning}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_collector_that_hangs_is_given_up_after_the_timeout() {
    for protocol in ["grpc", "http/protobuf"] {
        scenario(async |world| {
            let (sink, receiver) = (OtlpSink::plain().await, receiver(world).await);
            sink.answer_now(Manner::Hang);
            let dispatcher = sending_to(world, &sink)
                .set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
                .set("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
                .set("OTEL_METRICS_EXPORTER", "none")
                .start()
                .await;
            world.publish("booking.created", "{}").await;
            receiver.expect_one(SOON).await;
            dispatcher.says("no answer within 300ms", SOON).await;
            // What follows is sent, once the collector answers again.
            sink.answer_now(Manner::Take);
            let before = sink.exports().len();
            let mut published = 1;
            eventually(SOON, "another export", async || {
                world.publish("booking.created", "{}").await;
                published += 1;
                (sink.exports().len() > before).then_some(())
            })
            .await;
            receiver.expect(published, SOON).await;
        })
        .await;
    }
}

#[tokio::test]
async fn spans_that_find_the_queue_full_are_counted_and_deliveries_do_not_wait() {
    scenario(async |world| {
        let (sink, receiver) = (OtlpSink::plain().await, receiver(world).await);
        sink.answer_now(Manner::Hang);
        let dispatcher = sending_to(world, &sink)
            .set("OTEL_METRICS_EXPORTER", "none")
            .set("OTEL_EXPORTER_OTLP_TIMEOUT", "600000")
            .set("OTEL_BSP_EXPORT_TIMEOUT", "600000")
            .set("OTEL_BSP_MAX_QUEUE_SIZE", "10")
            .set("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
            .start()
            .await;
        world.publish_many(300, "booking.created").await;
        receiver.expect(300, SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        dispatcher.stop().await;
        dispatcher.says("no answer within 2s", SOON).await;
        assert_eq!(lost(&dispatcher).iter().sum::<u64>(), 600, "{}", dispatcher.log());
    })
    .await;
}

#[tokio::test]
async fn no_header_of_an_export_is_in_the_log_at_its_most_talkative() {
    for protocol in ["grpc", "http/protobuf"] {
        scenario(async |world| {
            let (sink, receiver) = (OtlpSink::plain().await, receiver(world).await);
            let dispatcher = sending_to(world, &sink)
                .set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
                .set("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20MARKER")
                .set("RUST_LOG", "trace")
                .start()
                .await;
            world.publish("booking.created", "{}").await;
            receiver.expect_one(SOON).await;
            let export = sink.traces(SOON).await;
            assert_eq!(export.headers["authorization"], "Bearer MARKER");
            dispatcher.stop().await;
            let log = dispatcher.log();
            assert!(log.contains("TRACE"));
            for line in log.lines() {
                assert!(!line.contains("MARKER"), "{line}");
            }
        })
        .await;
    }
}
