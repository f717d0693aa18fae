//! One is sent again by hand: what is on its way is noted, whoever hangs up and whatever the database does meanwhile.

use hookline_common::topology::Queue;
use hookline_tests::console::{Console, database_scenario};
use hookline_tests::database::Database;
use hookline_tests::{World, eventually};
use serde_json::json;
use sqlx::Executor as _;

use super::{FAILED, are_filed, dead_letter, filing_console, listed};
use crate::SOON;

/// A dead letter that is filed, and the path that sends it again.
pub(super) async fn filed_letter(world: &World, database: &Database) -> (Console, String) {
    world.leaves(Queue::Deliveries);
    let console = filing_console(world, database).await;
    let wanted = json!({"url": "https://example.com/", "id": "ep_crm"});
    console.register("acme", &wanted).await;
    let letter = dead_letter("ep_crm");
    letter.send(world, Queue::Failed).await;
    are_filed(world, database, 1).await;
    let retry = format!("{FAILED}/{}/ep_crm/retry", letter.id());
    (console, retry)
}

/// Waits until so many were sent.
async fn are_sent(world: &World, count: u32) {
    eventually(SOON, "it is sent", async || {
        let ready = world.broker().ready(&world.queue(Queue::Deliveries)).await;
        (ready == Some(count)).then_some(())
    })
    .await;
}

async fn is_noted(console: &Console) {
    eventually(SOON, "it is noted", async || {
        let row = listed(console, "").await.remove(0);
        let audit = console.admin().get("/v1/companies/acme/audit?limit=1").await;
        let last = audit.expect(200).json()["data"][0]["action"].clone();
        (row["retried_at"].is_string() && last == "failed.retried").then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_hangs_up_before_the_answer_has_it_sent_and_noted() {
    database_scenario(async |world, database| {
        let (console, retry) = filed_letter(world, database).await;
        let mut holder = database.connect().await;
        holder
            .execute("BEGIN; LOCK TABLE audit IN EXCLUSIVE MODE")
            .await
            .unwrap();
        let body = json!({});
        tokio::select! {
            reply = console.admin().post(&retry, &body) => panic!("the note waits: {reply:?}"),
            () = are_sent(world, 1) => {}
        }
        // What is asked after that is answered: the console knows that the client is gone.
        for _ in 0..20 {
            listed(&console, "").await;
        }
        holder.execute("ROLLBACK").await.unwrap();
        is_noted(&console).await;
    })
    .await;
}

#[tokio::test]
async fn a_database_that_does_not_take_the_note_is_asked_again_and_its_want_is_told_at_last() {
    database_scenario(async |world, database| {
        let (console, retry) = filed_letter(world, database).await;
        let (put_away, put_back) = (
            "ALTER TABLE audit RENAME TO put_away",
            "ALTER TABLE put_away RENAME TO audit",
        );
        database.execute(put_away).await.unwrap();
        let body = json!({});
        let mending = async {
            are_sent(world, 1).await;
            database.execute(put_back).await.unwrap();
        };
        let (reply, ()) = tokio::join!(console.admin().post(&retry, &body), mending);
        reply.expect(202);
        is_noted(&console).await;

        // A second later, as what is asked for twice at once is sent once.
        eventually(SOON, "it may be sent again", async || {
            let ago = "SELECT (sent_at < now() - interval '1 second')::text FROM sent_again";
            (database.texts(ago).await == ["true"]).then_some(())
        })
        .await;
        database.execute(put_away).await.unwrap();
        let reply = console.admin().post(&retry, &body).await;
        assert_eq!(reply.problem(503), "retry_not_noted");
        assert!(reply.body.contains("on its way"), "{}", reply.body);
        are_sent(world, 2).await;
        database.execute(put_back).await.unwrap();
    })
    .await;
}
