//! The log as JSON: each line an object, and what is a number written as one.

use hookline_common::topology::Queue;
use hookline_tests::endpoint::endpoint;
use hookline_tests::message::{HandMade, text};
use hookline_tests::services::services;
use hookline_tests::{Receiver, scenario, status};
use serde_json::Value;

use crate::SOON;

/// Where in `value` a text stands that is nothing but a number.
fn numbers_in_quotes(path: &str, value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if text.parse::<f64>().is_ok() => vec![format!("{path} = {text:?}")],
        Value::Array(values) => values
            .iter()
            .flat_map(|value| numbers_in_quotes(path, value))
            .collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| numbers_in_quotes(&format!("{path}.{name}"), value))
            .collect(),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => Vec::new(),
    }
}

#[test]
fn a_number_in_quotes_is_found() {
    let line =
        serde_json::json!({"attempt": "1", "status": 500, "span": {"n": ["x", "2.5"]}, "event": "evt_1"});
    assert_eq!(
        numbers_in_quotes("", &line),
        [".attempt = \"1\"", ".span.n = \"2.5\""]
    );
}

/// With attempts that fail, messages that are rejected, and a link that is lost, each told with its numbers.
#[tokio::test]
async fn numbers_are_numbers_in_every_line() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.leaves(Queue::Failed);
        world.leaves(Queue::Rejected);
        let wire = world.wire().await;
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url))
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .set("HOOKLINE_LOG_FORMAT", "json")
            .set("RUST_LOG", "info,hookline=debug")
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        world.expect_in(Queue::Failed, 1, SOON).await;
        HandMade::delivery("ep_crm")
            .header("attempt", text("many"))
            .send(world, Queue::Deliveries)
            .await;
        world.expect_in(Queue::Rejected, 1, SOON).await;
        wire.cut();
        dispatcher.says("retry_in_ms", 2 * SOON).await;
        wire.restore();
        dispatcher.is_ready_within(2 * SOON).await;
        dispatcher.stop().await;

        let log = dispatcher.log();
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect();
        let quoted: Vec<_> = lines
            .iter()
            .flat_map(|line| numbers_in_quotes("", line))
            .collect();
        assert!(quoted.is_empty(), "{quoted:#?}");
        let failed: Vec<_> = lines
            .iter()
            .filter(|line| line["message"] == "attempt failed")
            .collect();
        let numbers = |name: &str| failed.iter().map(|line| line[name].as_u64()).collect::<Vec<_>>();
        assert_eq!(numbers("attempt"), [Some(1), Some(2)], "{failed:#?}");
        assert_eq!(numbers("status"), [Some(500), Some(500)], "{failed:#?}");
    })
    .await;
}
