//! How long it takes until a message that no client library would send is out of the way: no longer than any other event, and
//! its neighbour is delivered as soon as beside an ordinary one.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::endpoint::endpoint;
use hookline_tests::pace::Pace;
use hookline_tests::raw_amqp::{RawMessage, RawPublisher};
use hookline_tests::services::services;
use hookline_tests::{Receiver, World, scenario, status};
use tokio::time::{Instant, sleep};

use crate::SOON;
use crate::odd_bytes::{Fate, case, odd};

/// How often each of them is published.
const ROUNDS: usize = 7;
/// What cannot be understood is in `rejected` by then.
const REJECTED_WITHIN: Duration = Duration::from_secs(2);
/// What is only misspelt is out of the way by then.
const OUT_OF_THE_WAY_WITHIN: Duration = Duration::from_millis(100);
/// Two turns of the clock: what is shorter is not told apart.
const GRAIN: Duration = Duration::from_millis(20);
/// On a machine that is busy, all take longer: the bounds grow with what the slowest, or the middle one, of the ordinary takes.
const BUSY: u32 = 5;

/// Times, sorted.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn add(&mut self, time: Duration) {
        let at = self.0.partition_point(|other| *other <= time);
        self.0.insert(at, time);
    }

    /// Of a hundred, so many are no longer than this.
    fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }

    fn longest(&self) -> Duration {
        *self.0.last().unwrap()
    }
}

/// Who publishes, and where it can be seen what became of it.
struct Stage<'a> {
    world: &'a World,
    publisher: RawPublisher,
    receiver: Receiver,
}

impl Stage<'_> {
    /// Publishes `message` and, on the same connection, a neighbour; waits for both, and tells how long each took.
    async fn both(&mut self, message: RawMessage, fate: Fate, number: usize) -> (Duration, Duration) {
        let (first, neighbour) = (format!("first {number}"), format!("neighbour {number}"));
        let rejected_queue = self.world.queue(Queue::Rejected);
        let rejected = self.world.broker().ready(&rejected_queue).await;
        let message = message.body(&format!("{{\"case\":\"{first}\"}}"));
        let beside = RawMessage::event().body(&format!("{{\"case\":\"{neighbour}\"}}"));
        let exchange = self.world.namespace().events_exchange();
        let pace = Pace::start();
        let begun = Instant::now();
        self.publisher.publish(&exchange, &message).await;
        self.publisher.publish(&exchange, &beside).await;
        let (mut of_message, mut of_neighbour) = (None, None);
        while of_message.is_none() || of_neighbour.is_none() {
            assert!(pace.elapsed() < SOON, "{number}: {of_message:?} {of_neighbour:?}");
            for request in self.receiver.requests() {
                let took = request.arrived.duration_since(begun);
                match case(&request.body) {
                    it if it == first => of_message = Some(took),
                    it if it == neighbour => of_neighbour = Some(took),
                    _ => {}
                }
            }
            if matches!(fate, Fate::Rejected(_)) && of_message.is_none() {
                let ready = self.world.broker().ready(&rejected_queue).await;
                of_message = (ready != rejected).then(|| pace.elapsed());
            }
            sleep(Duration::from_millis(1)).await;
        }
        (of_message.unwrap(), of_neighbour.unwrap())
    }
}

#[tokio::test]
async fn what_no_library_would_send_is_out_of_the_way_as_soon_as_any_event() {
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        let mut stage = Stage {
            world,
            publisher: RawPublisher::connect(&services().amqp_url).await,
            receiver,
        };
        // Connections are made, and queues known, before anything is measured.
        stage.both(RawMessage::event(), Fate::Delivered, 0).await;
        let (mut ordinary, mut beside_ordinary) = (Times::default(), Times::default());
        let (mut all, mut misspelt, mut beside_odd) =
            (Times::default(), Times::default(), Times::default());
        let mut number = 0;
        for _ in 0..ROUNDS {
            for (name, fate, message) in odd() {
                number += 1;
                let (its, neighbours) = stage
                    .both(RawMessage::event(), Fate::Delivered, number)
                    .await;
                ordinary.add(its);
                beside_ordinary.add(neighbours);
                number += 1;
                let (its, neighbours) = stage.both(message, fate, number).await;
                all.add(its);
                beside_odd.add(neighbours);
                // What is large or deep takes its time; what is not UTF-8 must not.
                if !matches!(fate, Fate::Rejected(reason) if reason.starts_with("headers_")) {
                    misspelt.add(its);
                }
                assert!(
                    its < REJECTED_WITHIN.max(BUSY * ordinary.longest()),
                    "{name}: {its:?}, and an ordinary event {:?} at most",
                    ordinary.longest()
                );
            }
        }
        let middle = (misspelt.percentile(50), ordinary.percentile(50));
        assert!(
            middle.0 < OUT_OF_THE_WAY_WITHIN.max(BUSY * middle.1),
            "the middle one of those that are misspelt, and of the ordinary: {middle:?}"
        );
        for percent in [50, 99] {
            let (beside, without) = (
                beside_odd.percentile(percent),
                beside_ordinary.percentile(percent),
            );
            assert!(
                beside <= 2 * without + GRAIN,
                "{percent} of a hundred neighbours: {beside:?} beside odd ones, {without:?} beside ordinary ones"
            );
        }
        assert_eq!(
            dispatcher.metric("hookline_reconnects_total").await,
            Some(0.0),
            "no link was lost"
        );
    })
    .await;
}
