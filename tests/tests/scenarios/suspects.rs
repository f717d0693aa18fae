//! Crash loops: whatever kills the program again and again, only a message that does so itself is set aside. More ways to crash
//! are rows of the fault suite (`tests/tests/faults/crashing.rs`, `killing.rs`).

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::message::HandMade;
use hookline_tests::supervised::{SUSPECT_RETURNS, Supervised};
use hookline_tests::{Gate, Receiver, World, eventually, scenario, status};
use lapin::types::AMQPValue;

use crate::SOON;

/// Long enough for a crash loop to come to its end.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

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
        let rejected = supervised
            .crash_loop_ends(world, || receiver.delivered() >= NEIGHBOURS)
            .await;
        for rejected in &rejected {
            assert_eq!(rejected.text("company"), "crasher");
        }
        let mut judge = Judge::default();
        judge.accepted(&neighbours, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        judge.nothing_is_lost(NEIGHBOURS);
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

/// Up to RabbitMQ 4.2 whatever is given back is counted, and what waits here for its last try would be rejected by whoever takes it next.
#[tokio::test]
async fn a_stop_counts_nothing_against_a_suspect_that_waits_for_its_turn() {
    const LAST_TRY: i32 = 4;
    scenario(async |world| {
        let gate = Gate::closed();
        let hung = Receiver::answering(status(200).behind(&gate)).await;
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_hung", &hung), endpoint("ep_crm", &receiver)]);
        let suspect =
            |of: &str, crashes: i32| HandMade::delivery(of).header("crashes", AMQPValue::LongInt(crashes));
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_REQUEST_TIMEOUT", "25s")
            .start()
            .await;
        // Last tries are for a process that has lived for a while. This one has, once that is made.
        let first = suspect("ep_crm", LAST_TRY);
        first.send(world, Queue::Quarantine).await;
        receiver.expect(1, ENDS_WITHIN).await;
        suspect("ep_hung", 0).send(world, Queue::Quarantine).await;
        eventually(SOON, "its receiver hangs", async || {
            (hung.count() == 1).then_some(())
        })
        .await;
        let waiting = suspect("ep_crm", LAST_TRY);
        waiting.send(world, Queue::Quarantine).await;
        let quarantine = world.queue(Queue::Quarantine);
        eventually(SOON, "it is in hand", async || {
            (world.broker().ready(&quarantine).await == Some(0)).then_some(())
        })
        .await;
        dispatcher.terminate().await;
        // Whoever looked at it there would give it back, which counts.
        eventually(SOON, "it is there for others", async || {
            (world.broker().ready(&quarantine).await == Some(1)).then_some(())
        })
        .await;
        assert_eq!(receiver.count(), 1, "it was not begun");
        gate.open();
        assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(0));

        world
            .dispatcher()
            .set("HOOKLINE_REQUEST_TIMEOUT", "1s")
            .start()
            .await;
        let requests = receiver.expect(2, ENDS_WITHIN).await;
        assert_eq!(requests[1].id(), waiting.id(), "it is no cause of anything");
    })
    .await;
}
