//! `hookline failed`: what failed for good, from a shell.

use hookline_common::topology::Queue;
use hookline_tests::answer::status;
use hookline_tests::cli::run;
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::log_rows::Row;
use hookline_tests::{Receiver, scenario};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Shell;
use crate::SOON;

#[tokio::test]
async fn dead_letters_are_listed_shown_retried_and_discarded() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = start(setup(world, database)).await;
        let shell = Shell::admin(world, &console);
        console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        for (event, endpoint) in [("evt_1", "ep_crm"), ("evt_2", "ep_crm"), ("evt_3", "ep_gone")] {
            let row = Row::of(event, endpoint, 600).status("failed", "http_status", 500);
            row.insert_dead(database, "{ \"a\":1.0 }").await;
        }
        let list = shell.succeed("failed list --company acme").await;
        assert!(list.contains("HTTP 500") && list.contains("10m"), "{list}");
        assert_eq!(
            shell
                .objects("failed list --company acme --endpoint ep_crm")
                .await
                .len(),
            2
        );
        assert_eq!(
            shell.objects("failed list --company acme --since 5m").await.len(),
            0
        );
        for (filter, count) in [
            ("--until 5m", 3),
            ("--until 1h", 0),
            ("--outcome http_status", 3),
            ("--outcome timeout", 0),
            ("--reason retries_exhausted", 3),
            ("--reason endpoint_disabled", 0),
        ] {
            let found = shell
                .objects(&format!("failed list --company acme {filter}"))
                .await;
            assert_eq!(found.len(), count, "{filter}");
        }
        let shown = shell
            .succeed("failed show evt_1 --endpoint ep_crm --company acme")
            .await;
        assert!(
            shown.contains("{ \"a\":1.0 }") && shown.contains("what to do"),
            "{shown}"
        );

        let told = shell.succeed("failed retry evt_1 --company acme").await;
        assert_eq!(told, "retried evt_1 to ep_crm\n");
        assert_eq!(shell.objects("failed list --company acme --open").await.len(), 2);
        let told = shell.succeed("failed retry --all --company acme --dry-run").await;
        assert!(
            told.contains("1 dead letter would be retried") && told.contains("stay"),
            "{told}"
        );
        let told = shell.succeed("failed retry --all --company acme").await;
        assert!(told.starts_with("retried 1 dead letter; 1 dead letter"), "{told}");
        world.expect_in(Queue::Deliveries, 2, SOON).await;
        for (again, count) in [("", "0 dead letters"), ("--again", "2 dead letters")] {
            let line = format!("failed retry --all --company acme --dry-run {again}");
            let told = shell.succeed(line.trim()).await;
            assert!(
                told.starts_with(&format!("{count} would be retried")),
                "{again}: {told}"
            );
        }
        let why = shell.fail("failed retry evt_3 --company acme").await;
        assert!(why.contains("was removed"), "{why}");
        let why = shell.fail("failed retry evt_none --company acme").await;
        assert!(why.contains("evt_none") && why.contains("failed list"), "{why}");

        shell
            .succeed("failed discard evt_3 --endpoint ep_gone --company acme --yes")
            .await;
        let told = shell.succeed("failed discard --all --company acme --yes").await;
        assert_eq!(told, "discarded 2 of acme\n");
        assert_eq!(shell.objects("failed list --company acme").await.len(), 0);

        // The broker's own command works on, and says who has them.
        let output = run(world, &["dlq", "list"]).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && stderr.contains("hookline failed"),
            "{stderr}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_fails_while_the_question_stands_is_neither_counted_nor_removed() {
    scenario(async |world| {
        let console = Receiver::scripted(|request| {
            status(200).body(if request.path.ends_with("/failed/retry") {
                r#"{"count":2,"skipped":1,"dry_run":true,"retry":null}"#
            } else {
                r#"{"count":3}"#
            })
        })
        .await;
        let shell = Shell::new(world, &console.url(), "t0ken");
        let asked = || -> Vec<Value> {
            let requests = console.requests().into_iter();
            requests
                .map(|request| serde_json::from_slice(&request.body).unwrap())
                .collect()
        };
        let until = |body: &Value| -> Timestamp { body["until"].as_str().unwrap().parse().unwrap() };
        let discard = "failed discard --all --company acme";

        let before = Timestamp::now();
        let (code, screen) = shell.on_a_terminal(discard, "y\n").await;
        assert!(
            code == Some(0)
                && screen.contains("Remove 3 dead letters of acme")
                && screen.contains("discarded 3"),
            "{screen}"
        );
        let bodies = asked();
        assert_eq!(bodies.len(), 2, "{bodies:?}");
        assert!(
            (before..=Timestamp::now()).contains(&until(&bodies[0])),
            "{bodies:?}"
        );
        // Discarded is what was counted, and no more.
        assert_eq!(bodies[1], json!({"until": bodies[0]["until"]}));

        let earlier = format!("{discard} --until 2020-01-01T00:00:00Z");
        let (code, screen) = shell.on_a_terminal(&earlier, "n\n").await;
        assert!(
            code == Some(1) && screen.contains("nothing was removed"),
            "{screen}"
        );
        let bodies = asked();
        assert_eq!(bodies.len(), 3, "{bodies:?}");
        assert_eq!(bodies[2]["until"], "2020-01-01T00:00:00Z");

        // Where nobody is asked nothing is counted, and all that is there is meant.
        shell.succeed(&format!("{discard} --yes")).await;
        assert_eq!(asked()[3..], [json!({})]);
    })
    .await;
}
