//! No secret in the open: everything that a dispatcher prints, at its most talkative, is searched for what must not be
//! there.

use hookline_common::topology::Queue;
use hookline_tests::endpoint::{Endpoint, endpoint};
use hookline_tests::otlp_sink::OtlpSink;
use hookline_tests::receiver::Receiver;
use hookline_tests::records::Records;
use hookline_tests::world::scenario;
use hookline_tests::{services, status};

use super::SOON;

/// Stands in every secret of this scenario.
const MARKER: &str = "MARKER0MARKER0MARKER0MARKER0MARKER0MARKER0";

#[tokio::test]
async fn no_secret_is_printed_at_trace_level_recorded_traced_or_shown_as_a_metric() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let receiver = Receiver::answering(status(200)).await;
        let secret = format!("whsec_{MARKER}aA==");
        let refused = format!("https://user:{MARKER}@example.com/hooks?token={MARKER}");
        world.endpoints([
            endpoint("ep_crm", &receiver)
                .text("secret", &secret)
                .with("headers", format!("{{ \"x-token\" = \"{MARKER}\" }}"))
                .events(&["booking.created"]),
            Endpoint::at("ep_refused", &refused)
                .text("secret", &secret)
                .events(&["booking.cancelled"]),
        ]);
        let sink = OtlpSink::plain().await;
        let dispatcher = world
            .dispatcher()
            .set("RUST_LOG", "trace")
            .set("OTEL_BSP_SCHEDULE_DELAY", "100")
            .set("OTEL_EXPORTER_OTLP_ENDPOINT", sink.http_url())
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        world
            .publish("booking.created", &format!("{{\"attendee\":\"{MARKER}\"}}"))
            .await;
        world.publish("booking.cancelled", "{}").await;
        receiver.expect(1, SOON).await;
        world.expect_in(Queue::Failed, 1, SOON).await;
        let records = Records::of(world).await.expect(3, SOON).await;
        // One for each message, and one for each attempt.
        for span in sink.spans(6, SOON).await {
            assert!(!format!("{span:?}").contains(MARKER), "{span:?}");
        }
        let metrics = dispatcher.get("/metrics").await.unwrap();
        // It was talkative.
        dispatcher.says("DEBUG", SOON).await;
        dispatcher.says("attempt failed", SOON).await;
        let log = dispatcher.log();
        let password = services::services()
            .amqp_url
            .split('@')
            .next()
            .unwrap()
            .to_owned();
        assert!(!log.contains(&password), "the broker's password is in the log");
        for line in log.lines() {
            assert!(!line.contains(MARKER), "{line}");
        }
        assert!(!metrics.body.contains(MARKER));
        for record in records {
            for field in ["url", "request_headers", "error", "response_headers"] {
                assert!(!record[field].to_string().contains(MARKER), "{field}: {record}");
            }
        }
    })
    .await;
}
