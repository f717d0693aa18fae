//! Crashes of the programs and of the broker. Whatever happens, every event that was accepted is found again.

use std::time::Duration;

use futures_util::StreamExt as _;
use hookline_common::topology::{Queue, Topology};
use hookline_producer::{Event, Producer, Settings};
use hookline_tests::broker::Broker;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::{Receiver, eventually, scenario, status};
use tokio::time::{Instant, sleep};

use crate::{IN_FLIGHT, SOON};

#[tokio::test]
async fn a_killed_dispatcher_repeats_at_most_what_it_had_in_flight() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200).after(Duration::from_millis(200))).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let first = world.dispatcher().start().await;
        let events = world.publish_many(200, "booking.created").await;
        eventually(SOON, "it is in the middle of it", async || {
            (receiver.accepted().len() >= 60).then_some(())
        })
        .await;
        first.kill().await;
        world.dispatcher().start().await;
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        eventually(SOON, "everything is delivered", async || {
            let accepted = receiver.accepted();
            events
                .iter()
                .all(|event| accepted.iter().any(|request| request.id() == event.id.as_str()))
                .then_some(())
        })
        .await;
        world.is_empty_within(SOON).await;
        judge.saw("ep_crm", &receiver);
        // In flight is also what was answered and not yet acknowledged to the broker.
        judge.nothing_is_lost(2 * IN_FLIGHT);
    })
    .await;
}

const EVENTS: usize = 5000;
const PREFETCH: usize = 100;
/// After the last fault everything must be where it belongs.
const HEALS_WITHIN: Duration = Duration::from_secs(60);
/// How many events wait for the broker's answer at once.
const IN_DOUBT: usize = 100;

/// Publishes all events, each until it is stored.
async fn publish_all(producer: &Producer, events: &[Event]) {
    let publishing = futures_util::stream::iter(events).for_each_concurrent(IN_DOUBT, async |event| {
        while let Err(error) = producer.publish(event).await {
            assert!(error.to_string().contains(event.id.as_str()));
        }
    });
    publishing.await;
}

#[tokio::test]
async fn five_thousand_events_survive_a_killed_dispatcher_and_a_killed_broker() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::scripted(|request| {
            // One in fifty is refused at first, so that retries wait in the broker when it dies.
            let is_unlucky = request.body.windows(4).any(|bytes| bytes == b"77}}");
            let answer = if is_unlucky && request.attempt() == 1 {
                status(503)
            } else {
                status(200)
            };
            answer.after(Duration::from_millis(20))
        })
        .await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let start = async || {
            let setup = world.dispatcher().set("HOOKLINE_AMQP_URL", private.url());
            setup.set("HOOKLINE_PREFETCH", PREFETCH.to_string()).start().await
        };
        let (first, second) = tokio::join!(start(), start());
        let settings = Settings::new(&private.url()).unwrap();
        let settings = settings
            .with_namespace(world.namespace().clone())
            .with_publish_timeout(Duration::from_secs(60));
        let producer = Producer::connect(settings).await.unwrap();
        let events: Vec<Event> = (0..EVENTS)
            .map(|number| Event::new("acme", "booking.created", format!("{{\"n\":{number}}}")).unwrap())
            .collect();
        let faults = async {
            let many = |count| {
                let receiver = &receiver;
                async move {
                    let what = format!("{count} requests");
                    eventually(SOON, &what, async || (receiver.count() >= count).then_some(())).await;
                }
            };
            many(EVENTS / 5).await;
            first.kill().await;
            many(EVENTS / 3).await;
            private.kill().await;
            private.start_again().await;
            start().await
        };
        let ((), third) = tokio::join!(publish_all(&producer, &events), faults);

        let judge = || {
            let mut judge = Judge::default();
            judge.accepted(&events, &["ep_crm"]);
            judge.saw("ep_crm", &receiver);
            judge
        };
        let broker = Broker::connect(&private.url()).await;
        let left = async || {
            let mut left = Vec::new();
            for queue in Topology::whole(world.namespace(), &"1s,2s,3s".parse().unwrap()).queues {
                let ready = broker.ready(&queue.name).await;
                if queue.name != world.queue(Queue::Attempts) && ready != Some(0) {
                    left.push((queue.name, ready));
                }
            }
            left
        };
        let healed = Instant::now();
        loop {
            let (lost, left) = (judge().verdict().lost.len(), left().await);
            if lost == 0 && left.is_empty() {
                break;
            }
            let since = healed.elapsed();
            assert!(
                since < HEALS_WITHIN,
                "{since:?} after the faults {lost} are missing; queues: {left:?}"
            );
            sleep(Duration::from_millis(100)).await;
        }
        tokio::join!(second.stop(), third.stop());
        assert_eq!(left().await, [], "programs held messages to the end");
        // What one dispatcher had in hand when it was killed, what both had when the broker was, and what the
        // publisher had no answer for.
        judge().nothing_is_lost(3 * PREFETCH + IN_DOUBT);
    })
    .await;
    private.stop().await;
}
