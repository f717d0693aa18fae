//! Into the broker: an event is published, and its publisher knows what became of it.

use std::process::Stdio;
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::{Data, Event, Producer, PublishError, Settings, TraceContext};
use hookline_tests::cli::{command, out};
use hookline_tests::endpoint::endpoint;
use hookline_tests::records::Records;
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::world::STOOD_FOR;
use hookline_tests::{Receiver, World, eventually, scenario, status};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::SOON;

async fn producer_over(world: &World, wire: &Wire, publish_timeout: Duration) -> Producer {
    let settings = Settings::new(&wire.url(&services().amqp_url)).unwrap();
    let settings = settings
        .with_namespace(world.namespace().clone())
        .with_publish_timeout(publish_timeout);
    Producer::connect(settings).await.unwrap()
}

#[tokio::test]
async fn what_is_confirmed_lies_in_the_events_queue_as_it_was_published() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let event = world.publish("booking.created", "{ \"a\":1.0 }").await;
        let stored = world.expect_in(Queue::Events, 1, SOON).await.remove(0);
        let properties = &stored.properties;
        assert_eq!(stored.id(), event.id.as_str());
        assert_eq!(stored.body, b"{ \"a\":1.0 }");
        assert_eq!(*properties.delivery_mode(), Some(2));
        assert_eq!(
            properties.content_type().as_ref().unwrap().as_str(),
            "application/json"
        );
        assert_eq!(properties.kind().as_ref().unwrap().as_str(), "booking.created");
        assert_eq!(*properties.timestamp(), Some(event.created_at.as_seconds()));
        assert_eq!(stored.text("company"), "acme");
        assert_eq!(stored.text("created-at"), event.created_at.to_millis_text());
    })
    .await;
}

#[tokio::test]
async fn a_producer_that_met_a_queue_with_other_arguments_goes_on_once_that_is_mended() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let queue = world.queue(Queue::Events);
        world.broker().declare(&queue, &[]).await;
        let settings = Settings::new(&services().amqp_url).unwrap();
        let producer = Producer::start(settings.with_namespace(world.namespace().clone()));
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        let error = producer.publish(&event).await.unwrap_err();
        assert!(matches!(error, PublishError::Broken { .. }), "{error:?}");
        world.broker().delete(&[queue], &[]).await;
        eventually(SOON, "it is published", async || {
            producer.publish(&event).await.is_ok().then_some(())
        })
        .await;
        world.expect_in(Queue::Events, 1, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn an_event_that_no_queue_takes_is_an_error_that_says_so_and_can_be_published_again() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let producer = world.producer().await;
        sleep(STOOD_FOR).await;
        world.broker().delete(&[world.queue(Queue::Events)], &[]).await;
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        let error = producer.publish(&event).await.unwrap_err();
        assert!(matches!(error, PublishError::Unroutable { .. }), "{error:?}");
        assert!(!error.may_be_stored());
        let text = error.to_string();
        for part in [event.id.as_str(), "no queue", "hookline topology apply"] {
            assert!(text.contains(part), "{text}");
        }
        let settings = Settings::new(&services().amqp_url).unwrap();
        let settings = settings.with_namespace(world.namespace().clone());
        let mended = Producer::connect(settings).await.unwrap();
        mended.publish(&event).await.unwrap();
        let stored = world.expect_in(Queue::Events, 1, SOON).await.remove(0);
        assert_eq!(stored.id(), event.id.as_str());
    })
    .await;
}

#[tokio::test]
async fn an_outage_until_the_deadline_is_an_error_that_says_whether_the_event_may_be_stored() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let wire = Wire::to(&services().amqp_url).await;
        let producer = producer_over(world, &wire, Duration::from_secs(2)).await;
        let event = Event::new("acme", "booking.created", "{}").unwrap();

        wire.cut();
        eventually(SOON, "the producer notices", async || {
            (!producer.is_connected()).then_some(())
        })
        .await;
        let error = producer.publish(&event).await.unwrap_err();
        assert!(matches!(error, PublishError::NotStored { .. }), "{error:?}");
        assert!(!error.may_be_stored());

        wire.restore();
        eventually(SOON, "the producer is back", async || {
            producer.is_connected().then_some(())
        })
        .await;
        wire.fall_silent();
        let error = producer.publish(&event).await.unwrap_err();
        assert!(matches!(error, PublishError::Unconfirmed { .. }), "{error:?}");
        assert!(error.may_be_stored());
        assert!(error.to_string().contains(event.id.as_str()), "{error}");

        // The same event again, until it is stored: with the same id.
        eventually(SOON, "the caller's retry succeeds", async || {
            producer.publish(&event).await.ok()
        })
        .await;
        let stored = world.read(Queue::Events).await;
        assert!(!stored.is_empty());
        assert!(
            stored.iter().all(|message| message.id() == event.id.as_str()),
            "{stored:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_short_outage_is_lived_through() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let wire = Wire::to(&services().amqp_url).await;
        let producer = producer_over(world, &wire, SOON).await;
        wire.cut();
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        let publish = producer.publish(&event);
        let mend = async {
            eventually(SOON, "a try that fails", async || {
                (wire.accepted() > 1).then_some(())
            })
            .await;
            wire.restore();
        };
        let (published, ()) = tokio::join!(publish, mend);
        assert_eq!(published.unwrap().event, event.id);
        world.expect_in(Queue::Events, 1, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn the_publishers_trace_goes_along_to_the_attempt() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let trace_id = "0af7651916cd43dd8448eb211c80319c";
        let parent = format!("00-{trace_id}-b7ad6b7169203331-01");
        let mut event = Event::new("acme", "booking.created", "{}").unwrap();
        event.trace = TraceContext::from_headers(Some(&parent), Some("vendor=1"));
        world.producer().await.publish(&event).await.unwrap();
        let stored = world.expect_in(Queue::Events, 1, SOON).await.remove(0);
        assert_eq!(stored.text("traceparent"), parent);
        assert_eq!(stored.text("tracestate"), "vendor=1");
        world.dispatcher().start().await;
        receiver.expect_one(SOON).await;
        let record = Records::of(world).await.expect(1, SOON).await.remove(0);
        assert_eq!(record["trace_id"], trace_id);
    })
    .await;
}

#[test]
fn data_that_is_a_byte_too_long_is_refused_with_the_limit() {
    let data = format!(r#"{{"a":"{}"}}"#, "x".repeat(Data::MAX_BYTES - 7));
    assert_eq!(data.len(), 101_889);
    let error = Event::new("acme", "booking.created", data)
        .unwrap_err()
        .to_string();
    assert!(error.contains("101889") && error.contains("101888"), "{error}");
}

/// So many that they take seconds, on any machine.
const LINES: usize = 200_000;

#[tokio::test]
async fn a_file_that_is_interrupted_has_as_many_events_stored_as_are_told_and_says_which_part_that_is() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let file = world.path("events.ndjson");
        let line = "{\"company\":\"acme\",\"type\":\"booking.created\",\"data\":{}}\n";
        std::fs::write(&file, line.repeat(LINES)).unwrap();
        let child = command(world, &["publish", "--ndjson", file.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let events = world.queue(Queue::Events);
        let ready = async || world.broker().ready(&events).await.unwrap_or(0);
        eventually(SOON, "a hundred events", async || {
            (ready().await >= 100).then_some(())
        })
        .await;
        let pid = child.id().unwrap().to_string();
        let asked = Command::new("kill").args(["-INT", &pid]).status().await;
        assert!(asked.unwrap().success());
        let ended = timeout(SOON, child.wait_with_output()).await;
        let output = ended.expect("it ends").unwrap();
        assert_eq!(output.status.code(), Some(1));
        let told = out(&output);
        let published: u32 = told.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(
            told.starts_with(&format!("published {published} of {published} events in ")),
            "{told}"
        );
        assert!((100..LINES as u32).contains(&published), "{told}");
        eventually(SOON, "as many as it told are stored", async || {
            (ready().await == published).then_some(())
        })
        .await;
        let part = 100 * published as usize / LINES;
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        for words in [
            format!("stopped after line {published} ({part} % of "),
            format!("tail -n +{} ", published + 1),
        ] {
            assert!(why.contains(&words), "{words} in {why}");
        }
    })
    .await;
}
