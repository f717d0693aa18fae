//! A broker or a database that is away: nothing is lost, and all goes on when it is back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::outbox::{self, RelaySettings};
use hookline_producer::{Event, MemoryProducer, Producer, Publish, PublishError, PublishFuture, Settings};
use hookline_tests::private_postgres::PrivatePostgres;
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{World, eventually, scenario};
use sqlx::PgPool;

use super::{Bookings, Running, events, ids, published_ids};
use crate::SOON;

/// A producer over a link that can be cut, with little patience.
async fn producer_over(world: &World, wire: &Wire) -> Producer {
    let settings = Settings::new(&wire.url(&services().amqp_url)).unwrap();
    let settings = settings
        .with_namespace(world.namespace().clone())
        .with_publish_timeout(Duration::from_secs(2));
    Producer::connect(settings).await.unwrap()
}

#[tokio::test]
async fn what_is_committed_while_the_broker_is_away_is_published_when_it_is_back() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let wire = Wire::to(&services().amqp_url).await;
        let producer = producer_over(world, &wire).await;
        let bookings = Bookings::new().await;
        let all = events("acme", 300);
        bookings.commit_all(&all[..100]).await;
        let relay = Running::start(&bookings.pool, producer, RelaySettings::default());
        bookings.is_empty().await;
        wire.cut();
        bookings.commit_all(&all[100..200]).await;
        eventually(SOON, "a publish fails", async || {
            (relay.stats.failed() > 0 && !relay.stats.is_working()).then_some(())
        })
        .await;
        bookings.commit_all(&all[200..]).await;
        assert_eq!(bookings.waiting().await, 200);
        wire.restore();
        bookings.is_empty().await;
        relay.stop().await;
        // Each is tried until it is known, so that one whose confirm was lost may be there twice, but none before its turn.
        let mut published = published_ids(world).await;
        published.dedup();
        assert_eq!(published, ids(&all));
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn a_relay_is_stopped_while_the_broker_is_silent_and_the_next_one_goes_on() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let wire = Wire::to(&services().amqp_url).await;
        let producer = producer_over(world, &wire).await;
        let bookings = Bookings::new().await;
        wire.fall_silent();
        let all = events("acme", 20);
        bookings.commit_all(&all).await;
        let relay = Running::start(&bookings.pool, producer, RelaySettings::default());
        // It has taken its batch when it holds the company's lock.
        let locks = "SELECT 'x' FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                     WHERE locktype = 'advisory' AND datname = current_database() OFFSET 1";
        eventually(SOON, "it has taken a batch", async || {
            (!bookings.database.texts(locks).await.is_empty()).then_some(())
        })
        .await;
        relay.stop().await;
        assert_eq!(bookings.waiting().await, 20);
        let next = Running::start(
            &bookings.pool,
            world.producer().await.clone(),
            RelaySettings::default(),
        );
        bookings.is_empty().await;
        next.stop().await;
        let published: BTreeSet<String> = published_ids(world).await.into_iter().collect();
        assert_eq!(published, ids(&all).into_iter().collect());
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn a_database_that_goes_and_comes_back_is_relayed_on() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let postgres = PrivatePostgres::start().await;
        let pool = PgPool::connect(postgres.url().as_str()).await.unwrap();
        outbox::migrate(&pool).await.unwrap();
        let relay = Running::start(&pool, world.producer().await.clone(), RelaySettings::default());
        let all = events("acme", 60);
        for (number, few) in all.chunks(20).enumerate() {
            if number > 0 {
                postgres.stop().await;
                eventually(SOON, "the relay notices", async || {
                    (!relay.stats.is_working()).then_some(())
                })
                .await;
                postgres.start_again().await;
            }
            eventually(SOON, "they are committed", async || {
                let mut tx = pool.begin().await.ok()?;
                outbox::enqueue_all(&mut tx, few).await.ok()?;
                tx.commit().await.ok()
            })
            .await;
            eventually(SOON, "they are relayed", async || {
                let backlog = outbox::backlog(&pool).await.ok()?;
                (backlog.waiting == 0).then_some(())
            })
            .await;
        }
        relay.stop().await;
        let mut published = published_ids(world).await;
        published.dedup();
        assert_eq!(published, ids(&all));
        pool.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_relay_whose_connections_are_ended_connects_again() {
    let bookings = Bookings::new().await;
    let producer = hookline_producer::MemoryProducer::new();
    let relay = Running::start(&bookings.pool, producer.clone(), super::never_looking());
    for (round, few) in events("acme", 40).chunks(10).enumerate() {
        // One of its two connections, whatever it is doing: first the one on which it works, then the one on which it is woken.
        let of_the_relay = format!(
            "SELECT pg_terminate_backend(pid)::text FROM (SELECT pid FROM pg_stat_activity \
             WHERE datname = current_database() AND query ILIKE '%advisory%' AND pid <> pg_backend_pid() \
             ORDER BY backend_start OFFSET {} LIMIT 1) AS one",
            round % 2
        );
        let ended = bookings.database.texts(&of_the_relay).await;
        bookings.commit_all(few).await;
        let count = (round + 1) * 10;
        eventually(SOON, &format!("{count} are published, {ended:?}"), async || {
            (producer.published().len() >= count).then_some(())
        })
        .await;
    }
    bookings.is_empty().await;
    relay.stop().await;
    bookings.remove().await;
}

/// A broker that lets others through and one company not, for as long as it is told: its queue is nearly full, or its cluster has
/// barely a majority.
#[derive(Clone)]
struct Limping {
    stores: MemoryProducer,
    company: &'static str,
    failures: usize,
    failed: Arc<AtomicUsize>,
}

impl Publish for Limping {
    fn publish<'a>(&'a self, event: &'a Event) -> PublishFuture<'a> {
        Box::pin(async move {
            if event.company.as_str() != self.company || self.failed.load(Ordering::SeqCst) >= self.failures {
                return self.stores.publish(event).await;
            }
            let (id, waited, cause) = (event.id.clone(), Duration::ZERO, None);
            Err(match self.failed.fetch_add(1, Ordering::SeqCst) % 4 {
                0 => PublishError::NotStored {
                    event: id,
                    waited,
                    cause,
                },
                1 => PublishError::Unconfirmed {
                    event: id,
                    waited,
                    cause,
                },
                2 => PublishError::Busy { event: id, waited },
                _ => PublishError::Unroutable {
                    event: id,
                    maybe_stored: false,
                    exchange: "hookline.events".to_owned(),
                },
            })
        })
    }
}

#[tokio::test]
async fn an_event_that_fails_while_others_are_stored_keeps_its_place_however_often() {
    const FAILURES: usize = 8;
    let bookings = Bookings::new().await;
    let (held_up, others) = (events("acme", 3), events("other", 20));
    bookings.commit_all(&held_up).await;
    bookings.commit_all(&others).await;
    let broker = Limping {
        stores: MemoryProducer::new(),
        company: "acme",
        failures: FAILURES,
        failed: Arc::default(),
    };
    // With one event of each company in a batch, something is stored in each in which one fails.
    let settings = RelaySettings::default().with_per_company(1);
    let relay = Running::start(&bookings.pool, broker.clone(), settings);
    bookings.is_empty().await;
    assert_eq!(relay.stats.failed(), FAILURES as u64);
    assert_eq!(relay.stats.set_aside(), 0);
    relay.stop().await;
    assert!(outbox::list_aside(&bookings.pool).await.unwrap().is_empty());
    let published = broker.stores.published();
    let of = |company: &str| -> Vec<String> {
        let its = published.iter().filter(|event| event.company.as_str() == company);
        its.map(|event| event.id.to_string()).collect()
    };
    assert_eq!(of("acme"), ids(&held_up));
    assert_eq!(of("other"), ids(&others));
    let meanwhile = published
        .iter()
        .take_while(|event| event.company.as_str() == "other")
        .count();
    assert!(meanwhile >= FAILURES, "{meanwhile} others were stored meanwhile");
    bookings.remove().await;
}
