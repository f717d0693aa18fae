//! Retries of many: each company has its turn, and what waits keeps nobody else waiting.

use std::collections::BTreeSet;

use hookline_common::topology::Queue;
use hookline_tests::console::{Console, database_scenario, setup, start};
use hookline_tests::database::Database;
use hookline_tests::eventually;
use serde_json::{Value, json};

use crate::SOON;

/// As many companies, with as many endpoints each, as have all slots.
const GREEDY: [&str; 4] = ["a", "b", "c", "d"];
const ENDPOINTS_EACH: usize = 6;

/// An endpoint with so many dead letters.
async fn with_letters(console: &Console, database: &Database, company: &str, endpoint: &str, letters: usize) {
    console
        .register(company, &json!({"url": "https://example.com/", "id": endpoint}))
        .await;
    let sql = format!(
        "INSERT INTO dead_letters (company, event, endpoint, failed_at, type, origin, reason, attempts, last_outcome, \
         last_status, created_at, data) SELECT '{company}', 'evt_' || n, '{endpoint}', now() - interval '1 hour', \
         'booking.created', 'event', 'retries_exhausted', 4, 'http_status', 500, now(), convert_to('{{}}', 'UTF8') \
         FROM generate_series(1, {letters}) AS n"
    );
    database.execute(&sql).await.unwrap();
}

/// Asks for a retry of all that a company has, and returns its id.
async fn retry_all(console: &Console, company: &str) -> String {
    let path = format!("/v1/companies/{company}/failed/retry");
    let asked = console.admin().post(&path, &json!({})).await.expect(202).json();
    asked["retry"].as_str().unwrap().to_owned()
}

async fn progress(console: &Console, company: &str, retry: &str) -> Value {
    let path = format!("/v1/companies/{company}/failed/retries/{retry}");
    console.admin().get(&path).await.expect(200).json()
}

async fn done(console: &Console, company: &str, retry: &str) -> Value {
    eventually(SOON, "the retry is done", async || {
        let progress = progress(console, company, retry).await;
        (progress["state"] == "done").then_some(progress)
    })
    .await
}

/// Companies that have more to send than there are slots.
async fn greedy_companies(console: &Console, database: &Database, letters: usize) {
    for company in GREEDY {
        for number in 0..ENDPOINTS_EACH {
            with_letters(console, database, company, &format!("ep_{number}"), letters).await;
        }
        retry_all(console, company).await;
    }
}

async fn endpoints_sent_to(database: &Database) -> usize {
    let sql = "SELECT count(*)::text FROM retry_parts WHERE done > 0";
    database.texts(sql).await[0].parse().unwrap()
}

#[tokio::test]
async fn a_company_with_little_does_not_wait_for_those_with_much() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        // What each of them has takes a quarter of an hour.
        let console = start(setup(world, database).set("HOOKLINE_MANUAL_RETRY_RATE", "2/s")).await;
        greedy_companies(&console, database, 2_000).await;
        eventually(SOON, "all slots are taken", async || {
            (endpoints_sent_to(database).await >= 16).then_some(())
        })
        .await;
        with_letters(&console, database, "globex", "ep_crm", 3).await;
        let retry = retry_all(&console, "globex").await;
        assert_eq!(done(&console, "globex", &retry).await["done"], 3);
        // And of each of the others all endpoints have their turn.
        eventually(3 * SOON, "all have a turn", async || {
            let all = GREEDY.len() * ENDPOINTS_EACH + 1;
            (endpoints_sent_to(database).await == all).then_some(())
        })
        .await;
        let finished = "SELECT company FROM retry_parts WHERE finished_at IS NOT NULL";
        assert_eq!(database.texts(finished).await, ["globex"]);
        console.process().kill().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_paced_slowly_gives_its_slot_to_others() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = start(setup(world, database).set("HOOKLINE_MANUAL_RETRY_RATE", "1/h")).await;
        greedy_companies(&console, database, 2).await;
        // One of each endpoint, though there are more of these than slots; the next ones come in an hour.
        let all = GREEDY.len() * ENDPOINTS_EACH;
        world.expect_in(Queue::Deliveries, all, 3 * SOON).await;
        with_letters(&console, database, "globex", "ep_crm", 1).await;
        let retry = retry_all(&console, "globex").await;
        done(&console, "globex", &retry).await;
        let ready = "SELECT count(*)::text FROM retry_parts WHERE finished_at IS NULL \
                     AND ready_at > now() + interval '50 minutes'";
        eventually(SOON, "all others wait for their time", async || {
            (database.texts(ready).await[0] == all.to_string()).then_some(())
        })
        .await;
        assert_eq!(world.read(Queue::Deliveries).await.len(), all + 1);
        console.process().kill().await;
    })
    .await;
}

#[tokio::test]
async fn a_retry_waits_while_its_endpoint_is_paused_and_goes_on_afterwards() {
    const LETTERS: usize = 200;
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = start(setup(world, database).set("HOOKLINE_MANUAL_RETRY_RATE", "20/s")).await;
        with_letters(&console, database, "acme", "ep_crm", LETTERS).await;
        let retry = retry_all(&console, "acme").await;
        eventually(SOON, "some are sent", async || {
            (progress(&console, "acme", &retry).await["done"].as_u64() > Some(10)).then_some(())
        })
        .await;
        let path = "/v1/companies/acme/endpoints/ep_crm";
        console
            .admin()
            .patch(path, &json!({"disabled": true}))
            .await
            .expect(200);
        console
            .process()
            .says("waits until its endpoint is enabled", SOON)
            .await;
        let so_far = progress(&console, "acme", &retry).await;
        assert_ne!(so_far["state"], "done", "{so_far}");
        // Others are sent to meanwhile, and nothing more to this one.
        with_letters(&console, database, "globex", "ep_crm", 5).await;
        let other = retry_all(&console, "globex").await;
        done(&console, "globex", &other).await;
        assert_eq!(progress(&console, "acme", &retry).await["done"], so_far["done"]);

        console
            .admin()
            .patch(path, &json!({"disabled": false}))
            .await
            .expect(200);
        assert_eq!(done(&console, "acme", &retry).await["done"], LETTERS);
        let sent = world.read(Queue::Deliveries).await;
        let of_acme = sent.iter().filter(|sent| sent.text("company") == "acme");
        let events: Vec<&str> = of_acme.map(|sent| sent.id()).collect();
        let different: BTreeSet<&&str> = events.iter().collect();
        assert_eq!((events.len(), different.len()), (LETTERS, LETTERS));
    })
    .await;
}

#[tokio::test]
async fn a_company_has_so_many_retries_under_way_and_no_more() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = start(setup(world, database).set("HOOKLINE_MANUAL_RETRY_RATE", "1/h")).await;
        with_letters(&console, database, "acme", "ep_crm", 3).await;
        with_letters(&console, database, "globex", "ep_crm", 1).await;
        let path = "/v1/companies/acme/failed/retry";
        let mut asked = 0;
        let refused = loop {
            let reply = console.admin().post(path, &json!({})).await;
            if reply.status != 202 {
                break reply;
            }
            asked += 1;
            assert!(asked < 1_000, "there is no end to it");
        };
        assert_eq!((refused.problem(409).as_str(), asked), ("too_many_retries", 50));
        // They are looked at only.
        let counted = console.admin().post(path, &json!({"dry_run": true})).await;
        assert!(counted.expect(200).json()["count"].as_u64() >= Some(2));
        let retry = retry_all(&console, "globex").await;
        done(&console, "globex", &retry).await;
        console.process().kill().await;
    })
    .await;
}
