//! Dead letters at the console: filed from their queue, each once, sent again by hand, gone when they are delivered or
//! discarded.

mod discard; // nobody wants them
mod filing; // from the queue into the database
mod plans; // many of them, and still found at once
mod retry; // and back, one or many
mod noted; // and noted to be, whatever happens meanwhile
mod noted_many; // many of them as well, whoever stops in the middle of it
mod retry_many; // whatever dies meanwhile
mod once; // and each once, whatever the broker does to its neighbours
mod endpoint_gone; // or stays, as its endpoint was removed

use hookline_common::topology::Queue;
use hookline_tests::console::{Console, MASTER_KEY, setup, start};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Setup;
use hookline_tests::message::{HandMade, text};
use hookline_tests::{Receiver, World, eventually};
use lapin::types::AMQPValue;
use serde_json::{Value, json};

use crate::SOON;

const FAILED_AT: &str = "2026-01-05T09:30:00.123Z";
const FAILED: &str = "/v1/companies/acme/failed";

/// A dead letter of `acme`, as a dispatcher would have made it.
fn dead_letter(endpoint: &str) -> HandMade {
    HandMade::delivery(endpoint)
        .header("attempt", AMQPValue::LongInt(4))
        .header("failed-at", text(FAILED_AT))
        .header("reason", text("retries_exhausted"))
        .header("last-outcome", text("http_status"))
        .header("last-status", AMQPValue::LongInt(503))
}

/// A dispatcher that reads endpoints from this database.
fn dispatcher<'a>(world: &'a World, database: &Database) -> Setup<'a> {
    world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database.url().as_str())
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
}

/// A console that files: its queue is there.
async fn filing_console(world: &World, database: &Database) -> Console {
    let console = start(setup(world, database)).await;
    eventually(SOON, "the queue is there", async || {
        world.broker().ready(&world.queue(Queue::Failed)).await.map(drop)
    })
    .await;
    console
}

/// Registers `ep_crm` of `acme` at a receiver.
async fn register(console: &Console, receiver: &Receiver, disabled: bool) {
    let wanted = json!({"url": receiver.url(), "id": "ep_crm", "disabled": disabled});
    console.register("acme", &wanted).await;
}

/// Dead letters that the database holds.
async fn filed(database: &Database) -> usize {
    let count = database.texts("SELECT count(*)::text FROM dead_letters").await;
    count[0].parse().unwrap()
}

/// Waits until it holds so many, and nothing is left in the queue.
async fn are_filed(world: &World, database: &Database, count: usize) {
    eventually(SOON, "all dead letters are filed", async || {
        let left = world.broker().ready(&world.queue(Queue::Failed)).await;
        (filed(database).await == count && left == Some(0)).then_some(())
    })
    .await;
}

/// The dead letters of `acme`, as the API lists them.
async fn listed(console: &Console, query: &str) -> Vec<Value> {
    let reply = console.admin().get(&format!("{FAILED}{query}")).await.expect(200);
    reply.json()["data"].as_array().unwrap().clone()
}

/// Waits until a retry of many is done, and returns how far it came.
async fn done(console: &Console, retry: &str) -> Value {
    eventually(3 * SOON, "the retry is done", async || {
        let progress = console.admin().get(&format!("{FAILED}/retries/{retry}")).await;
        let progress = progress.expect(200).json();
        (progress["state"] == "done").then_some(progress)
    })
    .await
}
