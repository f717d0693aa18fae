//! How long it takes until a message that no client library would send is out of the way: no longer than any other event, and
//! its neighbour is delivered as soon as beside an ordinary one.

use std::collections::BTreeMap;
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
/// On a machine that is busy, all take longer: the bounds grow with what an ordinary event takes.
const BUSY: u32 = 5;

/// Times, sorted.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn add(&mut self, time: Duration) {
        let at = self.0.partition_point(|other| *other <= time);
        self.0.insert(at, time);
    }

    /// The middle one: what the machine does else now and then does not change it.
    fn middle(&self) -> Duration {
        self.0[self.0.len() / 2]
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
        let (mut odd_ones, mut beside_odd) = (BTreeMap::<_, Times>::new(), BTreeMap::<_, Times>::new());
        let mut misspelt = Times::default();
        let mut number = 0;
        for _ in 0..ROUNDS {
            for (name, fate, message) in odd() {
                number += 1;
                let (its, neighbours) = stage.both(RawMessage::event(), Fate::Delivered, number).await;
                ordinary.add(its);
                beside_ordinary.add(neighbours);
                number += 1;
                let (its, neighbours) = stage.both(message, fate, number).await;
                odd_ones.entry(name).or_default().add(its);
                beside_odd.entry(name).or_default().add(neighbours);
                // What is large or deep takes its time; what is not UTF-8 must not.
                if !matches!(fate, Fate::Rejected(reason) if reason.starts_with("headers_")) {
                    misspelt.add(its);
                }
            }
        }
        let usual = ordinary.middle();
        for (name, times) in &odd_ones {
            assert!(
                times.middle() < REJECTED_WITHIN.max(BUSY * usual),
                "{name}: {:?}, and an ordinary event {usual:?}",
                times.middle()
            );
        }
        assert!(
            misspelt.middle() < OUT_OF_THE_WAY_WITHIN.max(BUSY * usual),
            "those that are misspelt {:?}, and an ordinary event {usual:?}",
            misspelt.middle()
        );
        // Kind by kind: one that holds its neighbour up does so each time.
        let usual = beside_ordinary.middle();
        for (name, times) in &beside_odd {
            assert!(
                times.middle() <= 2 * usual + GRAIN,
                "beside {name}: {:?}, and beside an ordinary event {usual:?}",
                times.middle()
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
