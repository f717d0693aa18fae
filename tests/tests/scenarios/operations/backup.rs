//! A dump is restored some time after it was made: endpoints and secrets are those of the dump, and the log makes up for what it missed.

use std::sync::Arc;

use hookline_tests::console::{Console, MASTER_KEY, database_scenario, heard, setup, start};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::endpoint::SECRET;
use hookline_tests::{Receiver, World, status};
use serde_json::json;

use super::{Operator, is_filed, is_logged, is_signed, postgres_runs};
use crate::SOON;

async fn console_on(world: &World, database: &Database) -> Console {
    start(setup(world, database).set("HOOKLINE_RETRY_SCHEDULE", "1s")).await
}

async fn dispatcher_on(world: &World, database: &Database) -> Arc<Dispatcher> {
    world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database.url().as_str())
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
        .set("HOOKLINE_RETRY_SCHEDULE", "1s")
        .start()
        .await
}

async fn register(console: &Console, id: &str, events: &str, receiver: &Receiver) {
    let endpoint = json!({"url": receiver.url(), "id": id, "secret": SECRET, "events": [events]});
    console.register("acme", &endpoint).await;
}

#[tokio::test]
async fn a_database_restored_to_an_earlier_moment_makes_up_for_what_it_missed() {
    database_scenario(async |world, database| {
        let (takes, refuses, late) = (
            Receiver::answering(status(200)).await,
            Receiver::answering(status(500)).await,
            Receiver::answering(status(200)).await,
        );
        let console = console_on(world, database).await;
        register(&console, "ep_crm", "booking.created", &takes).await;
        register(&console, "ep_down", "booking.cancelled", &refuses).await;
        let dispatcher = dispatcher_on(world, database).await;
        let before = world.publish("booking.created", "{}").await;
        is_logged(&console, &before, "ep_crm", 1, "delivered").await;

        let dump = world.path("hookline.dump").display().to_string();
        postgres_runs("pg_dump", database.url().as_str(), &dump).await;

        // What the dump knows nothing of.
        let after = world.publish("booking.created", "{}").await;
        is_logged(&console, &after, "ep_crm", 1, "delivered").await;
        heard(&dispatcher, register(&console, "ep_late", "booking.moved", &late)).await;
        let moved = world.publish("booking.moved", "{}").await;
        is_logged(&console, &moved, "ep_late", 1, "delivered").await;
        let refused = world.publish("booking.cancelled", r#"{"kept":1}"#).await;
        is_filed(&console, &refused, "ep_down").await;
        is_logged(&console, &refused, "ep_down", 2, "failed").await;

        // 1: all are stopped; publishers go on.
        console.process().stop().await;
        dispatcher.stop().await;
        let waiting = world.publish("booking.created", "{}").await;
        let also_waiting = world.publish("booking.moved", "{}").await;
        // 2
        let restored = Database::create().await;
        postgres_runs("pg_restore", restored.url().as_str(), &dump).await;
        // 3: the log mends itself, each attempt once.
        let console = console_on(world, &restored).await;
        for (event, endpoint, attempts, state) in [
            (&before, "ep_crm", 1, "delivered"),
            (&after, "ep_crm", 1, "delivered"),
            (&moved, "ep_late", 1, "delivered"),
            (&refused, "ep_down", 2, "failed"),
        ] {
            is_logged(&console, event, endpoint, attempts, state).await;
        }
        assert_eq!(restored.texts("SELECT count(*)::text FROM attempts").await, ["5"]);
        // 4: what was made since is made again.
        assert_eq!(
            console
                .admin()
                .get("/v1/companies/acme/endpoints/ep_late")
                .await
                .status,
            404
        );
        register(&console, "ep_late", "booking.moved", &late).await;
        // 5: what waited comes, signed with the secrets of before.
        let dispatcher = dispatcher_on(world, &restored).await;
        is_logged(&console, &waiting, "ep_crm", 1, "delivered").await;
        is_logged(&console, &also_waiting, "ep_late", 1, "delivered").await;
        for request in takes.expect(3, SOON).await {
            assert!(is_signed(&request, SECRET), "{request:?}");
        }

        // The dead letter is nowhere, and named by the log.
        let letter = format!("/v1/companies/acme/failed/{}/ep_down", refused.id);
        assert_eq!(console.admin().get(&letter).await.status, 404);
        let operator = Operator::new(world).at_console(&console);
        let failed = operator
            .lists(
                "hookline deliveries list --company … --status failed",
                &[("--company", "acme")],
            )
            .await;
        let named: Vec<_> = failed.iter().map(|row| row["event"].as_str().unwrap()).collect();
        assert_eq!(named, [refused.id.as_str()]);
        refuses.answer_now(status(200));
        let values = [
            ("EVENT_ID", refused.id.as_str()),
            ("--company", "acme"),
            ("--endpoint", "ep_down"),
        ];
        operator.runs("hookline events replay", &values, &[]).await;
        let sent_again = refuses.expect(3, SOON).await.remove(2);
        assert_eq!(sent_again.id(), refused.id.as_str());
        assert!(String::from_utf8_lossy(&sent_again.body).contains(r#"{"kept":1}"#));
        is_logged(&console, &refused, "ep_down", 3, "delivered").await;

        dispatcher.stop().await;
        console.process().stop().await;
        restored.remove().await;
    })
    .await;
}
