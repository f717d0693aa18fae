//! What a person does when nothing helped: look, and send again, with the operator's own command.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::cli::{objects, run, run_and_kill, succeed};
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::records::Records;
use hookline_tests::{Receiver, World, scenario, status};

use crate::SOON;

/// Dead letters for `ep_crm`, made by an endpoint that was disabled; it is enabled again when this returns, and nobody
/// consumes.
async fn dead_letters(world: &World, receiver: &Receiver, count: usize) -> Vec<Event> {
    world.endpoints([endpoint("ep_crm", receiver).disabled()]);
    let dispatcher = world.dispatcher().start().await;
    let events = world.publish_many(count, "booking.created").await;
    world.expect_in(Queue::Failed, count, SOON).await;
    dispatcher.stop().await;
    world.endpoints([endpoint("ep_crm", receiver)]);
    events
}

#[tokio::test]
async fn a_dead_letter_is_listed_shown_retried_by_hand_and_delivered() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        let (event, other) = (
            world.publish("booking.created", "{ \"a\":1.0 }").await,
            world.publish("booking.cancelled", "{}").await,
        );
        world.expect_in(Queue::Failed, 2, SOON).await;

        let list = objects(world, &["dlq", "list", "--json"]).await;
        assert_eq!(list.len(), 2, "{list:#?}");
        let entry = list
            .iter()
            .find(|entry| entry["event"] == event.id.as_str())
            .unwrap();
        assert_eq!(entry["endpoint"], "ep_crm");
        assert_eq!(entry["reason"], "retries_exhausted");
        assert_eq!(entry["last_status"], 500);
        let shown = succeed(world, &["dlq", "show", event.id.as_str()]).await;
        assert!(shown.contains("\"a\": 1.0"), "{shown}");
        world.expect_in(Queue::Failed, 2, SOON).await;

        receiver.answer_now(status(200));
        succeed(world, &["dlq", "retry", event.id.as_str()]).await;
        let requests = receiver.expect(5, SOON).await;
        assert_eq!(requests[4].id(), event.id.as_str());
        assert_eq!(requests[4].attempt(), 1, "counting begins anew");
        let records = Records::of(world).await.expect(5, SOON).await;
        assert_eq!(records[4]["origin"], "manual");
        assert_eq!(records[4]["outcome"], "delivered");
        let left = world.expect_in(Queue::Failed, 1, SOON).await.remove(0);
        assert_eq!(left.id(), other.id.as_str());
    })
    .await;
}

#[tokio::test]
async fn an_id_that_is_no_dead_letter_is_an_error_in_one_line() {
    scenario(async |world| {
        world.endpoints([]);
        world.dispatcher().start().await;
        let output = run(world, &["dlq", "retry", "evt_unheard_of"]).await;
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        let errors: Vec<_> = error
            .lines()
            .filter(|line| line.starts_with("hookline: "))
            .collect();
        assert!(
            errors.len() == 1 && errors[0].contains("evt_unheard_of"),
            "{error}"
        );
    })
    .await;
}

#[tokio::test]
async fn looking_at_dead_letters_takes_none_away_even_when_it_is_killed() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let receiver = Receiver::answering(status(200)).await;
        let events = dead_letters(world, &receiver, 300).await;
        let order = async || -> Vec<String> {
            let messages = world.expect_in(Queue::Failed, 300, SOON).await;
            messages.iter().map(|message| message.id().to_owned()).collect()
        };
        let before = order().await;
        assert_eq!(before.len(), events.len());
        for milliseconds in [20, 40, 60, 80, 100, 150] {
            run_and_kill(world, &["dlq", "list"], Duration::from_millis(milliseconds)).await;
        }
        assert_eq!(objects(world, &["dlq", "list", "--json"]).await.len(), 300);
        assert!(order().await == before, "the order is as it was");
    })
    .await;
}

#[tokio::test]
async fn a_manual_retry_that_is_killed_again_and_again_loses_nothing() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        let events = dead_letters(world, &receiver, 300).await;
        world.dispatcher().start().await;
        let mut kills = 0;
        for milliseconds in (30..).step_by(7) {
            let retry = ["dlq", "retry", "--all"];
            if run_and_kill(world, &retry, Duration::from_millis(milliseconds)).await {
                break;
            }
            kills += 1;
        }
        succeed(world, &["dlq", "retry", "--all"]).await;
        world.is_empty_within(SOON).await;
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        assert!(kills > 0, "it was killed at least once");
        // What was published and not yet removed when it died is published again: one message at a time.
        judge.nothing_is_lost(kills);
    })
    .await;
}
