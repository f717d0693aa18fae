//! Queues that somebody deletes, and queues that are full.

use hookline_common::schedule::Delay;
use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::judge::Judge;
use hookline_tests::load::{Published, publish_each, publish_until_stored};
use hookline_tests::services::services;
use hookline_tests::{Gate, SOON, World, eventually, scenario, status};
use serde_json::json;

use crate::single::{DELAYS, ENDPOINT, Single, numbered_from, refuses_first, takes_all};

/// Events around a fault.
const EVENTS: usize = 3000;

fn accepted(events: Vec<Event>) -> Published {
    Published {
        accepted: events,
        ..Published::default()
    }
}

/// What lay in it is gone with it; what was in hand is finished, and not sent again.
#[tokio::test]
async fn d18_work_queue_deleted_while_it_is_consumed() {
    const IN_HAND: usize = 20;
    let mut trial = Trial::here();
    scenario(async |world| {
        let gate = Gate::closed();
        let (mut count, hung) = (0, status(200).behind(&gate));
        let answer = move |_: &_| {
            count += 1;
            let is_held = (EVENTS + 1..=EVENTS + IN_HAND).contains(&count);
            if is_held { hung.clone() } else { status(200) }
        };
        let single = Single::shared(world, answer).await;
        let dispatcher = single.dispatcher().start().await;
        let producer = single.producer().await;
        let mut all = numbered_from(0, EVENTS);
        publish_until_stored(&producer, &all).await;
        single.comes_to_rest(&accepted(all.clone())).await;

        let in_hand = numbered_from(EVENTS, IN_HAND);
        publish_until_stored(&producer, &in_hand).await;
        single.has_seen(EVENTS + IN_HAND).await;
        all.extend(in_hand);
        world.broker().delete(&[world.queue(Queue::Events)], &[]).await;
        trial.healed();
        dispatcher.says("the queue was deleted", SOON).await;
        let later = numbered_from(2 * EVENTS, EVENTS);
        publish_until_stored(&producer, &later).await;
        all.extend(later);
        gate.open();
        let published = accepted(all);
        single.comes_to_rest(&published).await;
        assert!(dispatcher.is_ready().await);
        trial.closes(&single.judge(&published), Allowed::nothing()).await;
    })
    .await;
}

#[tokio::test]
async fn d18_exchange_and_queues_deleted_where_nothing_lies_in_them() {
    let mut trial = Trial::here();
    scenario(async |world| {
        let single = Single::shared(world, refuses_first).await;
        let dispatcher = single.dispatcher().start().await;
        let producer = single.producer().await;
        let mut all = numbered_from(0, EVENTS / 2);
        publish_until_stored(&producer, &all).await;
        single.comes_to_rest(&accepted(all.clone())).await;

        let queues = [Queue::Failed, Queue::Retry(Delay::from_seconds(1))].map(|queue| world.queue(queue));
        let exchange = world.namespace().events_exchange();
        world
            .broker()
            .delete(&queues, std::slice::from_ref(&exchange))
            .await;
        // Everything is looked at every ten seconds.
        for name in queues.iter().chain([&exchange]) {
            eventually(SOON, &format!("{name} is missed"), async || {
                let log = dispatcher.log();
                let is_told = |line: &str| line.contains("somebody deleted it") && line.contains(name);
                log.lines().any(is_told).then_some(())
            })
            .await;
        }
        for queue in &queues {
            assert_eq!(world.broker().ready(queue).await, Some(0));
        }
        trial.healed();
        let later = numbered_from(EVENTS, EVENTS / 2);
        publish_until_stored(&producer, &later).await;
        all.extend(later);
        let published = accepted(all);
        single.comes_to_rest(&published).await;
        assert!(dispatcher.is_ready().await);
        trial.closes(&single.judge(&published), Allowed::nothing()).await;
    })
    .await;
}

/// Bounds a queue of this world by a policy, or ends that.
async fn bounded(world: &World, queue: Queue, most: Option<usize>) {
    let name = world.queue(queue);
    let definition = most.map(|most| json!({"max-length": most}));
    services()
        .policy(
            &name,
            &format!("^{}$", name.replace('.', "\\.")),
            definition.as_ref(),
        )
        .await;
}

#[tokio::test]
async fn d24_queue_of_events_is_full() {
    const ROOM: usize = 100;
    let mut trial = Trial::here();
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let single = Single::shared(world, takes_all).await;
        let producer = single.producer().await;
        bounded(world, Queue::Events, Some(ROOM)).await;
        let mut published = publish_each(&producer, numbered_from(0, 3 * ROOM)).await;
        assert!(published.accepted.len() >= ROOM && !published.refused.is_empty());
        let event = r#"{"type":"booking.created","data":{}}"#;
        let event: serde_json::Value = serde_json::from_str(event).unwrap();
        let refused = console.admin().post("/v1/companies/acme/events", &event).await;
        assert_eq!(refused.problem(503), "broker_unavailable");
        assert!(
            refused.json()["detail"].as_str().unwrap().contains("full"),
            "{refused:?}"
        );
        single.dispatcher().start().await;
        trial.healed();
        // It stays narrow: whoever publishes more than is taken waits.
        let later = numbered_from(EVENTS, EVENTS);
        publish_until_stored(&producer, &later).await;
        published.accepted.extend(later);
        single.comes_to_rest(&published).await;
        bounded(world, Queue::Events, None).await;
        trial.closes(&single.judge(&published), Allowed::nothing()).await;
    })
    .await;
}

/// Each delivery is kept where it is until there is room for it, and no attempt is made twice for that.
#[tokio::test]
async fn d24_retry_queue_is_full() {
    /// So long that a busy machine fills it as well before the first of them falls due.
    const SECONDS: u32 = 10;
    const ROOM: usize = 50;
    const WAITING: usize = 3 * ROOM;
    let trial = Trial::here();
    scenario(async |world| {
        let single = Single::shared(world, refuses_first)
            .await
            .with_delays(&[u64::from(SECONDS)]);
        let queue = Queue::Retry(Delay::from_seconds(SECONDS));
        // Before the queue is there: its dead-letter worker was seen to stop at a policy that comes later (docs/CLUSTER.md).
        bounded(world, queue, Some(ROOM)).await;
        let dispatcher = single.dispatcher().start().await;
        let published = publish_each(&single.producer().await, numbered_from(0, WAITING)).await;
        single.comes_to_rest(&published).await;
        bounded(world, queue, None).await;
        let refused = dispatcher.metric("hookline_publish_refused_total").await;
        assert!(refused > Some(0.0), "it was full");
        assert_eq!(single.receiver.count(), 2 * WAITING);
        trial.closes(&single.judge(&published), Allowed::nothing()).await;
    })
    .await;
}

#[tokio::test]
async fn d24_queue_of_dead_letters_is_full() {
    const DEAD: usize = 300;
    let trial = Trial::here();
    scenario(async |world| {
        let single = Single::shared(world, |_: &_| status(500)).await;
        let dispatcher = single.dispatcher().start().await;
        bounded(world, Queue::Failed, Some(10)).await;
        let published = publish_each(&single.producer().await, numbered_from(0, DEAD)).await;
        single.has_seen(4 * DEAD).await;
        let failed = world.queue(Queue::Failed);
        eventually(SOON, "it is full", async || {
            (world.broker().ready(&failed).await >= Some(10)).then_some(())
        })
        .await;
        bounded(world, Queue::Failed, None).await;
        world.leaves(Queue::Failed);
        let dead = world.expect_in(Queue::Failed, DEAD, SOON).await;
        single.rests().await;
        dispatcher.stop().await;
        assert_eq!(single.receiver.count(), 4 * DEAD, "no attempt is made twice");
        let mut judge = Judge::with_schedule(&DELAYS);
        judge.accepted(&published.accepted, &[ENDPOINT]);
        judge.saw(ENDPOINT, &single.receiver);
        judge.kept(&dead);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}
