//! An endpoint is removed while its dead letters are sent again: they stay, and the retry is not under way for ever.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_dispatcher::settings::EndpointsSource;
use hookline_store::seal::Keyring;
use hookline_store::{Database as DatabaseUrl, StoreSettings};
use hookline_tests::console::{MASTER_KEY, database_scenario, setup, start};
use hookline_tests::eventually;
use hookline_tests::in_process::Embedded;
use serde_json::json;

use super::{FAILED, done, listed};
use crate::SOON;

const LETTERS: u64 = 10;

#[tokio::test]
async fn what_is_not_sent_is_skipped_and_what_was_sent_stays_open() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database).set("HOOKLINE_MANUAL_RETRY_RATE", "2/s")).await;
        // Where a company loses its last endpoint, what is for it waits for a while.
        for id in ["ep_crm", "ep_other"] {
            let wanted = json!({"url": "https://example.com/", "id": id});
            console.register("acme", &wanted).await;
        }
        let letters = format!(
            "INSERT INTO dead_letters (company, event, endpoint, failed_at, type, origin, reason, attempts, last_outcome, \
             last_status, created_at, data) SELECT 'acme', 'evt_' || n, 'ep_crm', now() - interval '1 hour', \
             'booking.created', 'event', 'retries_exhausted', 4, 'http_status', 500, now(), convert_to('{{}}', 'UTF8') \
             FROM generate_series(1, {LETTERS}) AS n"
        );
        database.execute(&letters).await.unwrap();
        let asked = console.admin().post(&format!("{FAILED}/retry"), &json!({})).await;
        let asked = asked.expect(202).json();
        let retry = asked["retry"].as_str().unwrap();
        eventually(SOON, "some are sent", async || {
            let ready = world.broker().ready(&world.queue(Queue::Deliveries)).await;
            (ready >= Some(2)).then_some(())
        })
        .await;
        let endpoint = "/v1/companies/acme/endpoints/ep_crm";
        console.admin().delete(endpoint).await.expect(204);
        let progress = done(&console, retry).await;
        let (sent, skipped) = (
            progress["done"].as_u64().unwrap(),
            progress["skipped"].as_u64().unwrap(),
        );
        assert!(skipped > 0 && sent + skipped == LETTERS, "{progress}");
        assert_eq!(progress["under_way"], sent, "{progress}");

        // It finds no endpoint, and says so in its records.
        let dispatcher = Embedded::start(world, |settings| {
            settings.endpoints = EndpointsSource::Registry(Box::new(StoreSettings {
                database: DatabaseUrl::parse(database.url().as_str()).unwrap(),
                keyring: Keyring::parse(MASTER_KEY).unwrap(),
                application: "scenario",
                max_connections: 2,
            }));
            settings.unknown_grace = Duration::from_secs(1);
        })
        .await;
        eventually(SOON, "nothing is under way", async || {
            let progress = console.admin().get(&format!("{FAILED}/retries/{retry}")).await;
            let progress = progress.expect(200).json();
            (progress["under_way"] == 0 && progress["left_otherwise"] == sent).then_some(())
        })
        .await;
        let open = listed(&console, "?open=true").await;
        assert_eq!(open.len() as u64, LETTERS, "{open:?}");
        dispatcher.stop().await;
    })
    .await;
}
