//! Half of all endpoints begin to hang or to crawl: what the others notice of it.
//!
//! Two worlds play at once, one with the bad half and one without, and each event is published in both: what else the machine has
//! to do makes both late alike.

use std::collections::BTreeMap;
use std::time::Duration;

use hookline_producer::Event;
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial, are_found};
use hookline_tests::judge::Judge;
use hookline_tests::receiver::Received;
use hookline_tests::{Gate, Receiver, SOON, World, eventually, scenario, status};
use tokio::time::Instant;

use crate::is_quick;

const HEALTHY: usize = 50;
/// Events for the healthy ones alone, by which they are known before the others get any.
const BEFORE: usize = 20;
/// Endpoints that never answer, and as many that take long.
const HANGING: usize = 25;
const CRAWLING: usize = 25;
const CRAWLS_FOR: Duration = Duration::from_secs(3);
/// An answer that is given so late can cross the end of its time, which is five seconds.
const CROSSES_AFTER: Duration = Duration::from_millis(4500);
const DELAYS: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
];
/// How much later a delivery to a healthy one may be, beside twice as late: its event is twice as many messages. One that had to
/// wait for one of the others would wait for seconds.
const SLACK: Duration = Duration::from_millis(500);

/// The healthy half of a world, and when each event was published there.
struct Healthy {
    receivers: Vec<Receiver>,
    events: Vec<(Event, Instant)>,
}

impl Healthy {
    async fn start() -> Self {
        let mut receivers = Vec::new();
        for _ in 0..HEALTHY {
            receivers.push(Receiver::answering(status(200)).await);
        }
        Self {
            receivers,
            events: Vec::new(),
        }
    }

    /// Publishes one event more, and waits until every healthy receiver has it.
    async fn deliver_one(&mut self, world: &World, event_type: &str) {
        let begun = Instant::now();
        let event = world.publish(event_type, "{}").await;
        self.events.push((event, begun));
        let count = self.events.len();
        eventually(SOON, "every healthy receiver has it", async || {
            let has_it = |receiver: &Receiver| receiver.delivered() >= count;
            self.receivers.iter().all(has_it).then_some(())
        })
        .await;
    }

    /// How long deliveries of all but the first events took, from before their event was published, in order.
    fn latencies(&self) -> Vec<Duration> {
        let begun: BTreeMap<&str, Instant> = self
            .events
            .iter()
            .skip(BEFORE)
            .map(|(event, begun)| (event.id.as_str(), *begun))
            .collect();
        let mut latencies = Vec::new();
        for receiver in &self.receivers {
            for request in receiver.accepted() {
                let begun = begun.get(request.id());
                latencies.extend(begun.map(|begun| request.arrived - *begun));
            }
        }
        latencies.sort_unstable();
        latencies
    }
}

/// What so many in a hundred do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

async fn start(world: &World) {
    let setup = world.dispatcher().set("HOOKLINE_RETRY_SCHEDULE", "10s,20s,30s");
    setup.set("HOOKLINE_REQUEST_TIMEOUT", "5s").start().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c37_half_of_a_hundred_endpoints_begin_to_hang_or_to_crawl() {
    let count = if is_quick() { 50 } else { 200 };
    scenario(async |alone| {
        scenario(async |among| {
            let trial = Trial::here();
            let (gate, mut bad) = (Gate::closed(), Vec::new());
            for _ in 0..HANGING {
                bad.push(Receiver::answering(status(200).behind(&gate)).await);
            }
            for _ in 0..CRAWLING {
                bad.push(Receiver::answering(status(200).after(CRAWLS_FOR)).await);
            }
            let (mut usual, mut beside) = (Healthy::start().await, Healthy::start().await);
            let named = |of: &str, receivers: &[Receiver]| {
                let numbered = receivers.iter().enumerate();
                let each =
                    numbered.map(|(number, receiver)| endpoint(&format!("ep_{of}_{number}"), receiver));
                each.collect::<Vec<_>>()
            };
            alone.endpoints(named("healthy", &usual.receivers));
            // The bad ones first: in each event's fan-out the healthy ones stand behind them.
            let mut endpoints: Vec<_> = named("bad", &bad)
                .into_iter()
                .map(|bad| bad.events(&["booking.created"]))
                .collect();
            endpoints.extend(named("healthy", &beside.receivers));
            among.endpoints(endpoints);
            tokio::join!(start(alone), start(among));
            for number in 0..BEFORE + count {
                let event_type = if number < BEFORE {
                    "invoice.paid"
                } else {
                    "booking.created"
                };
                tokio::join!(
                    usual.deliver_one(alone, event_type),
                    beside.deliver_one(among, event_type)
                );
            }
            assert!(bad.iter().all(|receiver| receiver.count() > 0), "all are asked");
            let (usual_took, beside_took) = (usual.latencies(), beside.latencies());
            for percent in [50, 99] {
                let (usual, beside) = (
                    percentile(&usual_took, percent),
                    percentile(&beside_took, percent),
                );
                assert!(
                    beside <= 2 * usual + SLACK,
                    "{percent} in 100 took {usual:?} at most without bad neighbours, and {beside:?} with them"
                );
            }
            // Nobody is given up either: once they answer, the bad ones get all that is theirs.
            gate.open();
            bad.iter().for_each(|receiver| receiver.answer_now(status(200)));
            let all: Vec<&Receiver> = bad.iter().chain(&beside.receivers).collect();
            are_found(among, &all, all.len() * count + HEALTHY * BEFORE, 3 * SOON).await;
            among.is_settled_within(SOON).await;
            let mut judge = Judge::with_schedule(&DELAYS);
            for (of, receivers, first) in [("bad", &bad, BEFORE), ("healthy", &beside.receivers, 0)] {
                for (number, receiver) in receivers.iter().enumerate() {
                    let id = format!("ep_{of}_{number}");
                    judge.accepted(beside.events[first..].iter().map(|(event, _)| event), &[&id]);
                    judge.saw(&id, receiver);
                }
            }
            for receiver in usual.receivers.iter().chain(&beside.receivers) {
                let attempts = (receiver.count(), receiver.delivered());
                assert_eq!(
                    attempts,
                    (BEFORE + count, BEFORE + count),
                    "all at the first attempt"
                );
            }
            // An answer and the end of its time can cross, once for each request that hung. On a busy machine what crawls takes as
            // long.
            let is_late = |request: &Received| {
                request
                    .ended
                    .is_some_and(|ended| ended - request.arrived > CROSSES_AFTER)
            };
            let late = |receiver: &Receiver| receiver.accepted().into_iter().filter(is_late).count();
            let crossed: usize = bad.iter().map(late).sum();
            trial.closes(&judge, Allowed::twice(HANGING + crossed)).await;
        })
        .await;
    })
    .await;
}
