//! Many are sent again: what the broker has is noted, whatever the database does and whoever stops in the middle of it. What is
//! not noted is sent twice.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::console::{Console, database_scenario, setup, start};
use hookline_tests::database::Database;
use hookline_tests::{World, eventually};
use serde_json::json;
use sqlx::{Executor as _, PgConnection};
use tokio::time::sleep;

use super::noted::filed_letter;
use super::{FAILED, done, listed};
use crate::SOON;

/// Longer than a console waits for a lock.
const PATIENT: Duration = Duration::from_secs(30);
/// Longer than the database keeps the lead of a console that does not ask for it (5 s), and shorter than a stop waits (10 s).
const LONG: Duration = Duration::from_secs(6);

/// Dead letters of `ep_crm`: these events, each with the hours since it failed, which is its data too.
fn seed(letters: &[(&str, u32)]) -> String {
    let rows: Vec<String> = letters
        .iter()
        .map(|(event, hours)| {
            let data = data(*hours);
            format!(
                "('acme', '{event}', 'ep_crm', now() - interval '{hours} hours', 'booking.created', 'event', \
                 'retries_exhausted', 4, 'http_status', 500, now(), convert_to('{data}', 'UTF8'))"
            )
        })
        .collect();
    format!(
        "INSERT INTO dead_letters (company, event, endpoint, failed_at, type, origin, reason, attempts, last_outcome, \
         last_status, created_at, data) VALUES {}",
        rows.join(", ")
    )
}

const THREE: [(&str, u32); 3] = [("evt_1", 1), ("evt_2", 1), ("evt_3", 1)];

async fn console(world: &World, database: &Database, rate: &str) -> Console {
    start(setup(world, database).set("HOOKLINE_MANUAL_RETRY_RATE", rate)).await
}

async fn register(console: &Console) {
    let wanted = json!({"url": "https://example.com/", "id": "ep_crm"});
    console.register("acme", &wanted).await;
}

/// Asks for all of them to be sent again.
async fn retry_all(console: &Console) -> String {
    let asked = console.admin().post(&format!("{FAILED}/retry"), &json!({})).await;
    asked.expect(202).json()["retry"].as_str().unwrap().to_owned()
}

async fn are_sent(world: &World, count: u32) {
    eventually(SOON, "they are sent", async || {
        let ready = world.broker().ready(&world.queue(Queue::Deliveries)).await;
        (ready == Some(count)).then_some(())
    })
    .await;
}

/// The ids of what was sent, in their order, each with its data.
async fn sent(world: &World) -> Vec<(String, String)> {
    let stored = world.read(Queue::Deliveries).await;
    let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
    let of = stored
        .iter()
        .map(|stored| (stored.id().to_owned(), text(&stored.body)));
    let mut all: Vec<_> = of.collect();
    all.sort();
    all
}

fn data(hours: u32) -> String {
    format!("{{\"hours\":{hours}}}")
}

fn once(letters: &[(&str, u32)]) -> Vec<(String, String)> {
    let of = letters
        .iter()
        .map(|(event, hours)| ((*event).to_owned(), data(*hours)));
    of.collect()
}

/// Three letters of which one is sent and noted, and whose next note the database does not take before this is rolled back.
async fn in_the_middle(world: &World, database: &Database) -> (Console, String, PgConnection) {
    let letters = seed(&THREE);
    let console = console(world, database, "1/s").await;
    register(&console).await;
    database.execute(&letters).await.unwrap();
    let mut holder = database.connect().await;
    let retry = retry_all(&console).await;
    are_sent(world, 1).await;
    eventually(SOON, "the first is noted", async || {
        let done = database.texts("SELECT done::text FROM retry_parts").await;
        (done == ["1"]).then_some(())
    })
    .await;
    // Of all that a step does only its note changes deliveries.
    holder
        .execute("BEGIN; LOCK TABLE deliveries IN EXCLUSIVE MODE")
        .await
        .unwrap();
    are_sent(world, 2).await;
    (console, retry, holder)
}

#[tokio::test]
async fn a_step_whose_note_the_database_does_not_take_is_not_sent_again() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let (console, retry, mut holder) = in_the_middle(world, database).await;
        let told = "cannot be noted yet";
        console.process().says(told, PATIENT).await;
        holder.execute("ROLLBACK").await.unwrap();
        let progress = done(&console, &retry).await;
        assert_eq!(progress["done"], 3, "{progress}");
        assert_eq!(sent(world).await, once(&THREE));
    })
    .await;
}

/// Whoever is cut off from the database may have sent what it cannot note yet.
#[tokio::test]
async fn another_console_that_takes_the_lead_leaves_a_step_alone_that_is_just_sent() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let (first, retry, mut holder) = in_the_middle(world, database).await;
        let second = console(world, database, "1/s").await;
        // The lead is lost with its connection, and nothing else is.
        let cut = "SELECT pg_terminate_backend(pid)::text FROM pg_locks WHERE locktype = 'advisory' AND granted \
             AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle')";
        first.process().signal("STOP").await;
        assert_eq!(database.texts(cut).await.len(), 1);
        second.process().says("this console leads", SOON).await;
        first.process().signal("CONT").await;
        holder.execute("ROLLBACK").await.unwrap();
        let progress = done(&second, &retry).await;
        assert_eq!(progress["done"], 3, "{progress}");
        assert_eq!(sent(world).await, once(&THREE));
    })
    .await;
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_step_repeats_nothing() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let (first, retry, mut holder) = in_the_middle(world, database).await;
        let second = console(world, database, "1/s").await;
        first.process().terminate().await;
        eventually(SOON, "it serves no more", async || {
            let page = first.process().get("/healthz").await;
            page.is_err().then_some(())
        })
        .await;
        sleep(LONG).await;
        assert!(!second.process().log().contains("this console leads"));
        holder.execute("ROLLBACK").await.unwrap();
        assert_eq!(first.process().ends_within(SOON).await.code(), Some(0));
        let progress = done(&second, &retry).await;
        assert_eq!(progress["done"], 3, "{progress}");
        assert_eq!(sent(world).await, once(&THREE));
    })
    .await;
}

#[tokio::test]
async fn of_a_delivery_that_is_there_twice_the_newest_is_sent() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = console(world, database, "100/s").await;
        register(&console).await;
        // As former versions have filed them.
        let letters = seed(&[("evt_1", 3), ("evt_2", 2), ("evt_1", 1)]);
        database.execute(&letters).await.unwrap();
        let retry = retry_all(&console).await;
        let progress = done(&console, &retry).await;
        assert_eq!((&progress["total"], &progress["done"]), (&3.into(), &2.into()));
        assert_eq!(sent(world).await, once(&[("evt_1", 1), ("evt_2", 2)]));
        assert!(listed(&console, "?open=true").await.is_empty());
    })
    .await;
}

/// Whoever stores records has the delivery first, and its dead letter then: a note has neither while it waits for its turn.
#[tokio::test]
async fn a_note_that_waits_for_the_log_does_not_stand_in_its_way() {
    database_scenario(async |world, database| {
        let (console, path) = filed_letter(world, database).await;
        let mut holder = database.connect().await;
        holder
            .execute("BEGIN; UPDATE deliveries SET attempts = attempts")
            .await
            .unwrap();
        let retry = retry_all(&console).await;
        eventually(SOON, "the note waits", async || {
            let waiting = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() \
                 AND wait_event_type = 'Lock' AND application_name LIKE 'hookline-console%'";
            (database.texts(waiting).await.len() == 1).then_some(())
        })
        .await;
        // Two that wait for each other are found out after a second, and one of them is ended.
        let deletes = "SET LOCAL lock_timeout = '500ms'; DELETE FROM dead_letters; COMMIT";
        holder.execute(deletes).await.unwrap();
        let progress = done(&console, &retry).await;
        assert_eq!(progress["done"], 1, "{progress}");
        let sent = sent(world).await;
        assert!(sent.len() == 1 && path.contains(&sent[0].0), "{sent:?}");
    })
    .await;
}
