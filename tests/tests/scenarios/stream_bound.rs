//! The stream of attempts is bounded in bytes; one that was made without that bound is used as it stands.

use std::process::Stdio;

use hookline_common::broker::{AttemptsLog, BrokerUrl, LinkSettings};
use hookline_common::topology::Queue;
use hookline_tests::broker::Broker;
use hookline_tests::cli::command;
use hookline_tests::endpoint::endpoint;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::records::Records;
use hookline_tests::services::services;
use hookline_tests::{Receiver, scenario, status};
use lapin::BasicProperties;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::SOON;

/// The size of the stream's files, in bytes.
const SEGMENT: i64 = 50_000_000;
/// The same where many files are wanted, of little.
const SMALL_SEGMENT: i64 = 500_000;

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// The stream as dispatchers made it before it had a bound in bytes, or with another.
async fn make_stream(broker: &Broker, name: &str, max_bytes: Option<i64>) {
    make_stream_of(broker, name, max_bytes, SEGMENT).await;
}

async fn make_stream_of(broker: &Broker, name: &str, max_bytes: Option<i64>, segment: i64) {
    let mut arguments = vec![
        ("x-queue-type", text("stream")),
        ("x-max-age", text("7D")),
        ("x-stream-max-segment-size-bytes", AMQPValue::LongLongInt(segment)),
    ];
    arguments.extend(max_bytes.map(|bytes| ("x-max-length-bytes", AMQPValue::LongLongInt(bytes))));
    broker.declare(name, &arguments).await;
}

#[tokio::test]
async fn a_stream_without_a_bound_is_used_and_the_policy_that_bounds_it_is_named() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let stream = world.queue(Queue::Attempts);
        let broker = Broker::connect(&private.url()).await;
        make_stream(&broker, &stream, None).await;
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", private.url())
            .set("HOOKLINE_ATTEMPTS_MAX_BYTES", "200MB")
            .start()
            .await;
        let warning = dispatcher.says("rabbitmqctl set_policy", SOON).await;
        assert!(warning.contains("no bound in bytes"), "{warning}");
        // As a person pastes it, but for where rabbitmqctl is.
        let command = warning.split_once("rabbitmqctl ").unwrap().1;
        let words: Vec<_> = command.split(' ').map(|word| word.trim_matches('\'')).collect();
        private.control(&words).await;
        let policy = format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{stream}\">>)), \
             rabbit_policy:get(<<\"max-length-bytes\">>, Q)."
        );
        assert_eq!(private.evaluate(&policy).await.trim(), "200000000");
        // Looked after again and again, it is told of once.
        dispatcher.stop().await;
        let log = dispatcher.log();
        assert_eq!(log.matches("set_policy").count(), 1, "{log}");
    })
    .await;
}

#[tokio::test]
async fn a_stream_with_another_bound_is_used_and_one_of_another_age_is_not() {
    scenario(async |world| {
        world.endpoints([]);
        let stream = world.queue(Queue::Attempts);
        make_stream(world.broker(), &stream, Some(300_000_000)).await;
        let dispatcher = world.dispatcher().start().await;
        let warning = dispatcher.says("rabbitmqctl set_policy", SOON).await;
        assert!(
            warning.contains("300000000") && warning.contains("10000000000"),
            "{warning}"
        );
        dispatcher.stop().await;

        world.broker().delete(std::slice::from_ref(&stream), &[]).await;
        let arguments = [("x-queue-type", text("stream")), ("x-max-age", text("1D"))];
        world.broker().declare(&stream, &arguments).await;
        let refused = world.dispatcher().launch();
        let ended = refused.ends_within(SOON).await;
        assert_eq!(ended.code(), Some(1));
        assert!(refused.log().contains("x-max-age"), "{}", refused.log());
    })
    .await;
}

#[tokio::test]
async fn the_streams_rate_is_measured_by_what_stands_in_it() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let url = BrokerUrl::parse(&services().amqp_url).unwrap();
        let log = AttemptsLog::new(LinkSettings::new(url, "hookline-tests log"), world.namespace());
        assert_eq!(log.rate(SOON).await.unwrap(), None);
        world.publish_many(500, "booking.created").await;
        Records::of(world).await.expect(500, SOON).await;
        let rate = log.rate(SOON).await.unwrap().unwrap();
        // Some tens of bytes for each attempt, and no less than its id takes.
        assert!((500 * 16..500 * 2000).contains(&rate.bytes), "{rate:?}");
        let (removed, _) = log.oldest(SOON).await.unwrap().unwrap();
        assert_eq!(removed, 0);
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_falls_behind_the_cut_is_told_how_much_it_misses() {
    const BYTES: usize = 100_000;
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let stream = world.queue(Queue::Attempts);
        let broker = Broker::connect(&private.url()).await;
        make_stream_of(&broker, &stream, Some(SMALL_SEGMENT), SMALL_SEGMENT).await;
        let data = noise(BYTES);
        let batch = |number: usize| {
            let line = serde_json::json!({
                "id": format!("{number:032x}"), "event": format!("evt_{number}"), "type": "a.b", "company": "acme",
                "endpoint": "ep", "url": "", "origin": "event", "attempt": 1,
                "started_at": jiff::Timestamp::now().to_string(), "duration_ms": 1, "outcome": "delivered",
                "final": true, "request_headers": {}, "response_headers": {}, "data": data
            });
            zstd::bulk::compress(format!("{line}\n").as_bytes(), 1).unwrap()
        };
        let publish = async |numbers: std::ops::Range<usize>| {
            for number in numbers {
                let properties = BasicProperties::default()
                    .with_content_type("application/x-ndjson".into())
                    .with_content_encoding("zstd".into());
                broker.publish("", &stream, properties, &batch(number)).await;
            }
        };
        publish(0..5).await;
        let mut tail = command(world, &["tail", "--since", "first", "--json"]);
        tail.env("HOOKLINE_AMQP_URL", private.url());
        let mut child = tail.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(stderr.next_line().await.unwrap().unwrap().starts_with("following"));
        // Nobody reads what it prints, so it stands still while the stream goes on, and is cut: 20 files of it, of which the one
        // that is being read stays readable, and the last two stay.
        publish(5..200).await;
        let mut stdout = child.stdout.take().unwrap();
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; BYTES];
            while stdout.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        });
        let told = tokio::time::timeout(SOON, stderr.next_line()).await;
        let told = told.expect("it tells").unwrap().unwrap();
        assert!(told.contains("batches") && told.contains("missing"), "{told}");
        child.kill().await.unwrap();
        reading.await.unwrap();
    })
    .await;
}

/// Text that cannot be compressed to less than half.
fn noise(bytes: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("{state:016x}"));
    }
    text
}

#[tokio::test]
async fn a_stream_that_does_not_answer_is_not_taken_for_an_empty_one() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", private.url())
            .start()
            .await;
        let url = BrokerUrl::parse(&private.url()).unwrap();
        let log = AttemptsLog::new(LinkSettings::new(url, "hookline-tests log"), world.namespace());
        assert_eq!(log.oldest(SOON).await.unwrap(), None, "it is empty, and says so");
        dispatcher.stop().await;

        let stream = world.queue(Queue::Attempts);
        private.hold_stream(&stream).await;
        // The broker says so itself, or says nothing.
        log.oldest(SOON).await.unwrap_err();
        log.rate(SOON).await.unwrap_err();
        private.let_go_on(&stream).await;
        assert_eq!(log.rate(SOON).await.unwrap(), None);
    })
    .await;
}

/// What comparing with a queue as it was found relies on: no queue is made by it, if somebody has deleted the one that was.
#[tokio::test]
async fn arguments_that_no_such_queue_has_are_looked_at_only_where_one_is_to_be_made() {
    scenario(async |world| {
        let channel = world.broker().channel().await;
        let limit = ("x-delivery-limit", AMQPValue::LongLongInt(1));
        let age = ("x-max-age", text("1D"));
        for (kind, refused) in [("stream", limit), ("quorum", age)] {
            let name = format!("{}.{kind}", world.queue(Queue::Attempts));
            let own = [("x-queue-type", text(kind))];
            world.broker().declare(&name, &own).await;
            let options = QueueDeclareOptions {
                durable: true,
                ..QueueDeclareOptions::default()
            };
            let arguments: FieldTable = own
                .into_iter()
                .chain([refused])
                .map(|(name, value)| (name.into(), value))
                .collect::<std::collections::BTreeMap<_, _>>()
                .into();
            let declare = async || {
                let channel = world.broker().channel().await;
                channel
                    .queue_declare(name.as_str().into(), options, arguments.clone())
                    .await
            };
            declare().await.expect("equal to what is there");
            channel
                .queue_delete(name.as_str().into(), Default::default())
                .await
                .unwrap();
            let refused = declare().await.expect_err("it cannot be made").to_string();
            assert!(
                refused.contains(
                    arguments
                        .inner()
                        .keys()
                        .find(|key| key.as_str() != "x-queue-type")
                        .unwrap()
                        .as_str()
                ),
                "{refused}"
            );
            assert_eq!(world.broker().ready(&name).await, None);
        }
    })
    .await;
}
