//! Links between a dispatcher and its broker that end, break, fall silent, or are cut in the middle of something.

use std::time::Duration;

use hookline_tests::dispatcher::IN_FLIGHT;
use hookline_tests::endpoint::Endpoint;
use hookline_tests::fault::{Allowed, Trial, are_recorded};
use hookline_tests::judge::Judge;
use hookline_tests::load::Load;
use hookline_tests::moment::Moment;
use hookline_tests::services::services;
use hookline_tests::wire::{Strike, Wire};
use hookline_tests::{Receiver, SOON, World, eventually, scenario};
use tokio::time::Instant;

use crate::single::{Single, producer, refuses_some, takes_all};

/// Events a second.
const RATE: f64 = 150.0;
/// The same where links are cut for a minute: what waits by then is worked off before what comes after, and is no part of how long
/// it takes to be back.
const WHILE_CUT: f64 = 50.0;
/// Events before the fault, and after it.
const AROUND: usize = 800;
/// How often the broker and its clients say that they are there.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// What the consumer of fresh events calls itself, and what publishes retries.
const CONSUMER: &str = "hookline-dispatcher events";
const PUBLISHER: &str = "hookline-dispatcher publish";

/// Whom a fault of a link is about.
#[derive(Clone, Copy)]
enum Of {
    All,
    One(&'static str),
}

/// A steady load on a dispatcher whose links have this fault in the middle of it. Returns what the dispatcher has written.
///
/// What it did while it had no link it knows, and does not do again: no duplicate but of what it was publishing, which may be
/// stored though nobody told it so.
async fn struck(strike: Strike, of: Of) -> String {
    let duplicates = match of {
        Of::One(CONSUMER) => 0,
        Of::One(_) | Of::All => IN_FLIGHT,
    };
    let mut trial = Trial::here();
    let mut log = String::new();
    scenario(async |world| {
        let mut single = Single::shared(world, refuses_some()).await;
        let wire = Wire::to(&services().amqp_url).await;
        single.url = wire.url(&services().amqp_url);
        // From the start of a program to a delivery that waits for it, on this machine.
        let first = world.publish("booking.created", "{}").await;
        let begun = Instant::now();
        let dispatcher = single.dispatcher().start().await;
        let usual = single.receiver.expect_one(SOON).await.arrived - begun;
        let load = Load::start(producer(world, &services().amqp_url).await, "acme", RATE);
        single.has_seen(AROUND).await;
        let before = wire.accepted();
        let name = match of {
            Of::All => None,
            Of::One(name) => Some(name),
        };
        let struck = wire.strike(strike, name);
        assert!(struck > 0 && (name.is_none() || struck == 1), "{struck} links");
        let since = Instant::now();
        // Whoever is told is back at once; a silence is found by heartbeats that do not come, or sooner.
        eventually(3 * HEARTBEAT, "the links are made anew", async || {
            (wire.accepted() >= before + struck).then_some(())
        })
        .await;
        let made_anew = Moment::now();
        if strike == Strike::Silence {
            // Only then does it give away again what they held.
            eventually(SOON, "the broker gives them up", async || {
                (wire.given_up_by_the_broker() >= struck).then_some(())
            })
            .await;
        }
        let before = single.receiver.count();
        single.has_seen(before + AROUND).await;
        let mut published = load.stop().await;
        published.accepted.push(first);
        single.comes_to_rest(&published).await;
        dispatcher.stop().await;
        let judge = single.judge(&published);
        // What was in hand goes on without them, and says nothing of them: an event that was made since does.
        let first = judge.first_after(made_anew).expect("a delivery by the new links");
        trial.back_after(first - since);
        let allowed = Allowed::twice(duplicates).back_within(2 * HEARTBEAT + 2 * usual);
        let row = trial.closes(&judge, allowed).await;
        // Retries count as requests, too.
        assert!(row.events >= AROUND);
        log = dispatcher.log();
    })
    .await;
    log
}

#[tokio::test]
async fn d16_consumers_link_ends() {
    struck(Strike::End, Of::One(CONSUMER)).await;
}

#[tokio::test]
async fn d16_consumers_link_is_reset() {
    struck(Strike::Reset, Of::One(CONSUMER)).await;
}

#[tokio::test]
async fn d16_consumers_link_falls_silent() {
    struck(Strike::Silence, Of::One(CONSUMER)).await;
}

#[tokio::test]
async fn d16_publishers_link_ends() {
    struck(Strike::End, Of::One(PUBLISHER)).await;
}

#[tokio::test]
async fn d16_publishers_link_is_reset() {
    struck(Strike::Reset, Of::One(PUBLISHER)).await;
}

#[tokio::test]
async fn d16_publishers_link_falls_silent() {
    struck(Strike::Silence, Of::One(PUBLISHER)).await;
}

#[tokio::test]
async fn d16_all_links_are_reset() {
    struck(Strike::Reset, Of::All).await;
}

#[tokio::test]
async fn d16_all_links_fall_silent() {
    let log = struck(Strike::Silence, Of::All).await;
    let is_loss = |line: &&str| line.contains("is lost") || line.contains("was lost");
    let lost: Vec<&str> = log.lines().filter(is_loss).collect();
    assert!(!lost.is_empty(), "{log}");
    for line in lost {
        // Whichever notices first: heartbeats that do not come, confirms, or the answer to a question.
        let causes = ["no heartbeat", "neither confirmed", "no answer"];
        assert!(causes.iter().any(|cause| line.contains(cause)), "{line}");
    }
}

/// What the dispatcher says arrives, and nothing that the broker says does: confirms least of all.
#[tokio::test]
async fn d16_all_links_carry_one_way_only() {
    struck(Strike::Deafness, Of::All).await;
}

#[tokio::test]
async fn d16_links_are_cut_in_the_middle_of_frames() {
    let mut trial = Trial::here();
    scenario(async |world| {
        let mut single = Single::shared(world, refuses_some()).await;
        let wire = Wire::to(&services().amqp_url).await;
        single.url = wire.url(&services().amqp_url);
        let dispatcher = single.dispatcher().start().await;
        let load = Load::start(producer(world, &services().amqp_url).await, "acme", WHILE_CUT);
        single.has_seen(AROUND / 2).await;
        // In the handshake, while all is declared, and while it works.
        for after in [200, 999, 4_001, 9_973, 20_011, 40_009, 65_537] {
            let (cuts, accepted) = (wire.cuts(), wire.accepted());
            wire.cut_each_after(after);
            eventually(SOON, "links are cut", async || {
                (wire.cuts() >= cuts + 5 && wire.accepted() >= accepted + 5).then_some(())
            })
            .await;
        }
        wire.restore();
        trial.healed();
        let before = single.receiver.count();
        single.has_seen(before + AROUND).await;
        let published = load.stop().await;
        single.comes_to_rest(&published).await;
        dispatcher.stop().await;
        let allowed = Allowed::twice(7 * IN_FLIGHT);
        trial.closes(&single.judge(&published), allowed).await;
    })
    .await;
}

#[tokio::test]
async fn d16_links_take_long_for_every_answer() {
    let mut trial = Trial::here();
    scenario(async |world| {
        let mut single = Single::shared(world, refuses_some()).await;
        let wire = Wire::to(&services().amqp_url).await;
        single.url = wire.url(&services().amqp_url);
        let dispatcher = single.dispatcher().start().await;
        let load = Load::start(producer(world, &services().amqp_url).await, "acme", RATE);
        single.has_seen(AROUND / 2).await;
        wire.delay(Duration::from_secs(2));
        let before = single.receiver.count();
        single.has_seen(before + AROUND / 2).await;
        wire.restore();
        trial.healed();
        let before = single.receiver.count();
        single.has_seen(before + AROUND).await;
        let published = load.stop().await;
        single.comes_to_rest(&published).await;
        let log = dispatcher.log();
        assert!(
            !log.contains("is lost"),
            "no link was given up for being slow: {log}"
        );
        dispatcher.stop().await;
        let mut judge = single.judge(&published);
        are_recorded(world, &mut judge).await;
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

/// The last message is confirmed after about fifteen seconds, longer than a broker is waited for that says nothing; the link is
/// alive all the while.
#[tokio::test]
async fn r01_link_that_a_fan_out_takes_long_for() {
    const ENDPOINTS: usize = 45;
    const LARGE: usize = 100_000;
    const BYTES_PER_SECOND: u64 = 300_000;
    let mut trial = Trial::here();
    scenario(async |world| {
        let receivers = receivers(world, ENDPOINTS).await;
        let wire = Wire::to(&services().amqp_url).await;
        world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url))
            .start()
            .await;
        let connections = wire.accepted();
        wire.limit(BYTES_PER_SECOND);
        let large = format!("{{\"text\":\"{}\"}}", "a".repeat(LARGE));
        let mut events = vec![world.publish("booking.created", &large).await];
        let arrived = async |count: usize| {
            eventually(2 * SOON, "everything is delivered", async || {
                let is_there = |receiver: &Receiver| receiver.count() >= count;
                receivers
                    .iter()
                    .all(|(_, receiver)| is_there(receiver))
                    .then_some(())
            })
            .await;
        };
        arrived(1).await;
        world.is_settled_within(SOON).await;
        assert_eq!(wire.accepted(), connections, "no connection was given up");
        wire.limit(0);
        trial.healed();
        events.extend(world.publish_many(50, "booking.created").await);
        arrived(51).await;
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_usual_schedule();
        for (id, receiver) in &receivers {
            judge.accepted(&events, &[id.as_str()]);
            judge.saw(id, receiver);
        }
        are_recorded(world, &mut judge).await;
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

/// So many endpoints of one company, each with a receiver of its own.
async fn receivers(world: &World, count: usize) -> Vec<(String, Receiver)> {
    let mut receivers = Vec::new();
    for number in 0..count {
        receivers.push((format!("ep_{number}"), Receiver::scripted(takes_all).await));
    }
    let endpoints: Vec<_> = receivers
        .iter()
        .map(|(id, receiver)| Endpoint::at(id, &receiver.url()))
        .collect();
    world.endpoints(endpoints);
    receivers
}
