//! Much at once: retries that all fall due in one moment, a backlog of a night, and attempts of which three in ten are refused.

use std::time::Duration;

use futures_util::StreamExt as _;
use hookline_common::schedule::Delay;
use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial, are_found, are_recorded};
use hookline_tests::judge::Judge;
use hookline_tests::receiver::Received;
use hookline_tests::{Gate, Receiver, SOON, World, eventually, scenario, status};

use crate::is_quick;

/// How many requests of a receiver were open at once at the most.
fn most_at_once(receiver: &Receiver, attempt: u32) -> usize {
    let mut changes = Vec::new();
    for request in receiver.requests() {
        if request.attempt() == attempt {
            changes.push((request.arrived, 1_i32));
            changes.push((request.ended.unwrap(), -1));
        }
    }
    // Of one moment, ends come first: an answer makes room for the next request.
    changes.sort_unstable();
    let (mut open, mut most) = (0, 0);
    for (_, change) in changes {
        open += change;
        most = most.max(open);
    }
    usize::try_from(most).unwrap()
}

#[tokio::test]
async fn d36_two_thousand_retries_fall_due_at_once_as_their_receivers_come_back() {
    const EACH: usize = 1000;
    const SLOTS: usize = 8;
    const HEALTHY: usize = 20;
    /// Enough for a busy machine to make all first attempts, and to stop.
    const DELAY: Delay = Delay::from_seconds(40);
    scenario(async |world| {
        let trial = Trial::here();
        // So that the storm is not over before what is fresh is there, however long that takes to be published.
        let gate = Gate::closed();
        let back = || {
            let answer = status(200).after(Duration::from_millis(50));
            let held = answer.clone().behind(&gate);
            let mut retries = 0;
            Receiver::scripted(move |request| {
                if request.attempt() == 1 {
                    return status(500);
                }
                retries += 1;
                if retries <= EACH / 2 {
                    answer.clone()
                } else {
                    held.clone()
                }
            })
        };
        let (one, other, healthy) = (back().await, back().await, Receiver::answering(status(200)).await);
        world.endpoints([
            endpoint("ep_one", &one).events(&["booking.created"]),
            endpoint("ep_other", &other).events(&["booking.cancelled"]),
            endpoint("ep_healthy", &healthy).events(&["invoice.paid"]),
        ]);
        let setup = || {
            world
                .dispatcher()
                .set(
                    "HOOKLINE_RETRY_SCHEDULE",
                    format!("{}s", DELAY.as_duration().as_secs()),
                )
                .set("HOOKLINE_REQUEST_TIMEOUT", "600s")
                .set("HOOKLINE_ENDPOINT_CONCURRENCY", SLOTS.to_string())
        };
        let first = setup().start().await;
        let (for_one, for_other) = tokio::join!(
            world.publish_many(EACH, "booking.created"),
            world.publish_many(EACH, "booking.cancelled"),
        );
        for receiver in [&one, &other] {
            eventually(SOON, "all first attempts are refused", async || {
                let requests = receiver.requests();
                let is_refused = |request: &&Received| request.attempt() == 1 && request.ended.is_some();
                (requests.iter().filter(is_refused).count() >= EACH).then_some(())
            })
            .await;
        }
        first.stop().await;
        // With nobody there all of it falls due, and waits.
        eventually(2 * SOON, "nothing waits for its time", async || {
            let retries = world.queue(Queue::Retry(DELAY));
            (world.broker().ready(&retries).await == Some(0)).then_some(())
        })
        .await;
        let done = one.delivered() + other.delivered();
        assert!(done < EACH, "{done} were delivered before there was a storm");
        setup().start().await;
        let mut invoices = Vec::new();
        for number in 0..HEALTHY {
            invoices.push(world.publish("invoice.paid", "{}").await);
            healthy.expect(number + 1, SOON).await;
        }
        let still = 2 * EACH - one.delivered() - other.delivered();
        assert!(still > 0, "what is fresh does not wait until the storm is over");
        gate.open();
        are_found(world, &[&one, &other, &healthy], 2 * EACH + HEALTHY, 2 * SOON).await;
        world.is_settled_within(SOON).await;
        for receiver in [&one, &other] {
            let most = most_at_once(receiver, 2);
            assert!(most <= SLOTS, "{most} at once, where {SLOTS} may be");
        }
        let mut judge = Judge::with_schedule(&[DELAY.as_duration()]);
        judge.accepted(&for_one, &["ep_one"]);
        judge.accepted(&for_other, &["ep_other"]);
        judge.accepted(&invoices, &["ep_healthy"]);
        for (id, receiver) in [("ep_one", &one), ("ep_other", &other), ("ep_healthy", &healthy)] {
            judge.saw(id, receiver);
        }
        are_recorded(world, &mut judge).await;
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

/// What a dispatcher has resident at the worst while it delivers a backlog, in KiB, and the events of it.
async fn drain(world: &World, receiver: &Receiver, count: usize) -> (u64, Vec<Event>) {
    let filling = "x".repeat(980);
    let events: Vec<Event> = (0..count)
        .map(|number| {
            let data = format!("{{\"number\":{number},\"filling\":\"{filling}\"}}");
            Event::new("acme", "booking.created", data).unwrap()
        })
        .collect();
    let before = receiver.delivered();
    let stream = futures_util::stream::iter(events.clone());
    let mut receipts = world.producer().await.publish_all(stream);
    while let Some(receipt) = receipts.next().await {
        receipt.unwrap();
    }
    let dispatcher = world.dispatcher().start().await;
    are_found(world, &[receiver], before + count, 10 * SOON).await;
    let (_, peak) = dispatcher.resident_kb();
    dispatcher.stop().await;
    (peak, events)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d37_a_backlog_of_a_hundred_thousand_is_drained_in_the_memory_of_a_small_one() {
    let (small, large) = if is_quick() {
        (2000, 10_000)
    } else {
        (10_000, 100_000)
    };
    scenario(async |world| {
        let trial = Trial::here();
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        // The queues are there before anything is published.
        world.dispatcher().start().await.stop().await;
        let (usual, mut events) = drain(world, &receiver, small).await;
        let (peak, more) = drain(world, &receiver, large).await;
        events.extend(more);
        assert!(
            peak <= usual + usual / 2,
            "{usual} KiB for {small}, {peak} KiB for {large}"
        );
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

/// Three in ten attempts are refused, by chance that is the same in each run.
#[tokio::test]
async fn c35_three_in_ten_attempts_are_refused() {
    use hookline_cases::{Random, seed};

    const EVENTS: usize = 2000;
    const DELAYS: [Duration; 3] = [
        Duration::from_secs(1),
        Duration::from_secs(2),
        Duration::from_secs(3),
    ];
    scenario(async |world| {
        let trial = Trial::here();
        let seed = seed();
        let unsteady = |of: u64| {
            Receiver::scripted(move |request| {
                let id = request.id().bytes().fold(seed ^ of, |hash, byte| {
                    hash.wrapping_mul(31).wrapping_add(u64::from(byte))
                });
                let mut random = Random::new(id.wrapping_add(u64::from(request.attempt())));
                let is_refused = random.below(10) < 3;
                // The schedule has an end, and chance has none.
                let answer = match random.below(4) {
                    _ if !is_refused || request.attempt() == 4 => 200,
                    0 => 500,
                    1 => 501,
                    2 => 505,
                    _ => 599,
                };
                status(answer)
            })
        };
        let (crm, books) = (unsteady(1).await, unsteady(2).await);
        world.endpoints([endpoint("ep_crm", &crm), endpoint("ep_books", &books)]);
        world.dispatcher().start().await;
        let events = world.publish_many(EVENTS, "booking.created").await;
        are_found(world, &[&crm, &books], 2 * EVENTS, 2 * SOON).await;
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_schedule(&DELAYS);
        judge.accepted(&events, &["ep_crm", "ep_books"]);
        judge.saw("ep_crm", &crm);
        judge.saw("ep_books", &books);
        are_recorded(world, &mut judge).await;
        // About 1.4 attempts for each.
        let share = judge.requests() as f64 / (2 * EVENTS) as f64;
        assert!((1.3..1.5).contains(&share), "{share} attempts a delivery");
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}
