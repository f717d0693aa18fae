//! `hookline deliveries`, `hookline problems` and `hookline events`: the log from a shell.

use hookline_common::topology::Queue;
use hookline_tests::cli::{out, why};
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::log_rows::{Row, insert_event, make_days};
use serde_json::Value;

use super::Shell;

#[tokio::test]
async fn the_log_is_listed_and_shown_and_says_what_fails() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        make_days(database, 1).await;
        for number in 0..5 {
            Row::of(&format!("evt_{number}"), "ep_a", 60 + number)
                .insert(database)
                .await;
        }
        Row::of("evt_bad", "ep_b", 300)
            .status("retrying", "http_status", 503)
            .insert(database)
            .await;
        insert_event(database, "acme", "evt_bad", Some("{\"a\":\"\\u001b[2J\"}")).await;
        let shell = Shell::admin(world, &console);
        let listed = shell.succeed("deliveries list --company acme").await;
        assert!(
            listed.starts_with("EVENT") && listed.lines().count() == 7,
            "{listed}"
        );
        let failing = shell
            .succeed("deliveries list --company acme --status retrying --json")
            .await;
        let row: Value = serde_json::from_str(failing.trim()).unwrap();
        assert_eq!(row["event"], "evt_bad");
        let old = shell.objects("deliveries list --company acme --until 2m").await;
        assert_eq!(old.len(), 1, "{old:#?}");
        assert_eq!(old[0]["event"], "evt_bad");
        let two = shell
            .run("deliveries list --company acme --limit 2 --since 2h")
            .await;
        assert_eq!(out(&two).lines().count(), 3);
        assert!(
            String::from_utf8_lossy(&two.stderr).contains("--limit"),
            "it says that there are more"
        );

        let shown = shell.succeed("deliveries show evt_bad ep_b --company acme").await;
        assert!(
            shown.contains("next step") && shown.contains("retrying") && !shown.contains('\u{1b}'),
            "{shown}"
        );
        let refused = why(
            &shell.run("deliveries show evt_none ep_b --company acme").await,
            1,
        );
        assert!(
            refused.contains("hookline deliveries list --company acme"),
            "{refused}"
        );

        let problems = shell.succeed("problems --company acme").await;
        assert!(
            problems.contains("503") && problems.contains("evt_bad"),
            "{problems}"
        );
        assert!(shell.succeed("problems --company globex --json").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_feed_is_read_on_from_where_it_ended_and_an_event_sent_again() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = start(setup(world, database)).await;
        make_days(database, 1).await;
        for number in 0..205 {
            insert_event(database, "acme", &format!("evt_{number}"), Some("{}")).await;
        }
        insert_event(database, "acme", "evt_bare", None).await;
        let shell = Shell::admin(world, &console);
        let read = shell.run("events list --company acme").await;
        assert_eq!(out(&read).lines().count(), 207, "all of them, over two pages");
        let told = String::from_utf8_lossy(&read.stderr).into_owned();
        let after = told.trim().rsplit(' ').next().unwrap().to_owned();
        insert_event(database, "acme", "evt_new", Some("{}")).await;
        let more = shell
            .succeed(&format!("events list --company acme --after {after} --json"))
            .await;
        let page: Value = serde_json::from_str(more.trim()).unwrap();
        assert_eq!(
            (
                page["data"][0]["id"].as_str(),
                page["data"].as_array().unwrap().len()
            ),
            (Some("evt_new"), 1)
        );
        let refused = why(&shell.run("events list --company acme --after c1").await, 1);
        assert!(refused.contains("after"), "{refused}");

        let replayed = shell.succeed("events replay evt_7 --company acme").await;
        assert_eq!(replayed.trim(), "evt_7");
        let refused = why(&shell.run("events replay evt_bare --company acme").await, 1);
        assert!(
            refused.contains("the platform does not keep the payloads of all events"),
            "{refused}"
        );
    })
    .await;
}
