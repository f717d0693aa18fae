//! Endpoints that answer 410 or only fail are disabled, their companies told, and nothing is lost.

mod failing; // for how long
mod gone; // with a 410
mod own_events; // what is told of it

use hookline_tests::console::{Console, MASTER_KEY};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Setup;
use hookline_tests::receiver::Receiver;
use hookline_tests::world::World;
use hookline_tests::{SOON, eventually};
use serde_json::{Value, json};

/// A dispatcher that reads endpoints where the console keeps them, and retries a few times quickly.
fn dispatcher<'a>(world: &'a World, database: &Database) -> Setup<'a> {
    world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database.url().as_str())
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
        .set("HOOKLINE_RETRY_SCHEDULE", "1s,1s,1s,1s,1s,1s,1s,1s")
}

/// Registers an endpoint of the company acme at a receiver, and returns its path.
async fn register(console: &Console, id: &str, receiver: &Receiver, events: &[&str]) -> String {
    let body = json!({"id": id, "url": format!("{}?token=t0ken", receiver.url()), "events": events});
    console.register("acme", &body).await;
    format!("/v1/companies/acme/endpoints/{id}")
}

async fn shown(console: &Console, path: &str) -> Value {
    console.admin().get(path).await.expect(200).json()
}

/// Waits until an endpoint is as `wanted` says.
async fn becomes(console: &Console, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(SOON, &format!("{path} {what}"), async || {
        let endpoint = shown(console, path).await;
        wanted(&endpoint).then_some(endpoint)
    })
    .await
}

async fn publish(console: &Console, event_type: &str) -> String {
    let event = json!({"type": event_type, "data": {}});
    let sent = console.admin().post("/v1/companies/acme/events", &event).await;
    sent.expect(202).json()["id"].as_str().unwrap().to_owned()
}

/// Waits until so many dead letters are filed, and returns them.
async fn are_filed(console: &Console, count: usize) -> Vec<Value> {
    eventually(SOON, &format!("{count} dead letters are filed"), async || {
        let listed = shown(console, "/v1/companies/acme/failed").await;
        let letters = listed["data"].as_array().unwrap().clone();
        (letters.len() == count).then_some(letters)
    })
    .await
}

fn is_disabled(endpoint: &Value) -> bool {
    endpoint["disabled"] == true
}

/// Waits until the console has counted so many endpoints that it has disabled.
async fn are_counted(console: &Console, count: f64) {
    console
        .process()
        .shows("hookline_endpoints_disabled_total", count)
        .await;
}
