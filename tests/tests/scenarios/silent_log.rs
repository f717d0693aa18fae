//! How soon deliveries go on without the stream of attempts: no longer pause than five seconds, and none without end.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::{Event, Producer, Settings};
use hookline_tests::endpoint::endpoint;
use hookline_tests::pace::Pace;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::records::Records;
use hookline_tests::{Receiver, eventually, scenario, status};
use tokio::time::sleep;

use crate::SOON;

/// So few that they are all in hand, waiting for their records, long before the stream counts as silent.
const WINDOW: usize = 20;
const EVENTS: usize = 6 * WINDOW;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn deliveries_pause_for_no_longer_than_five_seconds_when_the_stream_confirms_nothing() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let settings = Settings::new(&private.url()).unwrap();
        let producer = Producer::connect(settings.with_namespace(world.namespace().clone()))
            .await
            .unwrap();
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", private.url())
            .set("HOOKLINE_PREFETCH", WINDOW.to_string())
            .start()
            .await;
        let publish = async |count: usize| {
            for _ in 0..count {
                let event = Event::new("acme", "booking.created", "{}").unwrap();
                producer.publish(&event).await.unwrap();
            }
        };
        publish(WINDOW).await;
        receiver.expect(WINDOW, SOON).await;
        dispatcher.has_let_go_within(SOON).await;

        let stream = world.queue(Queue::Attempts);
        private.hold_stream(&stream).await;
        publish(EVENTS).await;
        let pace = Pace::start();
        let (mut came, mut since, mut longest) = (receiver.count(), pace.elapsed(), Duration::ZERO);
        while came < WINDOW + EVENTS {
            assert!(pace.elapsed() < SOON, "{came} of {}", WINDOW + EVENTS);
            sleep(Duration::from_millis(5)).await;
            if receiver.count() > came {
                (came, since) = (receiver.count(), pace.elapsed());
            }
            longest = longest.max(pace.elapsed() - since);
        }
        assert!(longest < LONGEST_PAUSE, "a pause of {longest:?}");
        assert_eq!(dispatcher.metric("hookline_reconnects_total").await, Some(0.0));

        private.let_go_on(&stream).await;
        let records = Records::at(&private.url(), world).await;
        eventually(SOON, "each attempt has its record", async || {
            (records.distinct().len() == receiver.count()).then_some(())
        })
        .await;
        dispatcher.has_let_go_within(SOON).await;
        dispatcher.stop().await;
    })
    .await;
}
