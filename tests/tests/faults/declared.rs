//! Queues that stand there otherwise than they must: the start is refused with words, and nothing is taken before.

use hookline_common::schedule::Delay;
use hookline_common::topology::{Namespace, Queue, Topology};
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::load::publish_each;
use hookline_tests::message::text;
use hookline_tests::{SOON, scenario};
use lapin::types::AMQPValue;

use crate::single::{Single, numbered_from, takes_all};

/// Events that wait meanwhile.
const EVENTS: usize = 3000;

/// A dispatcher finds `queue` declared as somebody else had it: it says what is wrong and ends, and has taken nothing.
async fn refused(queue: Queue, change: impl FnOnce(&mut Vec<(&'static str, AMQPValue)>), words: &[&str]) {
    let mut trial = Trial::here();
    scenario(async |world| {
        let single = Single::shared(world, takes_all).await;
        let producer = single.producer().await;
        let published = publish_each(&producer, numbered_from(0, EVENTS)).await;
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
        // RabbitMQ names one argument of those that differ, and 3.10 not the type.
        &["exists with", "topology apply --migrate"],
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
