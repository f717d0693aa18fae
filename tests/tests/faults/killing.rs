//! Dispatchers that are killed, or stopped in order, again and again while they work.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::dispatcher::{Dispatcher, IN_FLIGHT};
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial, are_found, are_recorded};
use hookline_tests::judge::Judge;
use hookline_tests::load::Load;
use hookline_tests::{Gate, Receiver, SOON, World, eventually, scenario, status};
use tokio::time::{Instant, sleep};

use crate::is_quick;

#[tokio::test]
async fn d02_killed_during_posts_that_have_no_answer_yet() {
    const EVENTS: usize = 500;
    const KILLS: usize = 2;
    scenario(async |world| {
        let mut trial = Trial::here();
        let gate = Gate::closed();
        let receiver = Receiver::answering(status(200).behind(&gate)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let events = world.publish_many(EVENTS, "booking.created").await;
        let mut open = 0;
        for _ in 0..KILLS {
            let before = receiver.count();
            let dispatcher = world.dispatcher().start().await;
            eventually(SOON, "requests are open", async || {
                (receiver.count() > before).then_some(())
            })
            .await;
            dispatcher.kill().await;
            // What it had sent is counted by then.
            receiver.is_left_within(SOON).await;
            open = receiver.count();
            let of_this_one = open - before;
            assert!(
                of_this_one <= IN_FLIGHT,
                "{of_this_one} requests were open at once"
            );
        }
        gate.open();
        trial.healed();
        world.dispatcher().start().await;
        are_found(world, &[&receiver], EVENTS, SOON).await;
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_usual_schedule();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        // What was open when one was killed comes again, by one request for each; nobody has taken it twice.
        trial.closes(&judge, Allowed::nothing().copies(open)).await;
    })
    .await;
}

/// Publishes a load and kills a dispatcher every two seconds for a minute, another always taking over.
#[tokio::test]
async fn d07_killed_every_two_seconds_for_a_minute() {
    const EVERY: Duration = Duration::from_secs(2);
    const PREFETCH: usize = 50;
    const PER_SECOND: f64 = 400.0;
    let kills = if is_quick() { 5 } else { 30 };
    scenario(async |world| {
        let mut trial = Trial::here();
        // One in fifty is refused at first, so that retries are in hand as well.
        let mut count = 0;
        let receiver = Receiver::scripted(move |request| {
            count += 1;
            let is_refused = count % 50 == 0 && request.attempt() == 1;
            status(if is_refused { 500 } else { 200 }).after(Duration::from_millis(10))
        })
        .await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let setup = || world.dispatcher().set("HOOKLINE_PREFETCH", PREFETCH.to_string());
        let mut running = setup().start().await;
        let load = Load::start(world.producer().await.clone(), "acme", PER_SECOND);
        for _ in 0..kills {
            sleep(EVERY).await;
            running.kill().await;
            trial.healed();
            running = setup().launch();
        }
        // Of what is published now the last one has nothing in hand yet.
        let before = load.confirmed();
        eventually(SOON, "events are confirmed", async || {
            (load.confirmed() >= before + PREFETCH).then_some(())
        })
        .await;
        let published = load.stop().await;
        assert!(published.in_doubt.is_empty() && published.refused.is_empty());
        are_found(world, &[&receiver], published.accepted.len(), 2 * SOON).await;
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_usual_schedule();
        judge.accepted(&published.accepted, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        // None was taken for poison, however often it stood beside a crash.
        world.expect_in(Queue::Rejected, 0, Duration::ZERO).await;
        // What was in hand of first and of later attempts; of an attempt that is made again, so is the one that may follow it.
        // And what is published after the last kill waits behind what was published during a minute in which little was delivered.
        let allowed = Allowed::twice(kills * 2 * PREFETCH).back_within(SOON);
        trial.closes(&judge, allowed).await;
    })
    .await;
}

/// Stops a program in order, and looks at what it says of itself meanwhile.
async fn relieve(on_duty: &Dispatcher) {
    on_duty.terminate().await;
    on_duty.says("draining", SOON).await;
    // From here on whoever asks is told; when it has ended nobody answers.
    while let Ok(page) = on_duty.get("/readyz").await {
        assert_eq!(page.status, 503, "ready, although it stops: {}", page.body);
    }
    assert_eq!(on_duty.ends_within(SOON).await.code(), Some(0));
}

#[tokio::test]
async fn d08_programs_that_relieve_each_other_under_load_repeat_nothing() {
    const EVENTS: usize = 300;
    let shifts = if is_quick() { 5 } else { 20 };
    scenario(async |world| {
        let trial = Trial::here();
        let crm = Receiver::answering(status(200)).await;
        let books = Receiver::answering(status(200).after(Duration::from_millis(5))).await;
        world.endpoints([endpoint("ep_crm", &crm), endpoint("ep_books", &books)]);
        let mut events = Vec::new();
        let mut on_duty = world.dispatcher().start().await;
        for shift in 0..shifts {
            let next = world.dispatcher().start().await;
            let before = crm.count();
            let relief = async {
                // Now at the first acknowledgements, now at the last.
                eventually(SOON, "it is in the middle of it", async || {
                    (crm.count() > before).then_some(())
                })
                .await;
                sleep(Duration::from_millis(shift * 5)).await;
                relieve(&on_duty).await;
            };
            let (published, ()) = tokio::join!(world.publish_many(EVENTS, "booking.created"), relief);
            events.extend(published);
            on_duty = next;
        }
        are_found(world, &[&crm, &books], 2 * events.len(), SOON).await;
        world.is_settled_within(SOON).await;
        on_duty.stop().await;
        let mut judge = Judge::with_usual_schedule();
        judge.accepted(&events, &["ep_crm", "ep_books"]);
        judge.saw("ep_crm", &crm);
        judge.saw("ep_books", &books);
        are_recorded(world, &mut judge).await;
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

fn of<'a>(events: &'a [Event], company: &str) -> Vec<&'a Event> {
    let is_theirs = |event: &&Event| event.company.as_str() == company;
    events.iter().filter(is_theirs).collect()
}

/// How long a dispatcher needs for this many events that nobody is slow to take.
async fn time_for(world: &World, company: &str, receiver: &Receiver, events: usize) -> Duration {
    let before = receiver.count();
    let begun = Instant::now();
    world.publish_for(&[company], events).await;
    receiver.expect(before + events, SOON).await;
    begun.elapsed()
}

#[tokio::test]
async fn d07_no_number_of_kills_makes_a_harmless_message_a_suspect_for_good() {
    const EACH: usize = 150;
    const KILLS: u64 = 16;
    const MEASURED: usize = 1000;
    scenario(async |world| {
        let mut trial = Trial::here();
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

        let events = world.publish_for(&["quick", "slow"], EACH).await;
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
        world.publish_for(&["fresh"], 1).await;
        fresh.expect(seen + 1, SOON).await;
        let judge = || {
            let mut judge = Judge::with_usual_schedule();
            judge.accepted(of(&events, "quick"), &["ep_quick"]);
            judge.accepted(of(&events, "slow"), &["ep_slow"]);
            judge.saw("ep_quick", &quick);
            judge.saw("ep_slow", &slow);
            judge
        };
        let missing = judge().verdict().lost.len();
        assert!(missing > 0, "what is fresh does not wait for what came back");
        slow.answer_now(status(200).after(Duration::from_millis(200)));
        trial.healed();
        gate.open();
        let after = time_for(world, "fresh", &fresh, MEASURED).await;
        are_found(world, &[&quick, &slow], events.len(), 2 * SOON).await;
        world.is_settled_within(SOON).await;
        // Before and after, so that it does not matter when the machine is busy with something else.
        let without = before.max(time_for(world, "fresh", &fresh, MEASURED).await);
        // A kill repeats what was on its way to either endpoint.
        let doubles = 2 * IN_FLIGHT * usize::try_from(KILLS).unwrap();
        trial.closes(&judge(), Allowed::twice(doubles)).await;
        assert!(
            after < 3 * without,
            "{after:?} for what takes {without:?} without suspects"
        );
    })
    .await;
}

/// Four programs come and then three go in order, all of it under load.
#[tokio::test]
async fn d41_from_one_program_to_four_and_back_to_one() {
    const PER_SECOND: f64 = 500.0;
    const BETWEEN: usize = 700;
    scenario(async |world| {
        let trial = Trial::here();
        let crm = Receiver::answering(status(200).after(Duration::from_millis(20))).await;
        let mut count = 0;
        let books = Receiver::scripted(move |request| {
            count += 1;
            let is_refused = count % 10 == 0 && request.attempt() == 1;
            status(if is_refused { 500 } else { 200 }).after(Duration::from_millis(20))
        })
        .await;
        world.endpoints([endpoint("ep_crm", &crm), endpoint("ep_books", &books)]);
        let more_come = async || {
            let before = crm.delivered();
            eventually(SOON, "deliveries go on", async || {
                (crm.delivered() >= before + BETWEEN).then_some(())
            })
            .await;
        };
        let mut running: Vec<Arc<Dispatcher>> = vec![world.dispatcher().start().await];
        let load = Load::start(world.producer().await.clone(), "acme", PER_SECOND);
        more_come().await;
        for _ in 0..3 {
            running.push(world.dispatcher().start().await);
            more_come().await;
        }
        for dispatcher in &running {
            // Nobody starves beside the others.
            let attempts = eventually(SOON, "each has its share", async || {
                dispatcher.metric("hookline_attempts_total").await
            })
            .await;
            assert!(attempts > 0.0);
        }
        while running.len() > 1 {
            running.remove(0).stop().await;
            more_come().await;
        }
        let published = load.stop().await;
        let events = &published.accepted;
        are_found(world, &[&crm, &books], 2 * events.len(), SOON).await;
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_usual_schedule();
        judge.accepted(events, &["ep_crm", "ep_books"]);
        judge.saw("ep_crm", &crm);
        judge.saw("ep_books", &books);
        are_recorded(world, &mut judge).await;
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}
