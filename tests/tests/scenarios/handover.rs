//! One program stops and another goes on: nobody waits for what the first still has to finish, and nothing comes twice. Again and
//! again, under load, it is a row of the fault suite (`tests/tests/faults/killing.rs`).

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{Gate, Receiver, eventually, scenario, status};

use crate::SOON;

const IN_HAND: &str = "hookline_messages_in_hand";
const ATTEMPTS: &str = "hookline_attempts_total";

#[tokio::test]
async fn what_has_not_begun_is_not_withheld_by_a_request_that_hangs() {
    const EVENTS: usize = 300;
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
        let events = world.publish_many(EVENTS, "booking.created").await;
        eventually(SOON, "it has many in hand", async || {
            let in_hand = first.metric(IN_HAND).await;
            in_hand.is_some_and(|in_hand| in_hand > 60.0).then_some(())
        })
        .await;
        let second = world.dispatcher().start().await;
        first.terminate().await;
        first.says("draining", SOON).await;
        let begun = first.metric(ATTEMPTS).await.unwrap_or(0.0);
        receiver.expect(EVENTS, SOON).await;
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
