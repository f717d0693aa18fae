//! An upgrade as an orchestrator makes it: two replicas under load, replaced one by one, each new one ready before an old one is
//! stopped. Nothing is lost, nothing comes twice, and deliveries go on all the while. And a schedule that is changed that way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::{Receiver, World, eventually, scenario, status};
use tokio::time::sleep;

use crate::SOON;

/// Events that are on their way at once.
const AT_ONCE: usize = 40;
/// Deliveries between two steps of the update: each begins in the middle of work.
const BETWEEN: usize = 200;

/// Publishes until the update is over, as fast as this receiver takes it: never so little that there is no work, nor so much that
/// the end of it is not seen in time.
async fn publish_until(world: &World, receiver: &Receiver, is_over: &AtomicBool) -> Vec<Event> {
    let mut events = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        if events.len() < receiver.delivered() + 4 * BETWEEN {
            events.extend(world.publish_many(AT_ONCE, "booking.created").await);
        } else {
            sleep(Duration::from_millis(5)).await;
        }
    }
    events
}

async fn replace(world: &World, old: Arc<Dispatcher>, receiver: &Receiver) -> Arc<Dispatcher> {
    let new = world.dispatcher().start().await;
    new.is_ready_within(SOON).await;
    more_come(receiver, "in the middle of work").await;
    let before = receiver.count();
    old.terminate().await;
    assert_eq!(old.ends_within(SOON).await.code(), Some(0));
    more_come(receiver, "without the one that stopped").await;
    assert!(receiver.count() > before, "deliveries went on");
    new
}

async fn more_come(receiver: &Receiver, what: &str) {
    let before = receiver.count();
    eventually(SOON, what, async || {
        (receiver.count() >= before + BETWEEN).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_replicas_are_replaced_one_by_one_and_nothing_is_lost_or_repeated() {
    scenario(async |world| {
        let quick = Receiver::answering(status(200)).await;
        let slow = Receiver::answering(status(200).after(Duration::from_millis(30))).await;
        // Each delivery's first attempt fails, so that retries wait and fall due all through the update.
        let failing =
            Receiver::scripted(|request| status(if request.attempt() == 1 { 500 } else { 200 })).await;
        world.endpoints([
            endpoint("ep_quick", &quick),
            endpoint("ep_slow", &slow),
            endpoint("ep_failing", &failing),
        ]);
        let mut replicas = [world.dispatcher().start().await, world.dispatcher().start().await];
        let is_over = AtomicBool::new(false);
        let update = async {
            more_come(&quick, "there is load").await;
            for replica in &mut replicas {
                *replica = replace(world, Arc::clone(replica), &quick).await;
            }
            is_over.store(true, Ordering::Relaxed);
        };
        let (events, ()) = tokio::join!(publish_until(world, &quick, &is_over), update);
        quick.expect(events.len(), SOON).await;
        slow.expect(events.len(), SOON).await;
        failing.expect(2 * events.len(), SOON).await;
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_quick", "ep_slow", "ep_failing"]);
        judge.saw("ep_quick", &quick);
        judge.saw("ep_slow", &slow);
        judge.saw("ep_failing", &failing);
        assert_eq!(judge.verdict(), Verdict::default());
        for replica in replicas {
            replica.stop().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_waits_when_the_schedule_is_changed_falls_due_as_it_was_said_and_the_new_one_decides_what_follows()
 {
    scenario(async |world| {
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.leaves(Queue::Failed);
        let with = |schedule: &str| world.dispatcher().set("HOOKLINE_RETRY_SCHEDULE", schedule);
        let old = with("3s,3s,3s").start().await;
        world.publish("booking.created", "{}").await;
        receiver.expect_one(SOON).await;
        old.stop().await;
        let new = with("1s").start().await;
        let requests = receiver.expect(2, SOON).await;
        let waited = requests[1].arrived - requests[0].ended.unwrap();
        assert!(waited >= Duration::from_secs(3), "{waited:?}");
        // The new schedule has no attempt after the second.
        let dead = world.expect_in(Queue::Failed, 1, SOON).await;
        assert_eq!(dead[0].integer("attempt"), Some(2));
        assert_eq!(receiver.count(), 2);
        new.stop().await;
    })
    .await;
}
