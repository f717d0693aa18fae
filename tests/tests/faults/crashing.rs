//! Messages that end the program, each time that it comes to them: set aside after ten ends at most, and what stands beside them
//! is delivered.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::dispatcher::{IN_FLIGHT, Setup};
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial, are_found};
use hookline_tests::judge::Judge;
use hookline_tests::pace::paced;
use hookline_tests::supervised::{SUSPECT_RETURNS, Supervised};
use hookline_tests::{Gate, Receiver, SOON, World, scenario, status};
use tokio::time::{Instant, sleep};

/// Long enough for suspects to be looked at one by one.
const ENDS_WITHIN: Duration = Duration::from_secs(180);
/// A message may crash programs so often at most.
const MAX_CRASHES: usize = 10;
/// Events beside it.
const NEIGHBOURS: usize = 200;
/// How long an event of another company may wait for after a crash, beside the start of a program.
const FRESH_WITHIN: Duration = Duration::from_secs(2);

/// Publishes an event of a company that has nothing to do with it.
async fn publish_fresh(world: &World) -> Event {
    let event = Event::new("fresh", "booking.created", "{}").unwrap();
    world.producer().await.publish(&event).await.unwrap();
    event
}

/// Ends programs by one message of a company, and judges what became of it and of all others.
async fn a_message_ends<'a>(
    world: &'a World,
    of: &str,
    replicas: usize,
    setup: impl Fn(&'a World, &Event) -> Setup<'a>,
) {
    let mut trial = Trial::here();
    world.leaves(Queue::Rejected);
    let receiver = Receiver::answering(status(200).after(Duration::from_millis(20))).await;
    let fresh = Receiver::answering(status(200)).await;
    world.endpoints([
        endpoint("ep_crm", &receiver),
        endpoint("ep_fresh", &fresh).text("company", "fresh"),
    ]);
    let cause = Event::new(of, "booking.created", "{}").unwrap();
    let setup = || setup(world, &cause).set("HOOKLINE_REQUEST_TIMEOUT", "3s");
    // From the start of a program to a delivery that waits for it, on this machine.
    let mut fresh_events = vec![publish_fresh(world).await];
    let begun = Instant::now();
    let first = setup().launch();
    let usual = fresh.expect_one(SOON).await.arrived - begun;
    first.stop().await;
    let mut neighbours = world.publish_many(NEIGHBOURS / 2, "booking.created").await;
    world.producer().await.publish(&cause).await.unwrap();
    neighbours.extend(world.publish_many(NEIGHBOURS / 2, "booking.created").await);
    let mut supervised = Supervised::start(setup, replicas);
    let mut last_crash = supervised.last_crash();
    let is_done = || receiver.delivered() >= NEIGHBOURS;
    let crash_loop = async move {
        let rejected = supervised.crash_loop_ends(world, is_done).await;
        // Whoever waits for the next crash is told that there is none.
        drop(supervised);
        rejected
    };
    // Any crash may be the last.
    let after_each = async {
        while last_crash.changed().await.is_ok() {
            fresh_events.push(publish_fresh(world).await);
        }
    };
    let (rejected, ()) = tokio::join!(crash_loop, after_each);
    trial.healed_at(last_crash.borrow().expect("a crash"));
    are_found(world, &[&fresh], fresh_events.len(), SOON).await;
    world.is_settled_within(SOON).await;
    for rejected in &rejected {
        assert_eq!(rejected.id(), cause.id.as_str());
    }
    let mut judge = Judge::with_usual_schedule();
    judge.accepted(&neighbours, &["ep_crm"]);
    judge.accepted([&cause], &["ep_crm"]);
    judge.saw("ep_crm", &receiver);
    judge.kept_whole(&rejected, &["ep_crm"]);
    judge.accepted(&fresh_events, &["ep_fresh"]);
    judge.saw("ep_fresh", &fresh);
    // Three crashes give back whatever is in hand; after them it is one message at a time, and the cause comes ten times at most.
    // In hand is what is in flight, and what was answered and not acknowledged yet. A fresh event may be in hand at the crash after
    // the one that it was published for.
    let copies = 2 * MAX_CRASHES + SUSPECT_RETURNS * replicas * 2 * IN_FLIGHT;
    let doubles = 1 + MAX_CRASHES + NEIGHBOURS.min(SUSPECT_RETURNS * replicas * IN_FLIGHT);
    let allowed = Allowed::twice(doubles)
        .copies(copies)
        .back_within(FRESH_WITHIN + 5 * usual);
    trial.closes(&judge, allowed).await;
}

/// One that dies of a company's messages as it looks up their endpoints.
async fn a_message_that_crashes(crash: &str, replicas: usize) {
    scenario(async |world| {
        a_message_ends(world, "crasher", replicas, |world, _| {
            world
                .dispatcher()
                .program("crashing-dispatcher")
                .set("CRASH", crash)
                .set("RUST_BACKTRACE", "0")
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn d32_a_message_that_aborts_the_program() {
    a_message_that_crashes("abort", 1).await;
}

#[tokio::test]
async fn d32_a_message_that_panics_the_program() {
    a_message_that_crashes("panic", 1).await;
}

#[tokio::test]
async fn d32_a_message_that_crashes_two_programs() {
    a_message_that_crashes("abort", 2).await;
}

/// One that is killed when it comes to a point with the message.
async fn a_message_that_kills_at(point: &str) {
    scenario(async |world| {
        a_message_ends(world, "acme", 1, |world, cause| {
            world.dispatcher().killed_at(&format!("{point}:{}", cause.id))
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn d32_a_message_that_kills_the_program_before_its_post() {
    a_message_that_kills_at("before_post").await;
}

#[tokio::test]
async fn d32_a_message_that_kills_the_program_after_its_answer() {
    a_message_that_kills_at("after_answer").await;
}

/// Killed each time that a suspect is in hand, which is as often as its receiver takes long.
#[tokio::test]
async fn d32_a_suspect_whose_receiver_hangs_is_never_taken_for_the_cause_of_kills() {
    const SUSPECTS: usize = 3;
    const KILLS: usize = 9;
    /// More attempts than can run out of time until the gate opens, however long the starts take.
    const DELAYS: usize = 20;
    scenario(async |world| {
        let mut trial = Trial::here();
        let gate = Gate::closed();
        let hung = Receiver::answering(status(200).behind(&gate)).await;
        world.endpoints([endpoint("ep_hung", &hung)]);
        let events = world.publish_many(SUSPECTS, "booking.created").await;
        for _ in 0..SUSPECT_RETURNS {
            let queue = world.queue(Queue::Events);
            world.broker().give_back(&queue, SUSPECTS).await;
        }
        let start = async || {
            // Longer than a program lives that is killed: an attempt that ends clears its suspect.
            let setup = world.dispatcher().set("HOOKLINE_REQUEST_TIMEOUT", "13s");
            let setup = setup.set("HOOKLINE_RETRY_SCHEDULE", ["1s"; DELAYS].join(","));
            setup.start().await
        };
        let mut in_hand = 0;
        for _ in 0..KILLS {
            let (dispatcher, seen) = (start().await, hung.count());
            // A moment only: what is in hand when the program is killed differs from round to round.
            let in_time = async {
                while hung.count() == seen {
                    sleep(Duration::from_millis(10)).await;
                }
            };
            paced(Duration::from_secs(10), in_time).await;
            in_hand += usize::from(hung.count() > seen);
            dispatcher.kill().await;
        }
        assert!(
            in_hand >= SUSPECT_RETURNS,
            "killed with one in hand {in_hand} times"
        );
        trial.healed();
        gate.open();
        start().await;
        are_found(world, &[&hung], SUSPECTS, ENDS_WITHIN).await;
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_schedule(&[Duration::from_secs(1); DELAYS]);
        judge.accepted(&events, &["ep_hung"]);
        judge.saw("ep_hung", &hung);
        // A suspect waits until its program has lived for a while.
        let allowed = Allowed::twice(SUSPECTS)
            .copies(KILLS * SUSPECTS)
            .back_within(ENDS_WITHIN);
        trial.closes(&judge, allowed).await;
    })
    .await;
}
