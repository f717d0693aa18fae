//! Crash loops: whatever kills the program again and again, only a message that does so itself is set aside. More ways to crash
//! are rows of the fault suite (`tests/tests/faults/crashing.rs`, `killing.rs`).

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::supervised::Supervised;
use hookline_tests::{Gate, Receiver, World, eventually, scenario, status};
use tokio::time::{Instant, sleep};

use crate::SOON;

/// Returns after which a message is suspected.
const SUSPECT_RETURNS: usize = 3;
/// Long enough for a crash loop to come to its end.
const ENDS_WITHIN: Duration = Duration::from_secs(120);
/// A message may crash the program so often at most.
const MAX_CRASHES: usize = 10;

#[tokio::test]
async fn a_message_that_aborts_the_program_is_set_aside_and_its_neighbours_are_delivered() {
    const NEIGHBOURS: usize = 60;
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let receiver = Receiver::answering(status(200).after(Duration::from_millis(20))).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let setup = || {
            world
                .dispatcher()
                .program("crashing-dispatcher")
                .set("CRASH", "abort")
                .set("RUST_BACKTRACE", "0")
                .set("HOOKLINE_REQUEST_TIMEOUT", "3s")
        };
        let mut neighbours = world.publish_many(NEIGHBOURS / 2, "booking.created").await;
        world.publish_for(&["crasher"], 1).await;
        neighbours.extend(world.publish_many(NEIGHBOURS / 2, "booking.created").await);
        let mut supervised = Supervised::start(setup, 1);
        let judge = || {
            let mut judge = Judge::default();
            judge.accepted(&neighbours, &["ep_crm"]);
            judge.saw("ep_crm", &receiver);
            judge
        };
        let deadline = Instant::now() + ENDS_WITHIN;
        loop {
            supervised.look().await;
            assert!(
                supervised.crashes() <= MAX_CRASHES,
                "{} crashes",
                supervised.crashes()
            );
            let rejected = world.broker().ready(&world.queue(Queue::Rejected)).await;
            if rejected.is_some_and(|ready| ready > 0) && judge().verdict().lost.is_empty() {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{rejected:?} rejected after {} crashes, {} neighbours missing",
                supervised.crashes(),
                judge().verdict().lost.len()
            );
            sleep(Duration::from_millis(25)).await;
        }
        // One of two may end on its last crash as the other rejects the message, and that one is rejected once more.
        eventually(SOON, "nothing is left of the message", async || {
            supervised.look().await;
            let left = world.broker().ready(&world.queue(Queue::Quarantine)).await;
            (left == Some(0)).then_some(())
        })
        .await;
        supervised.look().await;
        supervised.are_ready().await;
        // What the broker has not yet given back may come once more, and end a program once more.
        tokio::select! {
            () = world.is_settled_within(SOON) => {}
            never = supervised.look_on() => match never {},
        }
        let rejected = world.read(Queue::Rejected).await;
        assert!((1..=2).contains(&rejected.len()), "{rejected:#?}");
        for rejected in &rejected {
            assert_eq!(rejected.text("company"), "crasher");
            assert_eq!(rejected.text("rejected-reason"), "crashes_consumer");
        }
        judge().nothing_is_lost(NEIGHBOURS);
    })
    .await;
}

/// Has the broker count so many returns for all that lies in `events` that they are suspected.
async fn make_suspects(world: &World, count: usize) {
    for _ in 0..SUSPECT_RETURNS {
        world.broker().give_back(&world.queue(Queue::Events), count).await;
    }
}

#[tokio::test]
async fn suspects_keep_to_the_limit_of_their_endpoint() {
    const SUSPECTS: usize = 100;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200).after(Duration::from_millis(20))).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.publish_many(SUSPECTS, "booking.created").await;
        make_suspects(world, SUSPECTS).await;
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_ENDPOINT_CONCURRENCY", "1")
            .start()
            .await;
        let requests = receiver.expect(SUSPECTS, ENDS_WITHIN).await;
        assert_eq!(requests.len(), SUSPECTS);
        // All were suspects.
        dispatcher
            .shows("hookline_messages_quarantined_total", SUSPECTS as f64)
            .await;
        for pair in requests.windows(2) {
            assert!(pair[0].ended.unwrap() <= pair[1].arrived, "two at once");
        }
    })
    .await;
}

#[tokio::test]
async fn a_suspect_whose_receiver_hangs_holds_the_others_up_for_a_moment_only() {
    const OTHERS: usize = 20;
    const HUNG: usize = 3;
    scenario(async |world| {
        let gate = Gate::closed();
        let hung = Receiver::answering(status(200).behind(&gate)).await;
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([
            endpoint("ep_hung", &hung).text("company", "hung"),
            endpoint("ep_crm", &receiver),
        ]);
        world.publish_for(&["hung"], HUNG).await;
        world.publish_many(OTHERS, "booking.created").await;
        make_suspects(world, HUNG + OTHERS).await;
        // Whoever waited for the end of a request would wait for longer than anybody looks.
        world
            .dispatcher()
            .set("HOOKLINE_REQUEST_TIMEOUT", "600s")
            .start()
            .await;
        receiver.expect(OTHERS, SOON).await;
        let open = hung.requests();
        assert!(!open.is_empty(), "some were before the others");
        assert!(
            open.iter().all(|request| request.ended.is_none()),
            "they did not wait for its end"
        );
        gate.open();
        eventually(ENDS_WITHIN, "all are delivered", async || {
            (hung.accepted().len() >= HUNG).then_some(())
        })
        .await;
    })
    .await;
}
