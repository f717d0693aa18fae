//! What a person does when nothing helped: look, and send again, with the operator's own command.

use std::cell::Cell;
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::cli::{command, objects, on_a_terminal, run, run_and_kill, succeed, why};
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::message::HandMade;
use hookline_tests::records::Records;
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{Receiver, World, eventually, scenario, status};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tokio::time::{Instant, sleep, timeout};

use crate::SOON;

/// How often a command is killed all through its life, until it was so once with dead letters in its hand.
const TRIES: usize = 10;
/// What an acknowledgement begins with on its way to the broker: `basic` (60) and `ack` (80).
const ACK: &str = "\0<\0P";

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

/// How many dead letters are ready, and how many read them.
async fn ready_and_readers(world: &World) -> (usize, u32) {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let channel = world.broker().channel().await;
    let queue = world.queue(Queue::Failed);
    let declared = channel.queue_declare(queue.as_str().into(), options, FieldTable::default());
    let declared = declared.await.unwrap();
    drop(channel.close(200, "done".into()).await);
    (declared.message_count() as usize, declared.consumer_count())
}

/// Kills `dlq list` after so long. True where it had some of `letters` in its hand meanwhile, and had not ended by itself.
async fn list_is_killed(world: &World, after: Duration, letters: usize) -> bool {
    let is_over = Cell::new(false);
    let killing = async {
        let had_ended = run_and_kill(world, &["dlq", "list"], after).await;
        is_over.set(true);
        had_ended
    };
    let looking = async {
        let mut was_in_hand = false;
        while !is_over.get() {
            let (ready, readers) = ready_and_readers(world).await;
            // The last look decides: what it held before and gave back would not tell.
            was_in_hand = ready < letters && readers > 0;
            sleep(Duration::from_millis(5)).await;
        }
        was_in_hand
    };
    let (had_ended, was_in_hand) = tokio::join!(killing, looking);
    was_in_hand && !had_ended
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
        let (mut tries, mut killed) = (0, 0);
        while killed == 0 {
            assert!(tries < TRIES, "it was killed with dead letters in its hand");
            tries += 1;
            // All through its life, as long as that is now on this machine.
            let begun = Instant::now();
            succeed(world, &["dlq", "list"]).await;
            let lives = begun.elapsed();
            for part in 1..8 {
                killed += usize::from(list_is_killed(world, lives * part / 8, 300).await);
                // What it held comes back a moment after its end.
                eventually(SOON, "all of them are back, and nobody reads them", async || {
                    (ready_and_readers(world).await == (300, 0)).then_some(())
                })
                .await;
            }
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
            // It held what the next one is to find.
            eventually(SOON, "nobody reads them any more", async || {
                (ready_and_readers(world).await.1 == 0).then_some(())
            })
            .await;
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
async fn who_is_broken_off_while_a_dead_letter_is_taken_out_is_told_what_was_done() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        world.leaves(Queue::Deliveries);
        succeed(world, &["topology", "apply"]).await;
        let letter = HandMade::delivery("ep_crm");
        letter.send(world, Queue::Failed).await;
        world.expect_in(Queue::Failed, 1, SOON).await;
        let wire = Wire::to(&services().amqp_url).await;
        wire.cut_at(ACK, false);
        let broken_off = async |arguments: &[&str]| {
            let cuts = wire.cuts();
            let mut command = command(world, arguments);
            command.env("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url));
            let output = timeout(2 * SOON, command.output()).await;
            let told = why(&output.expect("it ends").unwrap(), 1);
            assert!(wire.cuts() > cuts, "{arguments:?} was broken off: {told}");
            told
        };
        let told = broken_off(&["dlq", "purge", "--yes"]).await;
        assert!(
            told.contains("removed for good before that: up to 1 dead letter"),
            "{told}"
        );
        world.expect_in(Queue::Failed, 1, SOON).await;

        let told = broken_off(&["dlq", "retry", "--all"]).await;
        let named = format!(
            "{} for ep_crm was sent and may still be in the queue",
            letter.id()
        );
        assert!(
            told.contains(&named) && told.contains("(0 were retried before)"),
            "{told}"
        );
        let sent = world.expect_in(Queue::Deliveries, 1, SOON).await.remove(0);
        assert_eq!(sent.id(), letter.id());
        world.expect_in(Queue::Failed, 1, SOON).await;
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
