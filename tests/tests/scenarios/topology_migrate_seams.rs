//! Several queues of before at once, with whatever lies in them, and a run that is killed at each of them.

use hookline_common::topology::Queue;
use hookline_tests::broker::Stored;
use hookline_tests::cli::succeed;
use hookline_tests::records::Records;
use hookline_tests::services::{name, services};
use hookline_tests::{World, scenario};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldArray, FieldTable};
use serde_json::json;

use super::topology_migrate::{IN_HAND, MIGRATE, declare_old, fill, is_whole, kill_after};
use crate::SOON;

const LETTERS: usize = 1500;

/// What any publisher may have put there, each with another body.
fn odd() -> Vec<(BasicProperties, Vec<u8>)> {
    let mut nested = FieldTable::default();
    nested.insert("deeper".into(), AMQPValue::FieldTable(FieldTable::default()));
    let mut headers = FieldTable::default();
    let array = FieldArray::from(vec![
        AMQPValue::Void,
        AMQPValue::Boolean(true),
        AMQPValue::Double(0.5),
    ]);
    for (name, value) in [
        ("x-bytes", AMQPValue::LongString(vec![0xff, 0xfe, 0x00].into())),
        ("x-array", AMQPValue::FieldArray(array)),
        ("x-table", AMQPValue::FieldTable(nested)),
        ("x-time", AMQPValue::Timestamp(1_705_329_000)),
        ("company", AMQPValue::LongInt(42)),
    ] {
        headers.insert(name.into(), value);
    }
    vec![
        (BasicProperties::default(), Vec::new()),
        (BasicProperties::default(), (0..=255).collect()),
        (
            BasicProperties::default().with_headers(headers),
            b"headers of all kinds".to_vec(),
        ),
        (
            BasicProperties::default()
                .with_content_type("text/plain; charset=latin1".into())
                .with_content_encoding("gzip".into())
                .with_delivery_mode(1)
                .with_priority(9)
                .with_correlation_id("c".repeat(255).as_str().into())
                .with_reply_to("amq.rabbitmq.reply-to.x".into())
                .with_app_id("theirs".into())
                .with_timestamp(1)
                .with_type("NOT.ours".into()),
            b"properties of all kinds".to_vec(),
        ),
        (BasicProperties::default(), vec![b'x'; 120 * 1024]),
    ]
}

/// A queue's messages in their order, each once: those in hand of a run that is killed may be there twice.
fn first_of_each(messages: &[Stored], runs: usize) -> Vec<Stored> {
    let mut first: Vec<Stored> = Vec::new();
    for message in messages {
        let is_same = |other: &Stored| other.body == message.body && other.id() == message.id();
        if !first.iter().any(is_same) {
            first.push(message.clone());
        }
    }
    let doubles = messages.len() - first.len();
    assert!(doubles <= runs * IN_HAND, "{doubles} twice");
    first
}

/// The stream as it was before it was bounded in bytes, with a batch in it.
async fn old_stream(world: &World) {
    let stream = world.queue(Queue::Attempts);
    let text = |text: &str| AMQPValue::LongString(text.into());
    let arguments = [
        ("x-queue-type", text("stream")),
        ("x-max-age", text("7D")),
        (
            "x-stream-max-segment-size-bytes",
            AMQPValue::LongLongInt(50_000_000),
        ),
    ];
    world.broker().declare(&stream, &arguments).await;
    let batch = BasicProperties::default()
        .with_content_type("application/x-ndjson".into())
        .with_content_encoding("zstd".into());
    let body = zstd::bulk::compress(b"{\"id\":\"att_1\",\"event\":\"evt_1\"}\n", 3).unwrap();
    world.broker().publish("", &stream, batch, &body).await;
}

#[tokio::test]
async fn queues_and_a_stream_of_before_keep_all_they_hold_although_each_run_is_killed() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        world.leaves(Queue::Rejected);
        let rejected = declare_old(world, Queue::Rejected).await;
        let failed = declare_old(world, Queue::Failed).await;
        for (properties, body) in odd() {
            world.broker().publish("", &rejected, properties, &body).await;
        }
        fill(world, &rejected, LETTERS).await;
        fill(world, &failed, LETTERS).await;
        old_stream(world).await;

        let kills = [
            format!("moving the messages of {rejected} into"),
            format!("{rejected} stands anew"),
            format!("moving the messages of {failed} into"),
            format!("moving the messages of {failed}.migrating into"),
        ];
        for word in &kills {
            kill_after(world, word).await;
        }
        succeed(world, &MIGRATE).await;
        is_whole(world).await;

        let letters = first_of_each(&world.read(Queue::Failed).await, kills.len());
        assert_eq!(in_order(&letters), (0..LETTERS).collect::<Vec<_>>());
        let found = first_of_each(&world.read(Queue::Rejected).await, kills.len());
        // RabbitMQ 4 lets one of high priority overtake the others, so that order is that of the numbered ones.
        let is_odd = |stored: &Stored| odd().iter().any(|(_, body)| *body == stored.body);
        let (odd_ones, numbered): (Vec<Stored>, Vec<Stored>) = found.into_iter().partition(is_odd);
        assert_eq!(in_order(&numbered), (0..LETTERS).collect::<Vec<_>>());
        assert_eq!(odd_ones.len(), odd().len());
        for (properties, body) in odd() {
            let found = odd_ones.iter().find(|found| found.body == body).unwrap();
            let headers = properties.headers().clone().unwrap_or_default();
            let found_headers = found.properties.headers().clone().unwrap_or_default();
            for (name, value) in headers.inner() {
                assert_eq!(found_headers.inner().get(name), Some(value), "{name}");
            }
            // It is durable now, whatever it was.
            let bare = |properties: &BasicProperties| {
                properties
                    .clone()
                    .with_headers(FieldTable::default())
                    .with_delivery_mode(2)
            };
            assert_eq!(bare(&found.properties), bare(&properties));
        }
        let records = Records::of(world).await;
        records.expect(1, SOON).await;

        let wanted = json!({
            "x-queue-type": "quorum", "x-delivery-limit": i32::MAX, "x-overflow": "reject-publish"
        });
        for queue in services().queues(&format!("{}.", world.namespace())).await {
            if [&failed, &rejected].into_iter().any(|ours| name(&queue) == ours) {
                assert_eq!(queue["arguments"], wanted, "{}", name(&queue));
            }
        }
    })
    .await;
}

fn in_order(messages: &[Stored]) -> Vec<usize> {
    let numbers = messages.iter().map(|message| message.id().parse());
    numbers.collect::<Result<_, _>>().unwrap()
}
