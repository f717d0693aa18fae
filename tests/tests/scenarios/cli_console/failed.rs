//! `hookline failed`: what failed for good, from a shell.

use hookline_common::topology::Queue;
use hookline_tests::cli::run;
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::log_rows::Row;
use serde_json::json;

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
