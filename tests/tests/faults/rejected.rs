//! Messages that nobody can work on, while the queue that takes them is not there.

use hookline_common::topology::Queue;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::load::{Load, publish_each};
use hookline_tests::message::HandMade;
use hookline_tests::{SOON, World, eventually, scenario};
use lapin::types::FieldTable;

use crate::single::{ENDPOINT, Single, numbered_from, takes_all};

/// Events around the fault.
const EVENTS: usize = 3000;

/// What came back a thousand times is handed to `rejected` by the broker, which waits for that queue to be there.
#[tokio::test]
async fn r02_poison_meets_a_missing_queue_of_rejected() {
    const POISON: usize = 20;
    let mut trial = Trial::here();
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let single = Single::shared(world, takes_all).await;
        single.dispatcher().start().await.stop().await;
        let poison = publish_each(&single.producer().await, numbered_from(0, POISON)).await;
        world.broker().delete(&[world.queue(Queue::Rejected)], &[]).await;
        come_back_too_often(world, POISON).await;
        single.dispatcher().start().await;
        trial.healed();
        let rejected = world.expect_in(Queue::Rejected, POISON, SOON).await;
        let later = publish_each(&single.producer().await, numbered_from(EVENTS, EVENTS)).await;
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
        let load = Load::start(single.producer().await, "acme", 150.0);
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
