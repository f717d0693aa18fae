//! A broker that is slow, or refuses, and is there: it is waited for, and nothing is sent to it twice.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hookline_common::broker::{Address, BrokerStats, BrokerUrl, LinkSettings, PublishFault, Publisher};
use hookline_common::message::Message;
use hookline_common::schedule::RetrySchedule;
use hookline_common::topology::{Namespace, Queue, Topology};
use hookline_producer::{Event, Producer, Settings};
use hookline_tests::broker::Broker;
use hookline_tests::endpoint::endpoint;
use hookline_tests::pace::paced;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{Gate, Receiver, eventually, scenario, status};
use lapin::types::AMQPValue;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use crate::SOON;

/// A broker that does not confirm is given up after this long, if it answers nothing else either.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);

fn link(url: &str) -> LinkSettings {
    LinkSettings::new(BrokerUrl::parse(url).unwrap(), "hookline-tests publisher")
}

fn whole(namespace: &Namespace) -> Topology {
    Topology::whole(namespace, &RetrySchedule::default())
}

fn numbered(number: usize) -> Message {
    Message {
        message_id: Some(format!("msg_{number}")),
        body: Bytes::from_static(b"{}"),
        ..Message::default()
    }
}

fn of_size(bytes: usize) -> Message {
    Message {
        message_id: Some(format!("msg_{bytes}")),
        body: vec![b'a'; bytes].into(),
        ..Message::default()
    }
}

/// Publishes to a queue that stands still, from a channel's first message to it on or later, and to another one.
async fn a_stuck_queue_keeps_no_other_waiting(is_first: bool) {
    const MESSAGES: usize = 20;
    let private = PrivateBroker::start().await;
    let namespace = Namespace::default();
    let publisher = Publisher::start(link(&private.url()), whole(&namespace));
    publisher.connected(None).await.unwrap();
    let stuck = Address::queue(&namespace, Queue::Deliveries);
    let well = Address::queue(&namespace, Queue::Due);
    let process = format!("'%2F_{}'", namespace.queue(Queue::Deliveries));
    if !is_first {
        for to in [&stuck, &well] {
            publisher
                .publish_until_stored(to, &numbered(MESSAGES))
                .await
                .unwrap();
        }
    }
    // The process that keeps the queue stands still, as one without a quorum does.
    private.evaluate(&format!("sys:suspend({process}).")).await;

    let publishing = tokio::spawn({
        let (publisher, stuck) = (publisher.clone(), stuck.clone());
        async move {
            let messages: Vec<_> = (0..MESSAGES).map(numbered).collect();
            join_all(
                messages
                    .iter()
                    .map(|message| publisher.publish(&stuck, message, None)),
            )
            .await
        }
    });
    eventually(SOON, "it is sent", async || {
        (publisher.stats().unconfirmed_bytes() > 0).then_some(())
    })
    .await;
    sleep(CONFIRM_TIMEOUT + Duration::from_secs(3)).await;
    let other = numbered(0);
    let published = timeout(SOON, publisher.publish_until_stored(&well, &other)).await;
    published.expect("the other queue does not wait").unwrap();
    assert!(!publishing.is_finished());
    private.evaluate(&format!("sys:resume({process}).")).await;
    let published = timeout(4 * SOON, publishing).await;
    for stored in published.expect("it is confirmed at last").unwrap() {
        stored.unwrap();
    }
    assert_eq!(publisher.stats().reconnects(), 0);
    assert_eq!(publisher.stats().unconfirmed_bytes(), 0);
    let depths = publisher
        .depths(&namespace, &[Queue::Deliveries, Queue::Due])
        .await;
    let ready: Vec<_> = depths.into_iter().map(|depth| depth.unwrap().ready).collect();
    let before = u32::from(!is_first);
    assert_eq!(
        ready,
        [MESSAGES as u32 + before, 1 + before],
        "nothing is stored twice"
    );
    publisher.close().await;
}

#[tokio::test]
async fn a_queue_that_does_not_confirm_is_waited_for_and_keeps_no_other_waiting() {
    a_stuck_queue_keeps_no_other_waiting(false).await;
}

/// For the broker a channel's first message to a queue is a call, for which the whole channel waits.
#[tokio::test]
async fn nor_does_a_queue_that_confirms_nothing_from_the_start() {
    a_stuck_queue_keeps_no_other_waiting(true).await;
}

/// Whoever publishes with a deadline gives up and comes again, while the broker still has in hand what they sent before.
#[tokio::test]
async fn a_queue_that_hangs_is_not_sent_as_much_again_with_each_deadline() {
    const MESSAGES: usize = 50;
    const WAVES: usize = 4;
    let private = PrivateBroker::start().await;
    let namespace = Namespace::default();
    let publisher = Publisher::start(link(&private.url()), whole(&namespace));
    publisher.connected(None).await.unwrap();
    let stuck = Address::queue(&namespace, Queue::Deliveries);
    publisher
        .publish_until_stored(&stuck, &numbered(MESSAGES))
        .await
        .unwrap();
    let process = format!("'%2F_{}'", namespace.queue(Queue::Deliveries));
    private.evaluate(&format!("sys:suspend({process}).")).await;
    for _ in 0..WAVES {
        let messages: Vec<_> = (0..MESSAGES).map(numbered).collect();
        // One after the other gives up, as those do who came one after the other.
        let publishing = messages.iter().enumerate().map(|(number, message)| {
            let within = Duration::from_millis(1000 + 10 * number as u64);
            publisher.publish(&stuck, message, Some(Instant::now() + within))
        });
        for published in join_all(publishing).await {
            let fault = published.unwrap_err();
            assert!(matches!(fault, PublishFault::Late { .. }), "{fault:?}");
        }
    }
    private.evaluate(&format!("sys:resume({process}).")).await;
    // It flows again, and the last is behind all that was sent before.
    let last = numbered(MESSAGES + 1);
    let published = publisher.publish_until_stored(&stuck, &last);
    timeout(SOON, published).await.expect("it flows again").unwrap();
    let depth = publisher.depths(&namespace, &[Queue::Deliveries]).await.remove(0);
    let ready = depth.unwrap().ready as usize;
    let sent = ready - 2;
    assert!(
        (MESSAGES..2 * MESSAGES).contains(&sent),
        "{sent} of {MESSAGES} were sent"
    );
    publisher.close().await;
}

/// The broker's channel hands a queue 32 acknowledgements at once and forgets the rest when it closes.
#[tokio::test]
async fn a_stop_waits_until_a_slow_queue_has_taken_the_last_acknowledgements() {
    const ENDPOINTS: usize = 48;
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let (gate, last_gate) = (Gate::closed(), Gate::closed());
        let receiver = Receiver::answering(status(200).behind(&gate)).await;
        let last = Receiver::answering(status(200).behind(&last_gate)).await;
        // An endpoint's first requests go out a few at a time, so there are many.
        let many = (0..ENDPOINTS)
            .map(|number| endpoint(&format!("ep_{number}"), &receiver).events(&["booking.created"]));
        let two = ["ep_last_1", "ep_last_2"].map(|id| endpoint(id, &last).events(&["booking.first"]));
        world.endpoints(many.chain(two).collect::<Vec<_>>());
        let dispatcher = || world.dispatcher().set("HOOKLINE_AMQP_URL", private.url());
        let old = dispatcher().start().await;
        let settings = Settings::new(&private.url()).unwrap();
        let producer = Producer::connect(settings.with_namespace(world.namespace().clone()))
            .await
            .unwrap();
        let event = |kind| Event::new("acme", kind, "{}").unwrap();
        // What is taken first ends last, so that the others are acknowledged one by one.
        producer.publish(&event("booking.first")).await.unwrap();
        eventually(SOON, "the first have begun", async || {
            (last.count() == 2).then_some(())
        })
        .await;
        producer.publish(&event("booking.created")).await.unwrap();
        let all_have_begun = || receiver.count() == ENDPOINTS;
        eventually(SOON, "all have begun", async || all_have_begun().then_some(())).await;
        old.terminate().await;
        old.says("draining", SOON).await;
        let queue = format!("'%2F_{}'", world.queue(Queue::Deliveries));
        let hold = format!("sys:suspend({queue}), timer:apply_after(2000, sys, resume, [{queue}]).");
        private.evaluate(&hold).await;
        gate.open();
        let in_hand = "hookline_messages_in_hand{queue=\"deliveries\"}";
        eventually(SOON, "all others are acknowledged", async || {
            (old.metric(in_hand).await? == 2.0).then_some(())
        })
        .await;
        last_gate.open();
        assert_eq!(old.ends_within(SOON).await.code(), Some(0));
        let new = dispatcher().start().await;
        producer.publish(&event("booking.created")).await.unwrap();
        receiver.expect(2 * ENDPOINTS, SOON).await;
        new.stop().await;
        assert_eq!((receiver.count(), last.count()), (2 * ENDPOINTS, 2));
    })
    .await;
}

/// Without heartbeats nobody but the publisher can notice.
#[tokio::test]
async fn a_connection_that_hangs_without_a_sign_is_given_up() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let wire = Wire::to(&services().amqp_url).await;
        let url = format!("{}?heartbeat=0", wire.url(&services().amqp_url));
        let topology = Topology::for_publishing(world.namespace());
        let publisher = Publisher::start(link(&url), topology);
        publisher.connected(None).await.unwrap();
        wire.fall_silent();
        let events = Address::queue(world.namespace(), Queue::Events);
        let message = numbered(0);
        let published = publisher.publish_until_stored(&events, &message);
        timeout(12 * CONFIRM_TIMEOUT, published).await.unwrap().unwrap();
        assert_eq!(publisher.stats().reconnects(), 1);
        publisher.close().await;
        world.expect_in(Queue::Events, 1, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_for_good_and_takes_nothing_along() {
    const MAX: usize = 100_000;
    let private = PrivateBroker::start().await;
    private
        .evaluate(&format!("application:set_env(rabbit, max_message_size, {MAX})."))
        .await;
    let namespace = Namespace::default();
    let stats = Arc::<BrokerStats>::default();
    let keeper = Publisher::start(link(&private.url()).counting_in(&stats), whole(&namespace));
    keeper.connected(None).await.unwrap();
    let records = Publisher::start_for_records(link(&private.url()).counting_in(&stats));
    let queue = Address::queue(&namespace, Queue::Deliveries);

    let small: Vec<_> = (0..200).map(numbered).collect();
    let large = of_size(MAX + 1);
    let beside = join_all(
        small
            .iter()
            .map(|message| records.publish_until_stored(&queue, message)),
    );
    let (refused, beside) = tokio::join!(records.publish_until_stored(&queue, &large), beside);
    let fault = refused.unwrap_err();
    assert!(
        matches!(
            &fault,
            PublishFault::Refused {
                maybe_stored: false,
                ..
            }
        ),
        "{fault:?}"
    );
    assert!(fault.to_string().contains("larger than"), "{fault}");
    for stored in beside {
        stored.unwrap();
    }
    records.publish_until_stored(&queue, &of_size(MAX)).await.unwrap();
    assert_eq!(stats.reconnects(), 0, "the connections stay");

    // What the broker had when it closed the channel may be there twice, and everything is there.
    let broker = Broker::connect(&private.url()).await;
    let stored = broker.read(&namespace.queue(Queue::Deliveries)).await;
    let mut ids: Vec<_> = stored.iter().map(|message| message.id().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), small.len() + 1);
    tokio::join!(records.close(), keeper.close());
}

#[tokio::test]
async fn refusals_are_counted_and_the_message_is_stored_when_there_is_room() {
    scenario(async |world| {
        let queue = world.queue(Queue::Deliveries);
        let arguments = [
            ("x-max-length", AMQPValue::LongInt(1)),
            ("x-overflow", AMQPValue::LongString("reject-publish".into())),
        ];
        world.broker().declare(&queue, &arguments).await;
        let publisher = Publisher::start_for_records(link(&services().amqp_url));
        let to = Address::queue(world.namespace(), Queue::Deliveries);
        publisher.publish(&to, &numbered(0), None).await.unwrap();
        let second = numbered(1);
        let (stored, ()) = tokio::join!(publisher.publish_until_stored(&to, &second), async {
            eventually(SOON, "refusals are counted", async || {
                (publisher.stats().publish_refused() >= 2).then_some(())
            })
            .await;
            let channel = world.broker().channel().await;
            let purged = channel
                .queue_purge(queue.as_str().into(), Default::default())
                .await;
            assert_eq!(purged.unwrap(), 1);
        });
        stored.unwrap();
        assert_eq!(publisher.stats().reconnects(), 0);
        publisher.close().await;
        world.leaves(Queue::Deliveries);
    })
    .await;
}

/// It takes connections and says nothing, as a broker that hangs.
#[tokio::test]
async fn a_link_that_is_still_connecting_closes_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://guest:guest@{}/%2f", silent.local_addr().unwrap());
    let publisher = Publisher::start_for_records(link(&url));
    let _connection = silent.accept().await.unwrap();
    // Each call of the handshake has a deadline of ten seconds.
    paced(CONFIRM_TIMEOUT / 2, publisher.close())
        .await
        .expect("nobody waits for a silent broker");
}
