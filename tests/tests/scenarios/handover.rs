//! One program stops and another goes on: nobody waits for what the first still has to finish, and nothing comes twice. Again and
//! again, under load, it is a row of the fault suite (`tests/tests/faults/killing.rs`).

use std::time::Duration;

use futures_util::StreamExt as _;
use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::pace::{Pace, paced};
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{Gate, Receiver, World, eventually, scenario, status};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Consumer};

use crate::SOON;

const EVENTS_IN_HAND: &str = "hookline_messages_in_hand{queue=\"events\"}";
const ATTEMPTS: &str = "hookline_attempts_total";
/// Another replica has what has not begun within this time of SIGTERM, as [`paced`] counts, besides what the broker takes for it
/// anyway: docs/KUBERNETES.md says 200 ms, and what waited for a request would take as long as that hangs.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(1);

/// Waits for messages as a replica does, and takes so many at most. The broker gives it what comes at once, where a program would
/// still be starting when the first has worked off what it holds.
async fn replica_that_takes(world: &World, queue: &str, count: u16) -> (Channel, Consumer) {
    let channel = world.broker().channel().await;
    channel
        .basic_qos(count, BasicQosOptions::default())
        .await
        .unwrap();
    let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
    let consuming = channel.basic_consume(queue.into(), "".into(), options, table);
    let consumer = consuming.await.unwrap();
    (channel, consumer)
}

/// How long it takes the broker, as [`paced`] counts, to hand over what somebody holds who goes away: on a queue of its own, with
/// as many messages in hand.
async fn usual_handover(world: &World, count: u16) -> Duration {
    let queue = format!("{}.usual", world.namespace());
    let quorum = [("x-queue-type", AMQPValue::LongString("quorum".into()))];
    world.broker().declare(&queue, &quorum).await;
    let publishing = world.broker().channel().await;
    let confirms = ConfirmSelectOptions::default();
    publishing.confirm_select(confirms).await.unwrap();
    let mut stored = 0;
    // A queue that was declared a moment ago may refuse the first.
    while stored < count {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = publishing.basic_publish("".into(), queue.as_str().into(), options, b"{}", properties);
        let confirmation = sent.await.unwrap().await.unwrap();
        stored += u16::from(matches!(confirmation, Confirmation::Ack(_)));
    }
    let (holder, mut held) = replica_that_takes(world, &queue, count).await;
    for _ in 0..count {
        held.next().await.unwrap().unwrap();
    }
    let (replica, mut handed_over) = replica_that_takes(world, &queue, 1).await;
    let pace = Pace::start();
    holder.close(200, "done".into()).await.unwrap();
    handed_over.next().await.unwrap().unwrap();
    let usual = pace.elapsed();
    for channel in [publishing, replica] {
        channel.close(200, "done".into()).await.unwrap();
    }
    world.broker().delete(&[queue], &[]).await;
    usual
}

#[tokio::test]
async fn what_has_not_begun_is_not_withheld_by_a_request_that_hangs() {
    const EVENTS: u16 = 300;
    scenario(async |world| {
        let gate = Gate::closed();
        let hung = Receiver::answering(status(200).behind(&gate)).await;
        let receiver = Receiver::answering(status(200).after(Duration::from_millis(50))).await;
        world.endpoints([
            endpoint("ep_hung", &hung).text("company", "hung"),
            endpoint("ep_crm", &receiver),
        ]);
        let first = world
            .dispatcher()
            .set("HOOKLINE_ENDPOINT_CONCURRENCY", "1")
            // It hangs until the gate opens, and is not given up and tried again before.
            .set("HOOKLINE_REQUEST_TIMEOUT", "600s")
            .start()
            .await;
        let stuck = Event::new("hung", "booking.created", "{}").unwrap();
        world.producer().await.publish(&stuck).await.unwrap();
        eventually(SOON, "it hangs", async || (hung.count() == 1).then_some(())).await;
        let usual = usual_handover(world, EVENTS).await;
        let events = world.publish_many(EVENTS.into(), "booking.created").await;
        // What it parks comes back to another queue.
        eventually(SOON, "all that is left is in its hand", async || {
            let in_hand = first.metric(EVENTS_IN_HAND).await?;
            let ready = world.broker().ready(&world.queue(Queue::Events)).await;
            (in_hand > 60.0 && ready == Some(0)).then_some(())
        })
        .await;
        let (channel, mut replica) = replica_that_takes(world, &world.queue(Queue::Events), 1).await;
        first.terminate().await;
        let taken = paced(HANDED_OVER_WITHIN + 3 * usual, replica.next()).await;
        let taken = taken.expect("another replica has what has not begun at once");
        let taken = taken.unwrap().unwrap().properties;
        let taken = taken.message_id().as_ref().unwrap().as_str();
        let has_begun = receiver.requests().iter().any(|request| request.id() == taken);
        let is_of_these = events.iter().any(|event| event.id.as_str() == taken);
        assert!(is_of_these && !has_begun, "{taken}");
        channel.close(200, "done".into()).await.unwrap();
        first.says("draining", SOON).await;
        let begun = first.metric(ATTEMPTS).await.unwrap_or(0.0);
        let second = world.dispatcher().start().await;
        receiver.expect(EVENTS.into(), SOON).await;
        assert!(
            hung.requests()[0].ended.is_none(),
            "all came while one was still open"
        );
        let more = first.metric(ATTEMPTS).await.unwrap_or(0.0) - begun;
        assert!(
            more <= 1.0,
            "{more} attempts ended in the drain, where one was open"
        );
        let others = second.metric(ATTEMPTS).await.unwrap_or(0.0);
        assert!(others > begun, "{begun} by the first, {others} by the second");
        gate.open();
        assert_eq!(first.ends_within(SOON).await.code(), Some(0));
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        judge.accepted([&stuck], &["ep_hung"]);
        judge.saw("ep_hung", &hung);
        assert_eq!(judge.verdict(), Verdict::default());
    })
    .await;
}

#[tokio::test]
async fn a_silent_broker_does_not_hold_up_the_end() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let wire = Wire::to(&services().amqp_url).await;
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url))
            .set("HOOKLINE_REQUEST_TIMEOUT", "600s")
            .start()
            .await;
        // Whether its acknowledgement has come through when the wire falls silent, nobody can know: it may come again.
        world.leaves(Queue::Events);
        let event = world.publish("booking.created", "{}").await;
        receiver.expect(1, SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        wire.fall_silent();
        // Whoever waited for the broker for as long as for a request would not end in time.
        dispatcher.terminate().await;
        assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(0));
        assert_eq!(receiver.count(), 1);
        drop(wire);
        let left = world.read(Queue::Events).await;
        assert!(left.iter().all(|left| left.id() == event.id.as_str()), "{left:?}");
    })
    .await;
}
