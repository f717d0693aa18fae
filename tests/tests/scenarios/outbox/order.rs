//! In which order events are published: a company's as their transactions committed, whoever relays them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::outbox::{self, RelaySettings};
use hookline_producer::{Event, Producer, Settings};
use hookline_tests::services::services;
use hookline_tests::{World, eventually, scenario};
use serde_json::Value;
use sqlx::PgPool;
use tokio::time::sleep;

use super::{Bookings, Running, event, events, published};
use crate::SOON;

/// A producer with a connection of its own.
async fn another_producer(world: &World) -> Producer {
    let settings = Settings::new(&services().amqp_url).unwrap();
    let settings = settings.with_namespace(world.namespace().clone());
    Producer::connect(settings).await.unwrap()
}

/// The numbers of each company's events, in their order.
fn numbers(published: &[(String, String, Value)]) -> BTreeMap<&str, Vec<u64>> {
    let mut numbers: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (company, _, data) in published {
        numbers
            .entry(company)
            .or_default()
            .push(data["number"].as_u64().unwrap());
    }
    numbers
}

#[tokio::test]
async fn two_relays_keep_each_companys_order_and_publish_nothing_twice() {
    const COMPANIES: usize = 30;
    const EACH: usize = 40;
    scenario(async |world| {
        world.leaves(Queue::Events);
        let bookings = Bookings::new().await;
        // Small batches, so that companies change hands often.
        let settings = RelaySettings::default().with_batch(15).with_per_company(3);
        let relays = [another_producer(world).await, another_producer(world).await]
            .map(|producer| Running::start(&bookings.pool, producer, settings.clone()));
        let companies: Vec<String> = (0..COMPANIES).map(|number| format!("c{number}")).collect();
        let writers = companies.iter().map(async |company| {
            for few in events(company, EACH).chunks(4) {
                bookings.commit_all(few).await;
            }
        });
        futures_util::future::join_all(writers).await;
        bookings.is_empty().await;
        let shares = relays.each_ref().map(|relay| relay.stats.published());
        for relay in relays {
            relay.stop().await;
        }
        assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
        let published = published(world).await;
        let numbers = numbers(&published);
        assert_eq!(numbers.len(), COMPANIES);
        let in_order: Vec<u64> = (0..EACH as u64).collect();
        for (company, numbers) in numbers {
            assert_eq!(numbers, in_order, "{company}");
        }
        bookings.remove().await;
    })
    .await;
}

/// Changes a booking `rounds` times, beside others who do the same, and enqueues the number of each change after it. Each
/// transaction has written something else before, and so got its place among all transactions early; and it goes on for a
/// while after it has enqueued.
async fn changes(pool: &PgPool, seed: u64, rounds: u64) {
    for round in 0..rounds {
        // No two writers take the same time.
        let pause = |of: u64| Duration::from_micros((seed * 7919 + round * 104_729 + of * 1299) % 4000);
        let booking = i64::try_from((seed + round) % 3).unwrap();
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO audit VALUES (1)")
            .execute(&mut *tx)
            .await
            .unwrap();
        sleep(pause(1)).await;
        let change = "UPDATE bookings SET version = version + 1 WHERE id = $1 RETURNING version";
        let version: i64 = sqlx::query_scalar(change)
            .bind(booking)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        sleep(pause(2)).await;
        let data = format!("{{\"booking\":{booking},\"number\":{version}}}");
        let event = Event::new("acme", "booking.rescheduled", data).unwrap();
        outbox::enqueue(&mut tx, &event).await.unwrap();
        sleep(pause(3)).await;
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn changes_to_one_booking_are_published_in_the_order_of_their_commits() {
    const WRITERS: u64 = 8;
    const ROUNDS: u64 = 30;
    scenario(async |world| {
        world.leaves(Queue::Events);
        let bookings = Bookings::new().await;
        let tables = "CREATE TABLE bookings (id bigint PRIMARY KEY, version bigint NOT NULL); \
                      INSERT INTO bookings SELECT id, 0 FROM generate_series(0, 2) AS id; CREATE TABLE audit (n bigint)";
        bookings.database.execute(tables).await.unwrap();
        let relay = Running::start(
            &bookings.pool,
            world.producer().await.clone(),
            RelaySettings::default().with_batch(10),
        );
        // One that has enqueued before all others and commits after them holds nobody up, and comes when it commits.
        let mut slow = bookings.pool.begin().await.unwrap();
        outbox::enqueue(&mut slow, &event("acme", 0)).await.unwrap();
        let writers = (0..WRITERS).map(|seed| changes(&bookings.pool, seed, ROUNDS));
        futures_util::future::join_all(writers).await;
        let count = usize::try_from(WRITERS * ROUNDS).unwrap();
        world.expect_in(Queue::Events, count, SOON).await;
        slow.commit().await.unwrap();
        world.expect_in(Queue::Events, count + 1, SOON).await;
        relay.stop().await;
        let published = published(world).await;
        let mut versions: BTreeMap<u64, u64> = BTreeMap::new();
        for (_, _, data) in &published[..count] {
            let version = versions.entry(data["booking"].as_u64().unwrap()).or_default();
            *version += 1;
            assert_eq!(data["number"], *version, "{published:?}");
        }
        assert_eq!(published[count].2["number"], 0);
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn who_began_after_a_commit_is_published_after_it() {
    const WRITERS: usize = 6;
    const ROUNDS: usize = 30;
    scenario(async |world| {
        world.leaves(Queue::Events);
        let bookings = Bookings::new().await;
        let relays = [another_producer(world).await, another_producer(world).await]
            .map(|producer| Running::start(&bookings.pool, producer, RelaySettings::default()));
        // A clock that only counts: when each began to enqueue, and when it knew that it had committed.
        let clock = Arc::new(AtomicUsize::new(0));
        let now = || clock.fetch_add(1, Ordering::SeqCst);
        let writers = (0..WRITERS).map(async |writer| {
            let mut spans = Vec::new();
            for round in 0..ROUNDS {
                let event = event("acme", round);
                let mut tx = bookings.pool.begin().await.unwrap();
                sqlx::query("SELECT pg_current_xact_id()")
                    .execute(&mut *tx)
                    .await
                    .unwrap();
                sleep(Duration::from_micros(
                    ((writer * 7919 + round * 104_729) % 3000) as u64,
                ))
                .await;
                let began = now();
                outbox::enqueue(&mut tx, &event).await.unwrap();
                sleep(Duration::from_micros(
                    ((writer * 104_729 + round * 7919) % 3000) as u64,
                ))
                .await;
                tx.commit().await.unwrap();
                spans.push((event.id.to_string(), (began, now())));
            }
            spans
        });
        let spans = futures_util::future::join_all(writers).await;
        let spans: BTreeMap<String, (usize, usize)> = spans.into_iter().flatten().collect();
        bookings.is_empty().await;
        for relay in relays {
            relay.stop().await;
        }
        let published = published(world).await;
        assert_eq!(published.len(), WRITERS * ROUNDS);
        // The latest beginning among those before: nobody behind may have ended before that.
        let mut latest_began = 0;
        for (_, id, _) in &published {
            let (began, ended) = spans[id];
            assert!(
                ended > latest_began,
                "{id} ended at {ended}, and one before it began at {latest_began}"
            );
            latest_began = latest_began.max(began);
        }
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn a_company_with_very_many_events_does_not_hold_up_the_others() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let bookings = Bookings::new().await;
        bookings.commit_all(&events("a-busy-one", 2000)).await;
        bookings.commit_all(&events("quiet", 3)).await;
        let settings = RelaySettings::default().with_batch(100);
        let relay = Running::start(&bookings.pool, world.producer().await.clone(), settings);
        eventually(SOON, "all are published", async || {
            (relay.stats.published() == 2003).then_some(())
        })
        .await;
        relay.stop().await;
        let published = published(world).await;
        let last_quiet = published
            .iter()
            .rposition(|(company, ..)| company == "quiet")
            .unwrap();
        assert!(last_quiet < 200, "{last_quiet}");
        let in_order: Vec<u64> = (0..2000).collect();
        assert_eq!(numbers(&published)["a-busy-one"], in_order);
        bookings.remove().await;
    })
    .await;
}
