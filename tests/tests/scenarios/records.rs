//! What the log keeps of each attempt, and what it must never keep.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::endpoint::{SECRET, endpoint};
use hookline_tests::records::Records;
use hookline_tests::{Receiver, World, scenario, status};
use jiff::Timestamp;
use lapin::BasicProperties;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::SOON;

/// Inner line breaks and all: what is kept is what was published.
const DATA: &str = "{ \"z\":1.0,\n\t\"a\":\"\\u00eb\" }\n";

fn time(value: &Value) -> Timestamp {
    let text = value.as_str().unwrap();
    assert!(
        text.len() == 24 && text.ends_with('Z'),
        "milliseconds, UTC: {text}"
    );
    text.parse().unwrap()
}

#[tokio::test]
async fn each_attempt_leaves_one_record_with_all_that_an_operator_asks_about() {
    scenario(async |world| {
        let long = "é".repeat(2000);
        let receiver = Receiver::scripted(move |request| match request.attempt() {
            1 => status(503).header("retry-note", "later").body(long.clone()),
            _ => status(200).body(vec![b'o', b'k', 0xff]),
        })
        .await;
        let url = receiver.url();
        world.endpoints([endpoint("ep_crm", &receiver).with("headers", r#"{ "x-token" = "t0p-s3cret" }"#)]);
        world.dispatcher().start().await;
        let begun = Instant::now();
        let event = world.publish("booking.created", DATA).await;
        receiver.expect(2, SOON).await;
        let records = Records::of(world).await.expect(2, SOON).await;
        let most = begun.elapsed();
        assert_eq!(records.len(), 2, "{records:#?}");
        let (first, second) = (&records[0], &records[1]);
        for (number, record) in [(1, first), (2, second)] {
            assert_eq!(record["event"], event.id.as_str());
            assert_eq!(record["type"], "booking.created");
            assert_eq!(record["company"], "acme");
            assert_eq!(record["endpoint"], "ep_crm");
            assert_eq!(record["url"], url);
            assert_eq!(record["origin"], "event");
            assert_eq!(record["attempt"], number);
            assert_eq!(record["request_headers"]["webhook-id"], event.id.as_str());
            assert_eq!(record["request_headers"]["webhook-attempt"], number.to_string());
            let took = Duration::from_millis(record["duration_ms"].as_u64().unwrap());
            assert!(took <= most, "{took:?} of {most:?}");
            let id = record["id"].as_str().unwrap().replace('-', "");
            assert!(
                id.len() == 32 && id.chars().nth(12) == Some('7'),
                "a UUIDv7: {id}"
            );
            let text = record.to_string();
            for secret in ["t0p-s3cret", SECRET, "v1,", "sha256="] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        assert_ne!(first["id"], second["id"]);
        assert_eq!(
            (&first["outcome"], &first["status"]),
            (&json!("http_status"), &json!(503))
        );
        assert_eq!(
            (&second["outcome"], &second["status"]),
            (&json!("delivered"), &json!(200))
        );
        assert_eq!((&first["final"], &second["final"]), (&json!(false), &json!(true)));
        assert_eq!(
            first["response"].as_str().unwrap().trim_end_matches('\u{fffd}'),
            "é".repeat(512)
        );
        assert_eq!(second["response"], "ok\u{fffd}");
        assert_eq!(first["response_headers"]["retry-note"], "later");
        assert_eq!((&first["data"], &second["data"]), (&json!(DATA), &Value::Null));
        let ended =
            time(&first["started_at"]) + Duration::from_millis(first["duration_ms"].as_u64().unwrap());
        let due_in = time(&first["next_attempt_at"]).duration_since(ended).as_millis();
        assert!((999..=1001).contains(&due_in), "{due_in} ms");
        assert_eq!(second["next_attempt_at"], Value::Null);
        assert!(time(&second["started_at"]) >= time(&first["next_attempt_at"]));
    })
    .await;
}

#[tokio::test]
async fn an_attempt_without_a_response_is_recorded_with_what_went_wrong() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let receiver = Receiver::answering(hookline_tests::Answer::close()).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        world.expect_in(Queue::Failed, 1, SOON).await;
        let records = Records::of(world).await.expect(2, SOON).await;
        assert_eq!(records.len(), 2);
        for (record, is_last) in records.iter().zip([false, true]) {
            assert_eq!(record["outcome"], "protocol_error");
            assert_eq!(record["final"], is_last);
            assert_eq!(record["status"], Value::Null);
            assert!(!record["error"].as_str().unwrap().is_empty());
        }
    })
    .await;
}

/// The data of each record of two deliveries: one that succeeds at once, one that fails at first.
async fn kept_with(world: &World, setting: &str) -> (Vec<Value>, Vec<Value>) {
    let receiver = Receiver::scripted(|request| {
        let is_bad = request.header("webhook-id").starts_with("bad") && request.attempt() == 1;
        status(if is_bad { 500 } else { 200 })
    })
    .await;
    world.endpoints([endpoint("ep_crm", &receiver)]);
    world
        .dispatcher()
        .set("HOOKLINE_KEEP_PAYLOADS", setting)
        .start()
        .await;
    for id in ["good", "bad"] {
        let mut event = hookline_producer::Event::new("acme", "booking.created", DATA).unwrap();
        event.id = hookline_producer::EventId::parse(id).unwrap();
        world.producer().await.publish(&event).await.unwrap();
    }
    let records = Records::of(world).await.expect(3, SOON).await;
    let of = |id: &str| {
        let of_event = records.iter().filter(|record| record["event"] == id);
        of_event.map(|record| record["data"].clone()).collect()
    };
    (of("good"), of("bad"))
}

#[tokio::test]
async fn payloads_are_kept_of_failed_events_only_where_that_is_asked_for() {
    scenario(async |world| {
        let (good, bad) = kept_with(world, "failed").await;
        assert_eq!((good, bad), (vec![Value::Null], vec![json!(DATA), Value::Null]));
    })
    .await;
}

#[tokio::test]
async fn no_payload_is_kept_where_that_is_asked_for() {
    scenario(async |world| {
        let (good, bad) = kept_with(world, "none").await;
        assert_eq!((good, bad), (vec![Value::Null], vec![Value::Null; 2]));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_recorded_where_records_are_off() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().set("HOOKLINE_RECORDS", "off").start().await;
        world.publish_many(5, "booking.created").await;
        receiver.expect(5, SOON).await;
        dispatcher.stop().await;
        // A batch of our own marks the end: whatever had been recorded would stand before it.
        let properties = BasicProperties::default()
            .with_content_type("application/x-ndjson".into())
            .with_content_encoding("zstd".into());
        let batch = zstd::bulk::compress(b"{\"mark\":true}\n", 1).unwrap();
        let stream = world.queue(Queue::Attempts);
        world.broker().publish("", &stream, properties, &batch).await;
        let records = Records::of(world).await.expect(1, SOON).await;
        assert_eq!(records, [json!({"mark": true})]);
    })
    .await;
}
