//! `hookline status`: what is true at a glance, and an exit status that a script can act on.

use hookline_common::topology::Queue;
use hookline_tests::cli::{command, out, run, why};
use hookline_tests::endpoint::endpoint;
use hookline_tests::message::{HandMade, text};
use hookline_tests::{Gate, Receiver, World, eventually, scenario, status};
use serde_json::Value;
use tokio::process::Command;

use crate::SOON;

/// The command with the schedule that the dispatchers of scenarios have.
fn hookline(world: &World, arguments: &[&str]) -> Command {
    let mut command = command(world, arguments);
    command.env("HOOKLINE_RETRY_SCHEDULE", "1s,2s,3s");
    command
}

/// The rows of `status --json`, and its exit status.
async fn rows(world: &World, management_url: Option<&str>) -> (Option<i32>, Vec<Value>) {
    let mut command = hookline(world, &["status", "--json"]);
    if let Some(url) = management_url {
        command.env("HOOKLINE_MANAGEMENT_URL", url);
    }
    let output = command.output().await.unwrap();
    let rows = out(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (output.status.code(), rows)
}

fn row<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    let row = rows.iter().find(|row| row["name"] == name);
    row.unwrap_or_else(|| panic!("no {name} in {rows:#?}"))
}

fn management() -> String {
    std::env::var("HOOKLINE_TEST_MANAGEMENT_URL").unwrap()
}

#[tokio::test]
async fn what_is_missing_or_waits_for_nobody_is_told_with_what_to_do() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let nothing = why(&run(world, &["status"]).await, 1);
        assert!(
            nothing.contains("none of Hookline's queues is there")
                && nothing.contains(&world.queue(Queue::Events))
                && nothing.contains("topology apply"),
            "{nothing}"
        );
        world.endpoints([]);
        let dispatcher = world.dispatcher().start().await;
        let well = hookline(world, &["status"]).output().await.unwrap();
        let table = out(&well);
        assert!(well.status.success(), "{well:?}");
        for part in [
            "QUEUE",
            "READY",
            "IN HAND",
            "OLDEST",
            "CONSUMERS",
            "HOOKLINE_MANAGEMENT_URL",
        ] {
            assert!(table.contains(part), "{part} in {table}");
        }
        dispatcher.stop().await;
        world.publish("booking.created", "{}").await;
        let waits = why(&hookline(world, &["status"]).output().await.unwrap(), 1);
        assert!(
            waits.contains("1 message waits in") && waits.contains("nobody consumes it"),
            "{waits}"
        );
    })
    .await;
}

#[tokio::test]
async fn dead_letters_have_their_age_and_stay_in_their_order() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let applied = hookline(world, &["topology", "apply"]).output().await.unwrap();
        assert!(applied.status.success(), "{applied:?}");
        let letters = [
            HandMade::delivery("ep_crm").header("failed-at", text("2024-01-15T14:30:00Z")),
            HandMade::delivery("ep_crm").header("failed-at", text("2024-01-16T14:30:00Z")),
        ];
        for letter in &letters {
            letter.send(world, Queue::Failed).await;
        }
        for _ in 0..3 {
            let (code, rows) = rows(world, None).await;
            assert_eq!(code, Some(0), "{rows:#?}");
            let failed = row(&rows, &world.queue(Queue::Failed));
            assert_eq!(
                (&failed["ready"], &failed["oldest_at"]),
                (&2.into(), &"2024-01-15T14:30:00.000Z".into())
            );
        }
        let left = world.expect_in(Queue::Failed, 2, SOON).await;
        assert_eq!(
            left.iter().map(|message| message.id()).collect::<Vec<_>>(),
            letters.each_ref().map(HandMade::id)
        );
    })
    .await;
}

#[tokio::test]
async fn the_management_api_adds_what_is_in_hand_and_one_that_is_away_is_told() {
    scenario(async |world| {
        let gate = Gate::closed();
        let receiver = Receiver::answering(status(200).behind(&gate)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let setup = world.dispatcher();
        setup.set("HOOKLINE_REQUEST_TIMEOUT", "600s").start().await;
        world.publish("booking.created", "{}").await;
        // Its counts lag by seconds.
        eventually(SOON, "one event in hand", async || {
            let (code, rows) = rows(world, Some(&management())).await;
            (code == Some(0) && row(&rows, &world.queue(Queue::Events))["in_hand"] == 1).then_some(())
        })
        .await;
        gate.open();
        receiver.expect_one(SOON).await;
        // The API fails now and then while queues come and go beside it.
        eventually(SOON, "nodes and alarms are told", async || {
            let mut asked = hookline(world, &["status"]);
            let well = asked
                .env("HOOKLINE_MANAGEMENT_URL", management())
                .output()
                .await
                .unwrap();
            let table = out(&well);
            (table.contains("alarms: none") && table.contains("nodes: 1 of 1 running")).then_some(())
        })
        .await;
        let (code, rows) = rows(world, Some("http://guest:guest@127.0.0.1:1")).await;
        let problems: Vec<_> = rows.iter().filter(|row| row["kind"] == "problem").collect();
        assert_eq!((code, problems.len()), (Some(1), 1), "{rows:#?}");
        assert!(!rows.iter().any(|row| row.to_string().contains("guest:guest")));
    })
    .await;
}
