//! The outbox: an event is committed with what it tells of, and published by a relay, whoever dies meanwhile.

mod booking_service; // who has one
mod aside; // what can never be published
mod command; // the relay as a process of its own
mod committed; // what is published, and what is not
mod order; // in which order
mod outages; // a broker or a database that is away
mod frozen; // a database that hangs
mod refusing; // or takes no changes
mod plans; // how much of the table is read
mod waking; // when somebody has committed

use std::sync::Arc;
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_producer::outbox::{self, Relay, RelaySettings, RelayStats};
use hookline_producer::{Event, Publish};
use hookline_tests::database::Database;
use hookline_tests::{World, eventually};
use serde_json::Value;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::SOON;

/// A booking service's database with an outbox.
struct Bookings {
    database: Database,
    pool: PgPool,
}

impl Bookings {
    async fn new() -> Self {
        let database = Database::create().await;
        let pool = PgPoolOptions::new().max_connections(12);
        let pool = pool.connect(database.url().as_str()).await.unwrap();
        outbox::migrate(&pool).await.unwrap();
        Self { database, pool }
    }

    /// Commits an event.
    async fn commit(&self, event: &Event) {
        let mut tx = self.pool.begin().await.unwrap();
        outbox::enqueue(&mut tx, event).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Commits many at once.
    async fn commit_all(&self, events: &[Event]) {
        let mut tx = self.pool.begin().await.unwrap();
        outbox::enqueue_all(&mut tx, events).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn waiting(&self) -> u64 {
        outbox::backlog(&self.pool).await.unwrap().waiting
    }

    /// Waits until nothing waits any more.
    async fn is_empty(&self) {
        eventually(SOON, "the outbox is empty", async || {
            (self.waiting().await == 0).then_some(())
        })
        .await;
    }

    async fn remove(self) {
        self.pool.close().await;
        self.database.remove().await;
    }
}

/// A relay within this process.
struct Running {
    stats: Arc<RelayStats>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(pool: &PgPool, publisher: impl Publish + 'static, settings: RelaySettings) -> Self {
        let relay = Relay::new(pool, publisher, settings);
        let stats = relay.stats();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(relay.run(async { drop(stopped.await) }));
        Self { stats, stop, task }
    }

    async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap();
    }
}

/// Settings of a relay that looks only when it is told to.
fn never_looking() -> RelaySettings {
    RelaySettings::default().with_poll(Duration::from_secs(3600))
}

/// The `number`th event of a company.
fn event(company: &str, number: usize) -> Event {
    Event::new(company, "booking.created", format!("{{\"number\":{number}}}")).unwrap()
}

fn events(company: &str, count: usize) -> Vec<Event> {
    (0..count).map(|number| event(company, number)).collect()
}

/// What lies in the events queue, in its order: company, event id and data of each.
async fn published(world: &World) -> Vec<(String, String, Value)> {
    let stored = world.read(Queue::Events).await;
    let one = |message: &hookline_tests::broker::Stored| {
        let data = serde_json::from_slice(&message.body).unwrap();
        (message.text("company").to_owned(), message.id().to_owned(), data)
    };
    stored.iter().map(one).collect()
}

/// The ids of those.
async fn published_ids(world: &World) -> Vec<String> {
    published(world).await.into_iter().map(|(_, id, _)| id).collect()
}

fn ids(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.id.to_string()).collect()
}
