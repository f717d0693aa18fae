//! What the broker refuses, or does not confirm for long, does not have the rest sent again and again.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::broker::Broker;
use hookline_tests::console::{Console, database_scenario, setup, start};
use hookline_tests::database::Database;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::{World, eventually};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{FAILED, done, listed};
use crate::SOON;

/// Longer than anybody waits for an answer, and than a queue may be silent before that is told.
const LONG: Duration = Duration::from_secs(35);

/// A console at a broker of its own, where `ep_crm` has five dead letters, one of them large.
async fn console(world: &World, database: &Database, broker: &PrivateBroker) -> Console {
    let console = start(setup(world, database).set("HOOKLINE_AMQP_URL", broker.url())).await;
    let wanted = json!({"url": "https://example.com/", "id": "ep_crm"});
    console.register("acme", &wanted).await;
    let letters = "INSERT INTO dead_letters (company, event, endpoint, failed_at, type, origin, reason, attempts, \
         last_outcome, last_status, created_at, data) SELECT 'acme', 'evt_' || n, 'ep_crm', now() - interval '1 hour', \
         'booking.created', 'event', 'retries_exhausted', 4, 'http_status', 500, now(), \
         convert_to('{\"a\":\"' || repeat('x', CASE n WHEN 3 THEN 5000 ELSE 1 END) || '\"}', 'UTF8') \
         FROM generate_series(1, 5) AS n";
    database.execute(letters).await.unwrap();
    eventually(SOON, "its queue stands", async || sent(world, broker).await).await;
    console
}

async fn retry_all(console: &Console) -> String {
    let asked = console.admin().post(&format!("{FAILED}/retry"), &json!({})).await;
    let asked: Value = asked.expect(202).json();
    assert_eq!(asked["count"], 5, "{asked}");
    asked["retry"].as_str().unwrap().to_owned()
}

/// Deliveries that wait for a dispatcher.
async fn sent(world: &World, broker: &PrivateBroker) -> Option<u32> {
    let broker = Broker::connect(&broker.url()).await;
    broker.ready(&world.queue(Queue::Deliveries)).await
}

#[tokio::test]
async fn one_that_the_broker_never_takes_stays_and_its_neighbours_are_not_sent_again_and_again() {
    let broker = PrivateBroker::start().await;
    database_scenario(async |world, database| {
        let console = console(world, database, &broker).await;
        // RabbitMQ 3 reads it each time, and RabbitMQ 4 keeps what it has read at its start.
        broker
            .evaluate(
                "application:set_env(rabbit, max_message_size, 4000), persistent_term:put(max_message_size, 4000).",
            )
            .await;
        let progress = done(&console, &retry_all(&console).await).await;
        assert_eq!((&progress["done"], &progress["total"]), (&4.into(), &5.into()), "{progress}");
        // What was under way on the channel that died of it may be stored twice, and no more than that.
        let sent = sent(world, &broker).await.unwrap();
        assert!((4..=8).contains(&sent), "{sent}");
        let open = listed(&console, "?open=true").await;
        assert_eq!((open.len(), &open[0]["event"]), (1, &"evt_3".into()));
        console.process().stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_confirms_nothing_for_long_gets_each_once() {
    let broker = PrivateBroker::start().await;
    database_scenario(async |world, database| {
        let console = console(world, database, &broker).await;
        // The process that keeps the queue stands still, as one without a quorum does.
        let process = format!("'%2F_{}'", world.queue(Queue::Deliveries));
        broker.evaluate(&format!("sys:suspend({process}).")).await;
        let retry = retry_all(&console).await;
        sleep(LONG).await;
        broker.evaluate(&format!("sys:resume({process}).")).await;
        let progress = done(&console, &retry).await;
        assert_eq!(progress["done"], 5, "{progress}");
        assert_eq!(sent(world, &broker).await, Some(5));
        console.process().stop().await;
    })
    .await;
}
