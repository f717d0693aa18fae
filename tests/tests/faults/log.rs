//! The log of attempts while those die who write and read it, and while its stream confirms nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use hookline_cases::Random;
use hookline_common::topology::Queue;
use hookline_tests::broker::Broker;
use hookline_tests::console::{database_scenario, setup};
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::judge::Judge;
use hookline_tests::load::{Published, numbered, publish_until_stored};
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::recorded::{recorded_once, texts};
use hookline_tests::records::Records;
use hookline_tests::{Receiver, SOON, eventually, scenario};
use tokio::time::sleep;

use crate::drawn_seed;
use crate::single::{Single, refuses_some, takes_all};

#[tokio::test]
async fn r05_console_killed_at_any_moment_records_each_attempt_once() {
    /// Deliveries; more of them where somebody has the time.
    const DELIVERIES: &str = "RECORDER_DELIVERIES";
    const USUALLY: usize = 4000;
    /// The console's lives, and how long each lasts at most.
    const LIVES: u64 = 6;
    const LONGEST_MS: u64 = 1500;
    let mut trial = Trial::here();
    let deliveries = std::env::var(DELIVERIES).map_or(USUALLY, |text| text.parse().unwrap());
    database_scenario(async |world, database| {
        let receiver = Receiver::scripted(refuses_some()).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let publishing = async {
            let mut events = Vec::new();
            for _ in 0..deliveries.div_ceil(100) {
                events.extend(world.publish_many(100, "booking.created").await);
            }
            events
        };
        let mut moments = Random::new(drawn_seed());
        let dying = async {
            for _ in 0..LIVES {
                let console = setup(world, database).launch();
                // Before it leads, while it reads, in the middle of a transaction.
                sleep(Duration::from_millis(moments.within(0, LONGEST_MS))).await;
                console.kill().await;
            }
        };
        let (events, ()) = tokio::join!(publishing, dying);
        setup(world, database).start().await;
        trial.healed();
        let later = world.publish_many(100, "booking.created").await;
        let events = [events, later].concat();
        let judge = || {
            let mut judge = Judge::with_usual_schedule();
            judge.accepted(&events, &["ep_crm"]);
            judge.saw("ep_crm", &receiver);
            judge
        };
        eventually(3 * SOON, "everything is accepted", async || {
            (receiver.accepted().len() >= events.len()).then_some(())
        })
        .await;
        world.is_settled_within(SOON).await;
        recorded_once(database.url(), receiver.count(), 3 * SOON).await;
        let failed = "SELECT count(*)::text FROM attempts WHERE outcome <> 'delivered'";
        let refused = receiver.count() - events.len();
        assert_eq!(
            texts(database.url(), failed).await,
            Some(vec![refused.to_string()])
        );
        let with_data = "SELECT count(*)::text FROM events WHERE data IS NOT NULL";
        let all = Some(vec![events.len().to_string()]);
        assert_eq!(texts(database.url(), with_data).await, all);
        // Deliveries never stood still: what is published last comes after all that waits.
        let allowed = Allowed::nothing().back_within(SOON);
        trial.closes(&judge(), allowed).await;
    })
    .await;
}

#[tokio::test]
async fn r06_dispatchers_die_while_the_stream_stands_still() {
    const ROUNDS: usize = 4;
    const EACH: usize = 1000;
    const LOST: &str = "hookline_records_lost_total";
    let mut trial = Trial::here();
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let single = Single::on(world, &private.url(), takes_all).await;
        let start = async || single.dispatcher().start().await;
        let mut dispatchers = vec![start().await, start().await];
        let producer = single.producer().await;
        let (stream, spill) = (world.queue(Queue::Attempts), world.queue(Queue::AttemptsSpill));
        let records = Records::at(&single.url, world).await;
        let mut published = Published::default();
        let mut moments = Random::new(drawn_seed());
        for round in 0..ROUNDS {
            private.hold_stream(&stream).await;
            // Before the stream is found silent, while records are spilled, while it is tried, while batches are moved back.
            let lives = Duration::from_millis(moments.within(0, 6000));
            let kill = async {
                sleep(lives).await;
                dispatchers[round % 2].kill().await;
            };
            let events: Vec<_> = (0..EACH)
                .map(|number| numbered("acme", round * EACH + number))
                .collect();
            tokio::join!(kill, publish_until_stored(&producer, &events));
            published.accepted.extend(events);
            dispatchers[round % 2] = start().await;
            eventually(
                2 * SOON,
                "all are delivered although the stream is silent",
                async || (single.missing(&published) == 0).then_some(()),
            )
            .await;
            private.let_go_on(&stream).await;
        }
        trial.healed();
        let later: Vec<_> = (0..EACH)
            .map(|number| numbered("acme", ROUNDS * EACH + number))
            .collect();
        publish_until_stored(&producer, &later).await;
        published.accepted.extend(later);
        single.comes_to_rest(&published).await;
        let wanted: BTreeSet<String> = published
            .accepted
            .iter()
            .map(|event| event.id.as_str().to_owned())
            .collect();
        let recorded = || {
            let records = records.distinct();
            let events = records
                .iter()
                .map(|record| record["event"].as_str().unwrap().to_owned());
            (records.len(), events.collect::<BTreeSet<String>>())
        };
        eventually(2 * SOON, "each event has a record", async || {
            wanted.is_subset(&recorded().1).then_some(())
        })
        .await;
        let broker = Broker::connect(&single.url).await;
        eventually(2 * SOON, "the spill is empty", async || {
            (broker.ready(&spill).await == Some(0)).then_some(())
        })
        .await;
        for dispatcher in dispatchers {
            dispatcher.has_let_go_within(SOON).await;
            assert_eq!(dispatcher.metric(LOST).await, Some(0.0));
            dispatcher.stop().await;
        }
        let (count, events) = recorded();
        assert_eq!(events, wanted);
        // A kill repeats attempts, each with a record of its own; nothing else does. Until the stream is found silent, all that was
        // attempted is in hand, as wide as the window is.
        assert!(count <= single.receiver.count(), "{count} records");
        let allowed = Allowed::twice(ROUNDS * EACH);
        trial.closes(&single.judge(&published), allowed).await;
    })
    .await;
}
