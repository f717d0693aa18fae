//! What a person does when nothing helped: look, and send again, with the operator's own command.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::cli::{objects, on_a_terminal, run, run_and_kill, succeed};
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::message::HandMade;
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
        let receiver = Receiver::answering(status(500).body("out of order")).await;
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
        // A dead letter may lie there before the last attempt is in the log.
        Records::of(world).await.expect(4, SOON).await;

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
        // With what the log still has of its attempts.
        for part in [
            "attempt 1",
            "attempt 2",
            "HTTP 500 after",
            "last answer    out of order",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        let shown = objects(world, &["dlq", "show", event.id.as_str(), "--json"]).await;
        let attempts = shown[0]["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 2, "{attempts:#?}");
        assert_eq!(attempts[1]["response"], "out of order");
        // Data stands in both as one and the same text, byte for byte.
        for data in [&shown[0]["data"], &attempts[0]["data"]] {
            assert_eq!(*data, "{ \"a\":1.0 }", "{}", shown[0]);
        }
        let summary = objects(world, &["dlq", "list", "--summary", "--json"]).await;
        assert_eq!(summary.len(), 1, "{summary:#?}");
        assert_eq!(
            (
                &summary[0]["count"],
                &summary[0]["endpoint"],
                &summary[0]["reason"],
                &summary[0]["last"]
            ),
            (
                &2.into(),
                &"ep_crm".into(),
                &"retries_exhausted".into(),
                &"HTTP 500".into()
            )
        );
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
        // What the last one held comes back a moment after its end.
        world.expect_in(Queue::Failed, 300, SOON).await;
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
        world.is_settled_within(SOON).await;
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        assert!(kills > 0, "it was killed at least once");
        // What was published and not yet removed when it died is published again: one message at a time.
        judge.nothing_is_lost(kills);
    })
    .await;
}

#[tokio::test]
async fn who_looks_right_after_another_finds_all_that_is_there() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        succeed(world, &["topology", "apply"]).await;
        let letters = 40;
        for _ in 0..letters {
            HandMade::delivery("ep_crm").send(world, Queue::Failed).await;
        }
        world.expect_in(Queue::Failed, letters, SOON).await;
        for _ in 0..15 {
            assert_eq!(objects(world, &["dlq", "list", "--json"]).await.len(), letters);
        }
    })
    .await;
}

#[tokio::test]
async fn data_that_is_nested_deeply_is_shown_within_bounds() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        succeed(world, &["topology", "apply"]).await;
        let depth = 40_000;
        let data = format!("{{\"a\":{}1{},\"b\":2}}", "[".repeat(depth), "]".repeat(depth));
        let letter = HandMade::delivery("ep_crm").body(data.clone());
        letter.send(world, Queue::Failed).await;
        world.expect_in(Queue::Failed, 1, SOON).await;
        let shown = succeed(world, &["dlq", "show", &letter.id()]).await;
        assert!(shown.contains("[…]") && shown.contains("\"b\": 2"), "{shown}");
        assert!(
            shown.lines().count() < 200 && shown.len() < 20_000,
            "{}",
            shown.len()
        );
        let json = succeed(world, &["dlq", "show", &letter.id(), "--json"]).await;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["data"], data, "--json has all of it");
    })
    .await;
}

#[tokio::test]
async fn ids_are_whole_on_a_narrow_terminal_and_columns_line_up() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        succeed(world, &["topology", "apply"]).await;
        let letters = ["ep_crm", "ep_of_a_rather_long_name_0123456789"].map(HandMade::delivery);
        for letter in &letters {
            letter.send(world, Queue::Failed).await;
        }
        world.expect_in(Queue::Failed, 2, SOON).await;
        for columns in [40, 60, 80, 200] {
            let (code, screen) = on_a_terminal(world, &["dlq", "list"], columns, "").await;
            assert_eq!(code, Some(0), "{screen}");
            for letter in &letters {
                assert!(screen.contains(&letter.id()), "{columns}: {screen}");
            }
            assert!(screen.contains("ep_of_a_rather_long_name_0123456789"), "{screen}");
            let rows = screen.lines().filter(|line| !line.contains("dead letters"));
            let widest = rows.map(|line| line.chars().count()).max();
            assert!(widest <= Some(columns), "{columns}: {screen}");
        }
        let piped = succeed(world, &["dlq", "list"]).await;
        let starts: Vec<_> = piped.lines().map(|line| line.find("booking.created")).collect();
        assert_eq!(starts[0], None, "the head");
        assert!(starts[1].is_some() && starts[1] == starts[2], "{piped}");
    })
    .await;
}
