//! Thousands are sent again while the console is killed: each at least once, and few of them twice.

use std::collections::BTreeMap;
use std::time::Instant;

use hookline_common::topology::Queue;
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::eventually;
use serde_json::json;

use super::{FAILED, done, filed};
use crate::SOON;

/// Dead letters; more of them where somebody has the time.
const LETTERS: &str = "RETRIED_LETTERS";
const USUALLY: usize = 3_000;

/// So many dead letters of `ep_crm`, written by hand.
fn seed(count: usize) -> String {
    format!(
        "INSERT INTO dead_letters (company, event, endpoint, failed_at, type, origin, reason, attempts, last_outcome, \
         last_status, created_at, data) SELECT 'acme', 'evt_' || n, 'ep_crm', now() - interval '1 hour', \
         'booking.created', 'event', 'retries_exhausted', 4, 'http_status', 500, now(), convert_to('{{}}', 'UTF8') \
         FROM generate_series(1, {count}) AS n"
    )
}

#[tokio::test]
async fn a_console_that_is_killed_goes_on_where_it_was_and_repeats_a_second_s_worth_at_most() {
    /// Each second's worth.
    const RATE: usize = 500;
    let letters = std::env::var(LETTERS).map_or(USUALLY, |text| text.parse().unwrap());
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let mut console = start(setup(world, database).set("HOOKLINE_MANUAL_RETRY_RATE", "500/s")).await;
        console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        database.execute(&seed(letters)).await.unwrap();
        let asked = console
            .admin()
            .post(&format!("{FAILED}/retry"), &json!({}))
            .await
            .expect(202)
            .json();
        assert_eq!(asked["count"], letters);
        let retry = asked["retry"].as_str().unwrap().to_owned();
        // What fails meanwhile is not part of it.
        let late = seed(1).replace("'evt_' || n", "'evt_late'");
        database.execute(&late).await.unwrap();
        let mut kills = 0;
        for so_far in [letters / 4, letters / 2] {
            eventually(3 * SOON, "it is in the middle", async || {
                let sql = "SELECT sum(done)::text FROM retry_parts";
                let sent: usize = database.texts(sql).await[0].parse().unwrap();
                (sent >= so_far).then_some(())
            })
            .await;
            console.process().kill().await;
            kills += 1;
            console = start(setup(world, database).set("HOOKLINE_MANUAL_RETRY_RATE", "500/s")).await;
        }
        let progress = done(&console, &retry).await;
        assert_eq!(progress["done"], letters, "{progress}");
        let mut sent: BTreeMap<String, usize> = BTreeMap::new();
        for stored in world.read(Queue::Deliveries).await {
            *sent.entry(stored.id().to_owned()).or_default() += 1;
        }
        assert_eq!(
            sent.len(),
            letters,
            "each at least once, and none that failed later"
        );
        let doubled: usize = sent.values().map(|times| times - 1).sum();
        assert!(doubled <= kills * RATE, "{doubled} were sent twice");
        let open = database
            .texts("SELECT event FROM dead_letters WHERE retried_at IS NULL")
            .await;
        assert_eq!(open, ["evt_late"]);
        assert_eq!(filed(database).await, letters + 1);
    })
    .await;
}

#[tokio::test]
async fn a_retry_keeps_its_pace() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = start(setup(world, database).set("HOOKLINE_MANUAL_RETRY_RATE", "40/s")).await;
        console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        database.execute(&seed(120)).await.unwrap();
        let pace = Instant::now();
        let asked = console
            .admin()
            .post(&format!("{FAILED}/retry"), &json!({}))
            .await
            .expect(202)
            .json();
        done(&console, asked["retry"].as_str().unwrap()).await;
        // The last step need not be waited for.
        let sent_in = pace.elapsed().as_secs_f64();
        assert!(sent_in >= 110.0 / 40.0, "120 were sent within {sent_in} s");
        world.expect_in(Queue::Deliveries, 120, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn retries_that_are_long_done_are_forgotten() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let slowly = || setup(world, database).set("HOOKLINE_MANUAL_RETRY_RATE", "1/h");
        let console = start(slowly()).await;
        console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        console.process().stop().await;
        database.execute(&seed(3)).await.unwrap();
        let retry = |id: &str, age: &str, is_done: bool| {
            let finished = if is_done { "now()" } else { "NULL" };
            format!(
                "WITH made AS (INSERT INTO retries (company, id, created_at, filter, total, skipped) \
                 VALUES ('acme', '{id}', now() - interval '{age}', '{{}}', 3, 0) RETURNING *) \
                 INSERT INTO retry_parts (company, retry, endpoint, created_at, after_position, through_position, \
                 finished_at) SELECT company, id, 'ep_crm', created_at, -1, 1000000, {finished} FROM made"
            )
        };
        for (id, age, is_done) in [
            ("rty_old", "200 days", true),
            ("rty_new", "1 hour", true),
            // One that has something to send stays, however old it is.
            ("rty_open", "200 days", false),
        ] {
            database.execute(&retry(id, age, is_done)).await.unwrap();
        }
        let console = start(slowly()).await;
        eventually(SOON, "the old one is forgotten", async || {
            let left = database.texts("SELECT id FROM retries ORDER BY id").await;
            let parts = database
                .texts("SELECT retry FROM retry_parts ORDER BY retry")
                .await;
            (left == ["rty_new", "rty_open"] && parts == left).then_some(())
        })
        .await;
        console.process().stop().await;
    })
    .await;
}
