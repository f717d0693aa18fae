//! What somebody deletes on the broker under a running dispatcher is noticed and made again, or reported.

use std::time::Duration;

use hookline_common::broker::{Address, BrokerUrl, LinkSettings, Publisher, declare};
use hookline_common::message::Message;
use hookline_common::schedule::RetrySchedule;
use hookline_common::topology::{Namespace, Queue, Topology};
use hookline_producer::{Event, Producer, PublishError, Settings};
use hookline_tests::broker::Broker;
use hookline_tests::endpoint::endpoint;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{Receiver, World, eventually, scenario, status};
use lapin::types::FieldTable;
use tokio::time::{Instant, timeout};

use crate::SOON;

/// Everything is looked at every ten seconds; a round may be lost.
const NOTICED_WITHIN: Duration = SOON;
/// A binding that takes as long is left for later by whoever connects.
const BOUND_WITHIN: Duration = Duration::from_secs(2);

/// Ends the way from the exchange to the queue of events.
async fn unbind(world: &World) {
    let channel = world.broker().channel().await;
    let (queue, exchange) = (world.queue(Queue::Events), world.namespace().events_exchange());
    let unbound = channel.queue_unbind(queue.into(), exchange.into(), "#".into(), FieldTable::default());
    unbound.await.unwrap();
}

async fn is_bound_within(world: &World, within: Duration) {
    let exchange = world.namespace().events_exchange();
    eventually(within, "it is bound again", async || {
        services().is_bound(&exchange).await.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_deleted_binding_is_made_again() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let _dispatcher = world.dispatcher().start().await;
        unbind(world).await;
        is_bound_within(world, NOTICED_WITHIN).await;
        // A binding is told of a moment before messages are led by it.
        let (producer, event) = (
            world.producer().await,
            Event::new("acme", "booking.created", "{}").unwrap(),
        );
        eventually(SOON, "it is stored", async || producer.publish(&event).await.ok()).await;
        receiver.expect(1, SOON).await;
    })
    .await;
}

/// Whoever only publishes looks after nothing, and mends what it runs into.
#[tokio::test]
async fn an_event_that_finds_its_binding_gone_has_it_made_again() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        world.publish("booking.created", "{}").await;
        unbind(world).await;
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        let producer = world.producer().await;
        let error = producer.publish(&event).await.unwrap_err();
        assert!(matches!(error, PublishError::Unroutable { .. }), "{error:?}");
        eventually(SOON, "the same event is stored", async || {
            producer.publish(&event).await.ok()
        })
        .await;
    })
    .await;
}

/// As when two services start for the first time, and the other one has made both ends a moment ago.
#[tokio::test]
async fn who_connects_first_publishes_through_a_binding_that_nobody_made_yet() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        world.publish("booking.created", "{}").await;
        let settings = Settings::new(&services().amqp_url).unwrap();
        let settings = settings.with_namespace(world.namespace().clone());
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        eventually(SOON, "the broker is quick to bind", async || {
            unbind(world).await;
            let begun = Instant::now();
            let other = Producer::connect(settings.clone()).await.unwrap();
            let took = begun.elapsed();
            match other.publish(&event).await {
                Ok(_) => Some(()),
                Err(PublishError::Unroutable { .. }) if took >= BOUND_WITHIN => None,
                Err(error) => panic!("{error}, connected within {took:?}"),
            }
        })
        .await;
        world.expect_in(Queue::Events, 2, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn an_event_that_finds_its_exchange_gone_is_stored_when_that_is_made_again() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let producer = world.producer().await;
        let exchange = world.namespace().events_exchange();
        world.broker().delete(&[], std::slice::from_ref(&exchange)).await;
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        eventually(SOON, "it is stored", async || producer.publish(&event).await.ok()).await;
        assert!(producer.is_connected());
        let stored = world.expect_in(Queue::Events, 1, SOON).await;
        assert_eq!(stored.len(), 1);
    })
    .await;
}

/// As in a cluster of which a node hangs: what is there can be asked for and published to, and making anything waits.
#[tokio::test]
async fn a_reconnect_and_what_is_published_wait_for_no_binding() {
    let private = PrivateBroker::start().await;
    let wire = Wire::to(&private.url()).await;
    let namespace = Namespace::default();
    let settings = LinkSettings::new(
        BrokerUrl::parse(&wire.url(&private.url())).unwrap(),
        "hookline-tests keeper",
    );
    let publisher =
        Publisher::start_as_keeper(settings, Topology::whole(&namespace, &RetrySchedule::default()));
    let to = Address::queue(&namespace, Queue::Due);
    let message = Message::default();
    publisher.publish_until_stored(&to, &message).await.unwrap();
    private.evaluate("sys:suspend(mnesia_locker).").await;
    let broker = Broker::connect(&private.url()).await;
    let channel = broker.channel().await;
    let bind = channel.queue_bind(
        namespace.queue(Queue::Events).into(),
        namespace.events_exchange().into(),
        "#".into(),
        Default::default(),
        FieldTable::default(),
    );
    let mut bind = std::pin::pin!(bind);
    assert!(
        timeout(Duration::from_secs(2), &mut bind).await.is_err(),
        "a binding waits"
    );
    let connections = wire.accepted();
    wire.cut();
    eventually(SOON, "it notices", async || (!publisher.is_up()).then_some(())).await;
    wire.restore();
    let published = async {
        for _ in 0..100 {
            publisher.publish_until_stored(&to, &message).await.unwrap();
        }
    };
    timeout(2 * SOON, published).await.expect("nobody waits for it");
    assert!(wire.accepted() > connections);
    assert!(
        timeout(Duration::from_millis(1), &mut bind).await.is_err(),
        "and still does"
    );
    private.evaluate("sys:resume(mnesia_locker).").await;
    bind.await.unwrap();
    publisher.close().await;
}

#[tokio::test]
async fn what_somebody_replaced_by_something_else_is_reported_until_it_is_mended() {
    scenario(async |world| {
        let url = BrokerUrl::parse(&services().amqp_url).unwrap();
        let settings = LinkSettings::new(url, "hookline-tests keeper");
        let topology = Topology::whole(world.namespace(), &RetrySchedule::default());
        let publisher = Publisher::start_as_keeper(settings, topology);
        publisher.connected(None).await.unwrap();
        assert_eq!(publisher.trouble(), None);
        let failed = world.queue(Queue::Failed);
        world.broker().delete(std::slice::from_ref(&failed), &[]).await;
        world.broker().declare(&failed, &[]).await;
        let trouble = eventually(NOTICED_WITHIN, "it is reported", async || publisher.trouble()).await;
        assert!(trouble.contains(&failed), "{trouble}");
        world.broker().delete(std::slice::from_ref(&failed), &[]).await;
        eventually(NOTICED_WITHIN, "it is mended", async || {
            publisher.trouble().is_none().then_some(())
        })
        .await;
        assert_eq!(publisher.stats().reconnects(), 0);
        publisher.close().await;
    })
    .await;
}

/// Such an account can consume and publish, and make queues; it cannot see whether a binding is there.
#[tokio::test]
async fn a_binding_that_the_account_may_not_make_is_reported_until_it_may() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let namespace = world.namespace();
        let settings = LinkSettings::new(BrokerUrl::parse(&private.url()).unwrap(), "hookline-tests admin");
        let schedule = "1s".parse::<RetrySchedule>().unwrap();
        declare(&settings, &Topology::whole(namespace, &schedule))
            .await
            .unwrap();
        let url = private.account("keeper", "^amq\\.default$").await;
        let (configure, read) = (format!("^{namespace}\\."), format!("^{namespace}\\."));
        let set = async |write: &str| {
            private
                .control(&["set_permissions", "keeper", &configure, write, &read])
                .await;
        };
        set("^amq\\.default$").await;
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", url)
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        dispatcher.says("this account may not bind", SOON).await;
        assert!(dispatcher.is_ready().await, "it may be there");

        let events = world.queue(Queue::Events);
        let admin = Broker::connect(&private.url()).await;
        admin.delete(std::slice::from_ref(&events), &[]).await;
        let ready = eventually(NOTICED_WITHIN, "it is no longer ready", async || {
            let page = dispatcher.get("/readyz").await.ok()?;
            page.body.contains("may not bind").then_some(page)
        })
        .await;
        assert_eq!(ready.status, 503);
        assert!(ready.body.contains(&events), "{}", ready.body);
        dispatcher.says("to be mended by a person", SOON).await;

        set(&format!("^({namespace}\\.|amq\\.default$)")).await;
        dispatcher.is_ready_within(2 * NOTICED_WITHIN).await;
        let settings = Settings::new(&private.url()).unwrap();
        let producer = Producer::connect(settings.with_namespace(namespace.clone()))
            .await
            .unwrap();
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        producer.publish(&event).await.unwrap();
        receiver.expect(1, SOON).await;
        let told = dispatcher
            .log()
            .matches("this account may not bind: should")
            .count();
        assert_eq!(told, 1, "it is told once");
        dispatcher.stop().await;
    })
    .await;
}
