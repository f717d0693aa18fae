//! When somebody has committed, a relay that sleeps is woken; one that is awake needs nobody to wake it.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::MemoryProducer;
use hookline_producer::outbox::{self, RelaySettings};
use hookline_tests::{eventually, scenario};
use sqlx::postgres::PgListener;
use tokio::time::sleep;

use super::{Bookings, Running, event, events, never_looking};
use crate::SOON;

async fn holds(producer: &MemoryProducer, count: usize) {
    let what = format!("{count} events are published");
    eventually(SOON, &what, async || {
        (producer.published().len() >= count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_commit_wakes_a_relay_that_never_looks_by_itself() {
    let bookings = Bookings::new().await;
    let producer = MemoryProducer::new();
    // Two of them: whichever of them sleeps, somebody wakes up.
    let relays = [0, 1].map(|_| Running::start(&bookings.pool, producer.clone(), never_looking()));
    for number in 0..30 {
        bookings.commit(&event("acme", number)).await;
        holds(&producer, number + 1).await;
    }
    // And then both sleep: a third of a second later none of their connections has asked for anything.
    let asked = "SELECT pid || ' ' || query_start FROM pg_stat_activity \
                 WHERE datname = current_database() AND query ILIKE '%advisory%' AND pid <> pg_backend_pid() ORDER BY pid";
    eventually(SOON, "both relays sleep", async || {
        let before = bookings.database.texts(asked).await;
        sleep(Duration::from_millis(333)).await;
        (before.len() >= 3 && bookings.database.texts(asked).await == before).then_some(())
    })
    .await;
    for relay in relays {
        relay.stop().await;
    }
    assert_eq!(producer.published().len(), 30);
    bookings.remove().await;
}

#[tokio::test]
async fn nobody_is_forgotten_among_many_who_commit_while_a_relay_falls_asleep() {
    let bookings = Bookings::new().await;
    let producer = MemoryProducer::new();
    let relays = [0, 1].map(|_| Running::start(&bookings.pool, producer.clone(), never_looking()));
    for round in 0..20 {
        let writers = (0..6_u64).map(async |writer| {
            let mut tx = bookings.pool.begin().await.unwrap();
            outbox::enqueue(&mut tx, &event(&format!("c{writer}"), round))
                .await
                .unwrap();
            // Some commit at once, some while the relay is on its way to bed because of those.
            sleep(Duration::from_micros(writer * writer * 300)).await;
            tx.commit().await.unwrap();
        });
        futures_util::future::join_all(writers).await;
        holds(&producer, (round + 1) * 6).await;
    }
    for relay in relays {
        relay.stop().await;
    }
    bookings.remove().await;
}

#[tokio::test]
async fn nobody_is_called_while_no_relay_sleeps() {
    let bookings = Bookings::new().await;
    let mut listener = PgListener::connect_with(&bookings.pool).await.unwrap();
    listener.listen("hookline_outbox").await.unwrap();
    let call = async || {
        let call = sqlx::query("SELECT pg_notify('hookline_outbox', 'by the test')");
        call.execute(&bookings.pool).await.unwrap();
    };
    bookings.commit(&event("acme", 0)).await;
    call().await;
    assert_eq!(listener.recv().await.unwrap().payload(), "by the test");

    // One that sleeps is called.
    let producer = MemoryProducer::new();
    let relay = Running::start(&bookings.pool, producer.clone(), never_looking());
    holds(&producer, 1).await;
    eventually(SOON, "somebody is called", async || {
        bookings.commit(&event("acme", 1)).await;
        call().await;
        let heard = listener.recv().await.unwrap().payload().is_empty();
        if heard {
            // The test's own call comes behind it.
            listener.recv().await.unwrap();
        }
        heard.then_some(())
    })
    .await;
    relay.stop().await;
    // The pool waits for all its connections before it is closed.
    drop(listener);
    bookings.remove().await;
}

#[tokio::test]
async fn what_nobody_was_called_for_is_found_by_looking() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let bookings = Bookings::new().await;
        let mute = "ALTER TABLE hookline_outbox DISABLE TRIGGER hookline_outbox_wake";
        bookings.database.execute(mute).await.unwrap();
        let settings = RelaySettings::default().with_poll(Duration::from_millis(50));
        let relay = Running::start(&bookings.pool, world.producer().await.clone(), settings);
        for few in events("acme", 6).chunks(2) {
            bookings.commit_all(few).await;
            bookings.is_empty().await;
        }
        relay.stop().await;
        world.expect_in(Queue::Events, 6, SOON).await;
        bookings.remove().await;
    })
    .await;
}
