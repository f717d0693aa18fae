//! Crash loops: whatever kills the program again and again, only a message that does so itself is set aside.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::dispatcher::{Dispatcher, Setup};
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::pace::paced;
use hookline_tests::{Gate, Receiver, World, eventually, scenario, status};
use tokio::time::{Instant, sleep};

use crate::{IN_FLIGHT, SOON};

/// Returns after which a message is suspected.
const SUSPECT_RETURNS: usize = 3;
/// Long enough for a crash loop to come to its end.
const ENDS_WITHIN: Duration = Duration::from_secs(120);
/// A message may crash the program so often at most.
const MAX_CRASHES: usize = 10;

async fn publish_for(world: &World, companies: &[&str], each: usize) -> Vec<Event> {
    let events: Vec<Event> = (0..each)
        .flat_map(|number| {
            companies.iter().map(move |company| {
                Event::new(company, "booking.created", format!("{{\"n\":{number}}}")).unwrap()
            })
        })
        .collect();
    let stream = futures_util::stream::iter(events.clone());
    let mut receipts = world.producer().await.publish_all(stream);
    while let Some(receipt) = receipts.next().await {
        receipt.unwrap();
    }
    events
}

fn of<'a>(events: &'a [Event], company: &str) -> Vec<&'a Event> {
    events
        .iter()
        .filter(|event| event.company.as_str() == company)
        .collect()
}

/// How long a dispatcher needs for this many events that nobody is slow to take.
async fn time_for(world: &World, company: &str, receiver: &Receiver, events: usize) -> Duration {
    let before = receiver.count();
    let begun = Instant::now();
    publish_for(world, &[company], events).await;
    receiver.expect(before + events, SOON).await;
    begun.elapsed()
}

#[tokio::test]
async fn no_number_of_kills_makes_a_harmless_message_a_suspect_for_good() {
    const EACH: usize = 150;
    const KILLS: u64 = 16;
    const MEASURED: usize = 1000;
    scenario(async |world| {
        let quick = Receiver::answering(status(200)).await;
        let slow = Receiver::answering(status(200).after(Duration::from_millis(200))).await;
        let fresh = Receiver::answering(status(200)).await;
        world.endpoints([
            endpoint("ep_quick", &quick).text("company", "quick"),
            endpoint("ep_slow", &slow).text("company", "slow"),
            endpoint("ep_fresh", &fresh).text("company", "fresh"),
        ]);
        let first = world.dispatcher().start().await;
        time_for(world, "fresh", &fresh, MEASURED / 5).await;
        let before = time_for(world, "fresh", &fresh, MEASURED).await;
        first.stop().await;

        let events = publish_for(world, &["quick", "slow"], EACH).await;
        for kill in 0..KILLS {
            let dispatcher = world.dispatcher().start().await;
            // Some as soon as it is ready, some in the middle of attempts, some while it looks at its suspects.
            let lives = if kill % 4 == 3 { 2200 } else { kill % 4 * 60 };
            sleep(Duration::from_millis(lives)).await;
            dispatcher.kill().await;
        }
        // What came back is not all delivered before the next event is there, however long that takes to be published.
        let gate = Gate::closed();
        slow.answer_now(status(200).behind(&gate));
        let last = world.dispatcher().set("HOOKLINE_REQUEST_TIMEOUT", "600s");
        last.start().await;
        let seen = fresh.count();
        publish_for(world, &["fresh"], 1).await;
        fresh.expect(seen + 1, SOON).await;
        let judge = || {
            let mut judge = Judge::default();
            judge.accepted(of(&events, "quick"), &["ep_quick"]);
            judge.accepted(of(&events, "slow"), &["ep_slow"]);
            judge.saw("ep_quick", &quick);
            judge.saw("ep_slow", &slow);
            judge
        };
        let missing = judge().verdict().lost.len();
        assert!(missing > 0, "what is fresh does not wait for what came back");
        slow.answer_now(status(200).after(Duration::from_millis(200)));
        gate.open();
        let after = time_for(world, "fresh", &fresh, MEASURED).await;
        eventually(ENDS_WITHIN, "everything is delivered", async || {
            judge().verdict().lost.is_empty().then_some(())
        })
        .await;
        world.is_empty_within(SOON).await;
        // A kill repeats what was on its way to either endpoint.
        judge().nothing_is_lost(2 * IN_FLIGHT * usize::try_from(KILLS).unwrap());
        // Before and after, so that it does not matter when the machine is busy with something else.
        let without = before.max(time_for(world, "fresh", &fresh, MEASURED).await);
        assert!(
            after < 3 * without,
            "{after:?} for what takes {without:?} without suspects"
        );
    })
    .await;
}

/// Programs that are started again whenever they end.
struct Supervised<'a, S: Fn() -> Setup<'a>> {
    setup: S,
    running: Vec<Arc<Dispatcher>>,
    crashes: usize,
}

impl<'a, S: Fn() -> Setup<'a>> Supervised<'a, S> {
    fn start(setup: S, replicas: usize) -> Self {
        let running = (0..replicas).map(|_| setup().launch()).collect();
        Self {
            setup,
            running,
            crashes: 0,
        }
    }

    /// Starts again whatever ends, for as long as it is waited for.
    async fn look_on(&mut self) -> Infallible {
        loop {
            self.look().await;
            sleep(Duration::from_millis(25)).await;
        }
    }

    /// Starts again what has ended.
    async fn look(&mut self) {
        for place in &mut self.running {
            if place.has_ended().await {
                self.crashes += 1;
                *place = (self.setup)().launch();
            }
        }
    }
}

async fn a_message_that_crashes(crash: &str, replicas: usize) {
    const NEIGHBOURS: usize = 60;
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let receiver = Receiver::answering(status(200).after(Duration::from_millis(20))).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let setup = || {
            world
                .dispatcher()
                .program("crashing-dispatcher")
                .set("CRASH", crash)
                .set("RUST_BACKTRACE", "0")
                .set("HOOKLINE_REQUEST_TIMEOUT", "3s")
        };
        let mut neighbours = world.publish_many(NEIGHBOURS / 2, "booking.created").await;
        publish_for(world, &["crasher"], 1).await;
        neighbours.extend(world.publish_many(NEIGHBOURS / 2, "booking.created").await);
        let mut supervised = Supervised::start(setup, replicas);
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
                supervised.crashes <= MAX_CRASHES,
                "{} crashes",
                supervised.crashes
            );
            let rejected = world.broker().ready(&world.queue(Queue::Rejected)).await;
            if rejected.is_some_and(|ready| ready > 0) && judge().verdict().lost.is_empty() {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{rejected:?} rejected after {} crashes, {} neighbours missing",
                supervised.crashes,
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
        for dispatcher in &supervised.running {
            dispatcher.is_ready_within(SOON).await;
        }
        // What the broker has not yet given back may come once more, and end a program once more.
        tokio::select! {
            () = world.is_empty_within(SOON) => {}
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

#[tokio::test]
async fn a_message_that_aborts_the_program_is_set_aside_and_its_neighbours_are_delivered() {
    a_message_that_crashes("abort", 1).await;
}

#[tokio::test]
async fn a_message_that_panics_the_program_is_set_aside_and_its_neighbours_are_delivered() {
    a_message_that_crashes("panic", 1).await;
}

#[tokio::test]
async fn a_message_that_crashes_two_programs_is_set_aside_as_soon() {
    a_message_that_crashes("abort", 2).await;
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
        let quarantined = dispatcher.metric("hookline_messages_quarantined_total").await;
        assert_eq!(quarantined, Some(SUSPECTS as f64), "all were suspects");
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
        publish_for(world, &["hung"], HUNG).await;
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

/// Killed each time that a suspect is in hand, which is as often as its receiver takes long.
#[tokio::test]
async fn a_suspect_whose_receiver_hangs_is_never_taken_for_the_cause_of_kills() {
    const SUSPECTS: usize = 3;
    const KILLS: usize = 9;
    scenario(async |world| {
        let gate = Gate::closed();
        let hung = Receiver::answering(status(200).behind(&gate)).await;
        world.endpoints([endpoint("ep_hung", &hung)]);
        let events = world.publish_many(SUSPECTS, "booking.created").await;
        make_suspects(world, SUSPECTS).await;
        let start = async || {
            let setup = world.dispatcher().set("HOOKLINE_REQUEST_TIMEOUT", "8s");
            // More attempts than can run out of time until the gate opens, however long the starts take.
            let setup = setup.set("HOOKLINE_RETRY_SCHEDULE", ["1s"; 20].join(","));
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
            paced(Duration::from_secs(4), in_time).await;
            in_hand += usize::from(hung.count() > seen);
            dispatcher.kill().await;
        }
        assert!(
            in_hand >= SUSPECT_RETURNS,
            "killed with one in hand {in_hand} times"
        );
        gate.open();
        start().await;
        eventually(ENDS_WITHIN, "all are delivered", async || {
            let accepted = hung.accepted();
            let is_there = |event: &Event| accepted.iter().any(|request| request.id() == event.id.as_str());
            events.iter().all(is_there).then_some(())
        })
        .await;
    })
    .await;
}
