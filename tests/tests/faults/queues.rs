//! Queues that somebody deletes, that are full, or that stand there otherwise than they must.

use hookline_common::schedule::Delay;
use hookline_common::topology::{Namespace, Queue, Topology};
use hookline_producer::Event;
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::judge::Judge;
use hookline_tests::load::{Load, Published, numbered, publish_each, publish_until_stored};
use hookline_tests::message::{HandMade, text};
use hookline_tests::services::services;
use hookline_tests::{Gate, SOON, World, eventually, scenario, status};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;

use crate::single::{DELAYS, ENDPOINT, Single, refuses_first, takes_all};

/// Events around a fault.
const EVENTS: usize = 3000;

fn events(from: usize, count: usize) -> Vec<Event> {
    (from..from + count)
        .map(|number| numbered("acme", number))
        .collect()
}

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
        let mut all = events(0, EVENTS);
        publish_until_stored(&producer, &all).await;
        single.comes_to_rest(&accepted(all.clone())).await;
        dispatcher.has_let_go_within(SOON).await;

        let in_hand = events(EVENTS, IN_HAND);
        publish_until_stored(&producer, &in_hand).await;
        single.has_seen(EVENTS + IN_HAND).await;
        all.extend(in_hand);
        world.broker().delete(&[world.queue(Queue::Events)], &[]).await;
        trial.healed();
        dispatcher.says("the queue was deleted", SOON).await;
        let later = events(2 * EVENTS, EVENTS);
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
        let mut all = events(0, EVENTS / 2);
        publish_until_stored(&producer, &all).await;
        single.comes_to_rest(&accepted(all.clone())).await;
        dispatcher.has_let_go_within(SOON).await;

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
        let later = events(EVENTS, EVENTS / 2);
        publish_until_stored(&producer, &later).await;
        all.extend(later);
        let published = accepted(all);
        single.comes_to_rest(&published).await;
        assert!(dispatcher.is_ready().await);
        trial.closes(&single.judge(&published), Allowed::nothing()).await;
    })
    .await;
}

/// A dispatcher finds `queue` declared as somebody else had it: it says what is wrong and ends, and has taken nothing.
async fn refused(queue: Queue, change: impl FnOnce(&mut Vec<(&'static str, AMQPValue)>), words: &[&str]) {
    let mut trial = Trial::here();
    scenario(async |world| {
        let single = Single::shared(world, takes_all).await;
        let producer = single.producer().await;
        let published = publish_each(&producer, events(0, EVENTS)).await;
        let name = world.queue(queue);
        let mut arguments = arguments_of(world.namespace(), &name);
        change(&mut arguments);
        world.broker().declare(&name, &arguments).await;
        let dispatcher = single.dispatcher().launch();
        assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(1));
        let error = dispatcher.says("hookline-dispatcher: ", SOON).await;
        for word in words.iter().chain([&name.as_str()]) {
            assert!(error.contains(*word), "{word}: {error}");
        }
        assert_eq!(single.receiver.count(), 0);
        let waiting = world.broker().ready(&world.queue(Queue::Events)).await;
        assert_eq!(
            waiting,
            Some(u32::try_from(EVENTS).unwrap()),
            "nothing was consumed"
        );
        world.broker().delete(&[name], &[]).await;
        single.dispatcher().start().await;
        trial.healed();
        single.comes_to_rest(&published).await;
        // It may have begun before this test knew that it was ready.
        let allowed = Allowed::nothing().back_within(SOON);
        trial.closes(&single.judge(&published), allowed).await;
    })
    .await;
}

/// The arguments that this queue must have, as a client writes them.
fn arguments_of(namespace: &Namespace, name: &str) -> Vec<(&'static str, AMQPValue)> {
    let topology = Topology::whole(
        namespace,
        &hookline_tests::dispatcher::RETRY_SCHEDULE.parse().unwrap(),
    );
    let queue = topology.queues.into_iter().find(|queue| queue.name == name);
    let arguments = queue.unwrap().arguments.into_iter();
    arguments
        .map(|(name, value)| {
            let value = value.to_string();
            let number = value.parse().map(AMQPValue::LongLongInt);
            (name, number.unwrap_or_else(|_| text(&value)))
        })
        .collect()
}

fn without(name: &'static str) -> impl FnOnce(&mut Vec<(&'static str, AMQPValue)>) {
    move |arguments| arguments.retain(|(other, _)| *other != name)
}

#[tokio::test]
async fn d19_queue_is_a_classic_one() {
    refused(
        Queue::Deliveries,
        |arguments| *arguments = vec![("x-queue-type", text("classic"))],
        &["x-queue-type", "classic", "quorum", "topology apply --migrate"],
    )
    .await;
}

#[tokio::test]
async fn d19_queue_has_another_limit() {
    let other = |arguments: &mut Vec<(&'static str, AMQPValue)>| {
        without("x-delivery-limit")(arguments);
        arguments.push(("x-delivery-limit", AMQPValue::LongInt(7)));
    };
    let words = ["x-delivery-limit", " 7", "1000", "topology apply --migrate"];
    refused(Queue::Due, other, &words).await;
}

#[tokio::test]
async fn d20_delay_queue_that_would_drop_what_its_target_refuses() {
    let queue = Queue::Retry(Delay::from_seconds(1));
    refused(queue, without("x-overflow"), &["x-overflow", "reject-publish"]).await;
}

#[tokio::test]
async fn d20_delay_queue_that_hands_over_at_most_once() {
    let queue = Queue::Retry(Delay::from_seconds(2));
    let words = ["x-dead-letter-strategy", "at-least-once"];
    refused(queue, without("x-dead-letter-strategy"), &words).await;
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
        let mut published = publish_each(&producer, events(0, 3 * ROOM)).await;
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
        let later = events(EVENTS, EVENTS);
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
    let trial = Trial::here();
    scenario(async |world| {
        let single = Single::shared(world, refuses_first).await;
        let _dispatcher = single.dispatcher().start().await;
        let queue = Queue::Retry(Delay::from_seconds(1));
        bounded(world, queue, Some(EVENTS / 10)).await;
        let published = publish_each(&single.producer().await, events(0, EVENTS)).await;
        single.comes_to_rest(&published).await;
        bounded(world, queue, None).await;
        assert_eq!(single.receiver.count(), 2 * EVENTS);
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
        let published = publish_each(&single.producer().await, events(0, DEAD)).await;
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

/// What came back a thousand times is handed to `rejected` by the broker, which waits for that queue to be there.
#[tokio::test]
async fn r02_poison_meets_a_missing_queue_of_rejected() {
    const POISON: usize = 20;
    let mut trial = Trial::here();
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let single = Single::shared(world, takes_all).await;
        single.dispatcher().start().await.stop().await;
        let poison = publish_each(&single.producer().await, events(0, POISON)).await;
        world.broker().delete(&[world.queue(Queue::Rejected)], &[]).await;
        come_back_too_often(world, POISON).await;
        single.dispatcher().start().await;
        trial.healed();
        let rejected = world.expect_in(Queue::Rejected, POISON, SOON).await;
        let later = publish_each(&single.producer().await, events(EVENTS, EVENTS)).await;
        single.comes_to_rest(&later).await;
        let mut judge = single.judge(&later);
        judge.accepted(&poison.accepted, &[ENDPOINT]);
        judge.kept_whole(&rejected, &[ENDPOINT]);
        trial.closes(&judge, Allowed::nothing().back_within(SOON)).await;
    })
    .await;
}

/// Takes the events and gives them back until the broker gives them up.
async fn come_back_too_often(world: &World, count: usize) {
    use futures_util::StreamExt as _;
    use lapin::options::{BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};

    let channel = world.broker().channel().await;
    let prefetch = u16::try_from(count).unwrap();
    channel
        .basic_qos(prefetch, BasicQosOptions::default())
        .await
        .unwrap();
    let queue = world.queue(Queue::Events);
    let mut consumer = channel
        .basic_consume(
            queue.as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let (mut given_back, most) = (0, 1001 * count);
    while given_back < most {
        let delivery = tokio::time::timeout(SOON, consumer.next()).await;
        let delivery = delivery.expect("it comes again").unwrap().unwrap();
        delivery
            .reject(BasicRejectOptions { requeue: true })
            .await
            .unwrap();
        given_back += 1;
    }
    eventually(SOON, "the broker gives them up", async || {
        (world.broker().ready(&queue).await == Some(0)).then_some(())
    })
    .await;
    drop(channel.close(200, "done".into()).await);
}

#[tokio::test]
async fn r03_what_cannot_be_understood_meets_a_missing_queue_of_rejected() {
    const BAD: usize = 50;
    let mut trial = Trial::here();
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let single = Single::shared(world, takes_all).await;
        let _dispatcher = single.dispatcher().start().await;
        let load = Load::start(single.producer().await, "acme", 400.0);
        single.has_seen(EVENTS / 4).await;
        world.broker().delete(&[world.queue(Queue::Rejected)], &[]).await;
        for _ in 0..BAD {
            HandMade::event().without("company").publish(world).await;
        }
        trial.healed();
        world.expect_in(Queue::Rejected, BAD, SOON).await;
        let before = single.receiver.count();
        single.has_seen(before + EVENTS / 4).await;
        let published = load.stop().await;
        single.comes_to_rest(&published).await;
        trial.closes(&single.judge(&published), Allowed::nothing()).await;
    })
    .await;
}
