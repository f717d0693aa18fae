//! What the broker does not take: a publisher is told at once, in the broker's own words, and what to do about it.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hookline_common::broker::{Address, BrokerUrl, LinkSettings, PublishFault, Publisher};
use hookline_common::message::Message;
use hookline_common::schedule::RetrySchedule;
use hookline_common::topology::{Namespace, Queue, Topology};
use hookline_producer::{Event, Producer, PublishError, Settings};
use hookline_tests::broker::Broker;
use hookline_tests::dispatcher::RETRY_SCHEDULE;
use hookline_tests::endpoint::endpoint;
use hookline_tests::pace::Pace;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::records::Records;
use hookline_tests::{Gate, Receiver, cli, eventually, scenario, status};
use lapin::BasicProperties;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::{Instant, timeout};

use crate::SOON;

/// So long that whoever is told within it was not told by its end.
const PATIENT: Duration = Duration::from_secs(120);
/// Whoever is refused knows it by then.
const AT_ONCE: Duration = Duration::from_secs(1);
/// RabbitMQ's channels remember for so long what an account may do.
const RIGHTS_CACHED: Duration = Duration::from_secs(30);

fn event(event_type: &str) -> Event {
    Event::new("acme", event_type, "{}").unwrap()
}

async fn producer(url: &str, publish_timeout: Duration) -> Producer {
    let settings = Settings::new(url).unwrap().with_publish_timeout(publish_timeout);
    Producer::connect(settings).await.unwrap()
}

async fn refused(producer: &Producer, event: &Event) -> (u16, String, bool) {
    let error = producer.publish(event).await.unwrap_err();
    let text = error.to_string();
    let may_be_stored = error.may_be_stored();
    let PublishError::Refused { code, .. } = error else {
        panic!("{error:?}");
    };
    (code, text, may_be_stored)
}

/// How soon it is refused, at the best of several tries: a busy machine makes some of them slow, and what is waited for until it
/// is given up makes all of them.
async fn refused_within(producer: &Producer, event: &Event) -> Duration {
    let mut fastest = PATIENT;
    for _ in 0..5 {
        let pace = Pace::start();
        refused(producer, event).await;
        fastest = fastest.min(pace.elapsed());
    }
    fastest
}

#[tokio::test]
async fn an_account_without_the_right_to_publish_is_told_so_and_publishes_once_it_has_it() {
    let private = PrivateBroker::start().await;
    producer(&private.url(), PATIENT).await;
    let url = private.account("shop", "^$").await;
    let shop = producer(&url, PATIENT).await;
    let event = event("booking.created");
    let (code, text, may_be_stored) = refused(&shop, &event).await;
    assert_eq!(code, 403);
    for part in [
        event.id.as_str(),
        "is not stored",
        "hookline.events",
        "'shop'",
        "set_permissions",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!may_be_stored && shop.is_connected(), "{text}");
    let fastest = refused_within(&shop, &event).await;
    assert!(fastest < AT_ONCE, "{fastest:?}");
    private.may_write("shop", ".*").await;
    eventually(RIGHTS_CACHED + SOON, "the same event is stored", async || {
        shop.publish(&event).await.ok()
    })
    .await;
    let stored = Broker::connect(&private.url())
        .await
        .read("hookline.events")
        .await;
    assert_eq!(stored.len(), 1, "it was stored once");
}

/// The right depends on the type of the event, so that one is refused among many that are taken.
#[tokio::test]
async fn one_event_that_is_refused_takes_none_along_that_was_published_beside_it() {
    const BESIDE: usize = 200;
    let private = PrivateBroker::start().await;
    producer(&private.url(), PATIENT).await;
    let url = private.account("shop", ".*").await;
    let topic = [
        "set_topic_permissions",
        "shop",
        "hookline.events",
        "^booking\\.",
        ".*",
    ];
    private.control(&topic).await;
    let shop = producer(&url, PATIENT).await;
    shop.publish(&event("booking.created")).await.unwrap();

    let many: Vec<Event> = (0..BESIDE).map(|_| event("booking.created")).collect();
    let beside = join_all(many.iter().map(|event| shop.publish(event)));
    let other = event("invoice.paid");
    let (beside, (code, text, _)) = tokio::join!(beside, refused(&shop, &other));
    assert!(code == 403 && text.contains("invoice.paid"), "{text}");
    for stored in beside {
        stored.unwrap();
    }
    // Alone, it is known to be what was refused.
    let (.., may_be_stored) = refused(&shop, &other).await;
    assert!(!may_be_stored);
    let stored = Broker::connect(&private.url())
        .await
        .read("hookline.events")
        .await;
    let mut ids: Vec<&str> = stored.iter().map(|message| message.id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), BESIDE + 1);
    assert!(!ids.contains(&other.id.as_str()));
}

#[tokio::test]
async fn an_event_that_is_too_large_for_the_broker_is_refused_with_its_limit() {
    let private = PrivateBroker::start().await;
    // RabbitMQ 3 reads it each time, and RabbitMQ 4 keeps what it has read at its start.
    private
        .evaluate(
            "application:set_env(rabbit, max_message_size, 1000), persistent_term:put(max_message_size, 1000).",
        )
        .await;
    let shop = producer(&private.url(), PATIENT).await;
    let data = format!("{{\"a\":\"{}\"}}", "x".repeat(2000));
    let large = Event::new("acme", "booking.created", data).unwrap();
    let (code, text, may_be_stored) = refused(&shop, &large).await;
    assert_eq!(code, 406);
    for part in ["larger than", "1000", "max_message_size"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!may_be_stored);
    let fastest = refused_within(&shop, &large).await;
    assert!(fastest < AT_ONCE, "{fastest:?}");
    shop.publish(&event("booking.created")).await.unwrap();
}

/// As a dispatcher publishes: to queues, by the default exchange, and until it is stored.
#[tokio::test]
async fn what_must_be_stored_waits_for_the_right_to_the_default_exchange_on_the_same_connection() {
    const MESSAGES: usize = 50;
    let private = PrivateBroker::start().await;
    let namespace = Namespace::default();
    let link = |url: &str| LinkSettings::new(BrokerUrl::parse(url).unwrap(), "hookline-tests publisher");
    let topology = Topology::whole(&namespace, &RetrySchedule::default());
    let declaring = Publisher::start(link(&private.url()), topology.clone());
    declaring.connected(None).await.unwrap();
    let url = private.account("shop", "^hookline\\.").await;
    let publisher = Publisher::start(link(&url), topology);
    let to = Address::queue(&namespace, Queue::Due);
    let message = |number: usize| Message {
        message_id: Some(format!("msg_{number}")),
        body: Bytes::from_static(b"{}"),
        ..Message::default()
    };
    let fault = publisher
        .publish(&to, &message(0), Some(Instant::now() + PATIENT))
        .await
        .unwrap_err();
    assert!(
        matches!(&fault, PublishFault::Refused { maybe_stored: false, refusal } if refusal.code == 403),
        "{fault:?}"
    );
    assert!(fault.to_string().contains("write to amq.default"), "{fault}");

    let messages: Vec<Message> = (0..MESSAGES).map(message).collect();
    let publishing = join_all(
        messages
            .iter()
            .map(|message| publisher.publish_until_stored(&to, message)),
    );
    let granting = async {
        private.may_write("shop", ".*").await;
    };
    let (stored, ()) = timeout(PATIENT, async { tokio::join!(publishing, granting) })
        .await
        .expect("they are stored once it has the right");
    for stored in stored {
        stored.unwrap();
    }
    assert_eq!(publisher.stats().reconnects(), 0, "the connection stays");
    let ready = Broker::connect(&private.url()).await.ready("hookline.due").await;
    assert_eq!(ready, Some(MESSAGES as u32), "each is stored once");
    tokio::join!(publisher.close(), declaring.close());
}

#[tokio::test]
async fn an_alarm_of_the_broker_is_named_while_it_is_waited_for() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let settings = Settings::new(&private.url()).unwrap();
        let settings = settings.with_namespace(world.namespace().clone());
        let settings = settings.with_publish_timeout(Duration::from_secs(3));
        let shop = Producer::connect(settings).await.unwrap();
        let gate = Gate::closed();
        let receiver = Receiver::answering(status(200).behind(&gate)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", private.url())
            .set("HOOKLINE_REQUEST_TIMEOUT", "600s")
            .start()
            .await;
        shop.publish(&event("booking.created")).await.unwrap();
        eventually(SOON, "a request", async || (receiver.count() == 1).then_some(())).await;
        private.control(&["set_vm_memory_high_watermark", "0"]).await;
        // What a dispatcher publishes is the record of the attempt.
        gate.open();
        let line = dispatcher.says("low on memory", SOON).await;
        assert!(line.contains("alarm") && line.contains("records"), "{line}");
        // The first one runs into the alarm; the second knows of it, and is not sent.
        let first = eventually(SOON, "the alarm is there", async || {
            shop.publish(&event("booking.created")).await.err()
        })
        .await;
        assert!(
            first.may_be_stored() && first.to_string().contains("low on memory"),
            "{first}"
        );
        let second = event("booking.created");
        let error = shop.publish(&second).await.unwrap_err();
        assert!(matches!(error, PublishError::NotStored { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("low on memory") && text.contains("rabbitmq-diagnostics alarms"),
            "{text}"
        );
        assert_eq!(shop.alarm().as_deref(), Some("low on memory"));

        let arguments = [
            "publish",
            "--company",
            "acme",
            "--type",
            "booking.created",
            "--data",
            "{}",
        ];
        let mut command = cli::command(world, &arguments)
            .env("HOOKLINE_AMQP_URL", private.url())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(command.stderr.take().unwrap()).lines();
        let line = timeout(SOON, stderr.next_line())
            .await
            .expect("it says why it waits");
        let line = line.unwrap().unwrap();
        assert!(line.contains("low on memory"), "{line}");
        private.control(&["set_vm_memory_high_watermark", "0.4"]).await;
        let ended = timeout(SOON, command.wait()).await.expect("it ends").unwrap();
        assert!(ended.success());
        eventually(SOON, "events are taken again", async || {
            shop.publish(&second).await.ok()
        })
        .await;
        assert_eq!(shop.alarm(), None);
        // The first one may have been sent more than once; this one was not sent before.
        eventually(SOON, "everything is delivered", async || {
            let all = receiver.accepted();
            all.iter()
                .any(|request| request.id() == second.id.as_str())
                .then_some(())
        })
        .await;
        dispatcher.has_let_go_within(SOON).await;
        dispatcher.stop().await;
        let accepted = receiver.accepted();
        let times = accepted
            .iter()
            .filter(|request| request.id() == second.id.as_str());
        assert_eq!(times.count(), 1, "what was not stored had not been sent");
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_is_full_is_told_from_a_memory_that_is() {
    let private = PrivateBroker::start().await;
    let shop = producer(&private.url(), Duration::from_secs(3)).await;
    shop.publish(&event("booking.created")).await.unwrap();
    // No disk has as much left.
    private.control(&["set_disk_free_limit", "1000000GB"]).await;
    let error = eventually(SOON, "the alarm is there", async || {
        shop.publish(&event("booking.created")).await.err()
    })
    .await;
    assert!(error.to_string().contains("low on disk"), "{error}");
    assert_eq!(shop.alarm().as_deref(), Some("low on disk"));
    private.control(&["set_disk_free_limit", "1MB"]).await;
    eventually(SOON, "events are taken again", async || {
        shop.publish(&event("booking.created")).await.ok()
    })
    .await;
    assert_eq!(shop.alarm(), None);
}

/// A record is refused as all else is, whatever is in it, so it waits as all else does.
#[tokio::test]
async fn records_wait_for_the_right_to_be_written_and_none_is_left_out() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        // Where everything is there already: whoever makes a queue that hands on to the default exchange needs that right as well.
        let mut apply = cli::command(world, &["topology", "apply"]);
        apply
            .env("HOOKLINE_AMQP_URL", private.url())
            .env("HOOKLINE_RETRY_SCHEDULE", RETRY_SCHEDULE);
        assert!(apply.output().await.unwrap().status.success());
        let url = private
            .account("dispatcher", &format!("^{}\\.", world.namespace()))
            .await;
        let dispatcher = world.dispatcher().set("HOOKLINE_AMQP_URL", url).start().await;
        let records = Records::at(&private.url(), world).await;
        let settings = Settings::new(&private.url()).unwrap();
        let settings = settings.with_namespace(world.namespace().clone());
        let producer = Producer::connect(settings).await.unwrap();
        producer.publish(&event("booking.created")).await.unwrap();
        receiver.expect_one(SOON).await;
        dispatcher.says("the broker does not let us publish", SOON).await;
        private.may_write("dispatcher", ".*").await;
        dispatcher.has_let_go_within(3 * SOON).await;
        assert_eq!(records.expect(1, SOON).await[0]["outcome"], "delivered");
        assert_eq!(receiver.count(), 1);
        let log = dispatcher.log();
        assert!(!log.contains("in no size"), "{log}");
        dispatcher.stop().await;
    })
    .await;
}

/// More of them than a dispatcher takes at first: they can be moved nowhere, and what waits behind them is not theirs.
#[tokio::test]
async fn messages_larger_than_a_limit_that_was_lowered_keep_no_others_waiting() {
    const LARGE: usize = 300_000;
    const COUNT: usize = 20;
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let broker = Broker::connect(&private.url()).await;
        let settings = Settings::new(&private.url()).unwrap();
        let producer = Producer::connect(settings.with_namespace(world.namespace().clone()))
            .await
            .unwrap();
        // The queue is there once a dispatcher has been.
        let dispatcher = || world.dispatcher().set("HOOKLINE_AMQP_URL", private.url());
        dispatcher().start().await.stop().await;
        let exchange = world.namespace().events_exchange();
        for _ in 0..COUNT {
            let body = vec![b'x'; LARGE];
            broker
                .publish(&exchange, "booking.created", BasicProperties::default(), &body)
                .await;
        }
        let lower = "application:set_env(rabbit, max_message_size, 200000), persistent_term:put(max_message_size, 200000).";
        private.evaluate(lower).await;
        producer.publish(&event("booking.created")).await.unwrap();
        let dispatcher = dispatcher().start().await;
        receiver.expect(1, SOON).await;
        dispatcher.says("stays on its queue", SOON).await;
        dispatcher.says("fill the window", SOON).await;
        // Once the limit allows it, whoever comes next moves them.
        private.evaluate(&lower.replace("200000", "134217728")).await;
        dispatcher.stop().await;
        let next = world.dispatcher().set("HOOKLINE_AMQP_URL", private.url()).start().await;
        eventually(SOON, "all are rejected", async || {
            let ready = broker.ready(&world.queue(Queue::Rejected)).await;
            (ready == Some(COUNT as u32)).then_some(())
        })
        .await;
        next.stop().await;
    })
    .await;
}
