//! A database that hangs while relays run, and goes on: nothing is lost, nothing comes that was rolled back, all comes in its
//! order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_producer::outbox::{self, RelaySettings};
use hookline_tests::private_postgres::PrivatePostgres;
use hookline_tests::{eventually, scenario};
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, Executor as _};

use super::{Running, event, ids, published};
use crate::SOON;

const COMPANIES: [&str; 3] = ["acme", "globex", "initech"];
/// What a relay has in hand, and so what it may publish again.
const BATCH: u32 = 20;

/// What a booking service did: its committed events in their order, and those that it rolled back.
#[derive(Default)]
struct Done {
    committed: Vec<Event>,
    rolled_back: Vec<Event>,
}

/// A booking service of one company, at work until it is told to stop. It waits for as long as the database hangs.
async fn work(postgres: String, company: &str, stop: Arc<AtomicBool>) -> Done {
    let mut connection = PgConnection::connect(&postgres).await.unwrap();
    let mut done = Done::default();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let event = event(company, number);
        let mut tx = connection.begin().await.unwrap();
        outbox::enqueue(&mut tx, &event).await.unwrap();
        if number % 3 == 0 {
            tx.rollback().await.unwrap();
            done.rolled_back.push(event);
        } else {
            tx.commit().await.unwrap();
            done.committed.push(event);
        }
    }
    connection.close().await.unwrap();
    done
}

#[tokio::test]
async fn a_database_that_freezes_while_relays_run_loses_nothing_and_is_relayed_on() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let postgres = PrivatePostgres::start().await;
        let url = postgres.url().to_string();
        let pool = PgPool::connect(&url).await.unwrap();
        outbox::migrate(&pool).await.unwrap();
        let producer = world.producer().await.clone();
        let settings = || RelaySettings::default().with_batch(BATCH);
        let relays = [0, 1].map(|_| Running::start(&pool, producer.clone(), settings()));
        let relayed = || relays.iter().map(|relay| relay.stats.published()).sum::<u64>();
        let stop = Arc::new(AtomicBool::new(false));
        let services = COMPANIES.map(|company| tokio::spawn(work(url.clone(), company, Arc::clone(&stop))));
        // Two transactions that are open all the while.
        let (late, never) = (event("late", 1), event("late", 2));
        let mut connections = Vec::new();
        for event in [&late, &never] {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            connection.execute("BEGIN").await.unwrap();
            outbox::enqueue(&mut connection, event).await.unwrap();
            connections.push(connection);
        }

        eventually(SOON, "the relays are at work", async || {
            (relayed() >= 100).then_some(())
        })
        .await;
        postgres.freeze().await;
        for relay in &relays {
            eventually(SOON, "the relay has given up", async || {
                (!relay.stats.is_working()).then_some(())
            })
            .await;
        }
        let before = relayed();
        postgres.thaw().await;
        for (connection, end) in connections.iter_mut().zip(["COMMIT", "ROLLBACK"]) {
            connection.execute(end).await.unwrap();
        }
        eventually(SOON, "they go on", async || {
            (relayed() >= before + 100).then_some(())
        })
        .await;
        stop.store(true, Ordering::Relaxed);
        let mut committed = BTreeMap::from([("late", vec![late])]);
        let mut rolled_back = vec![never];
        for (company, service) in COMPANIES.into_iter().zip(services) {
            let done = service.await.unwrap();
            committed.insert(company, done.committed);
            rolled_back.extend(done.rolled_back);
        }
        eventually(SOON, "all are relayed", async || {
            let backlog = outbox::backlog(&pool).await.ok()?;
            assert_eq!(backlog.aside, 0);
            (backlog.waiting == 0).then_some(())
        })
        .await;
        for relay in relays {
            relay.stop().await;
        }
        pool.close().await;

        let published = published(world).await;
        for (company, events) in committed {
            let mut seen = BTreeSet::new();
            let of_it = published.iter().filter(|(of, ..)| of == company);
            let in_order: Vec<String> = of_it
                .map(|(_, id, _)| id.clone())
                .filter(|id| seen.insert(id.clone()))
                .collect();
            assert_eq!(in_order, ids(&events), "{company}");
        }
        let all: BTreeSet<&String> = published.iter().map(|(_, id, _)| id).collect();
        for id in ids(&rolled_back) {
            assert!(!all.contains(&id), "{id} was rolled back");
        }
        let repeated = published.len() - all.len();
        assert!(repeated <= 2 * BATCH as usize, "{repeated} were published again");
    })
    .await;
}
