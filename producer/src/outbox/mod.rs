//! A transactional outbox in PostgreSQL: an event is committed with the booking that it tells of, or with it rolled back, and
//! published by a [`Relay`] afterwards. Feature `outbox-postgres`; PostgreSQL 14 or later.
//!
//! ```no_run
//! # async fn book(pool: hookline_producer::outbox::sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
//! use hookline_producer::outbox::{self, Relay, RelaySettings, sqlx};
//! use hookline_producer::{Event, Producer, Settings};
//!
//! // Once, when the service starts (or the SQL file as a step of its own migrations).
//! outbox::migrate(&pool).await?;
//! let relay = Relay::new(&pool, Producer::start(Settings::from_env()?), RelaySettings::default());
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let relaying = tokio::spawn(relay.run(async { drop(stopped.await) }));
//!
//! // With every booking: its own change first, then the event that tells of it.
//! let mut tx = pool.begin().await?;
//! sqlx::query("UPDATE bookings SET status = 'cancelled' WHERE id = $1").bind("bkg_1").execute(&mut *tx).await?;
//! let event = Event::new("acme", "booking.cancelled", r#"{"booking":{"id":"bkg_1"}}"#)?;
//! outbox::enqueue(&mut tx, &event).await?;
//! tx.commit().await?;
//!
//! // When it ends.
//! drop(stop);
//! relaying.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - An event whose transaction committed is published until the broker has confirmed it, through crashes of relays, of the
//!   broker and of the database. Its row is deleted after the confirm and not before.
//! - An event whose transaction was rolled back is never published: nobody sees its row.
//! - At least once: a relay that dies between confirm and delete leaves rows that are published again with the same event id,
//!   at most a batch of them. Receivers recognise them by `webhook-id`, as they recognise every repetition.
//! - What can never be published (another program wrote a row that is no event, the broker takes no message of that size, or
//!   none of that type from this account) is [set aside](list_aside) with its reason, and what stands behind it goes on.
//! - Whatever else fails is tried until the broker has it, and its company's events wait behind it: a queue that is full, a
//!   broker that is slow or away, an exchange that leads nowhere say nothing of the event. The log says why it waits.
//!
//! # In which order
//!
//! A company's events are published one after the other, each when the one before it is confirmed, by one relay at a time
//! (companies side by side). Where transaction *A* has committed before transaction *B* called [`enqueue`], *A*'s event is
//! published first. So two changes to the same booking keep their order wherever the later transaction had to wait for the
//! earlier one's row lock, or began after it, provided that both enqueue *after* the change.
//!
//! Between transactions that enqueue while the other one is still open, PostgreSQL tells nobody which of them committed first. They
//! are published in the order in which they enqueued where one look of the relay finds both, and otherwise in the order in
//! which they became visible, which is that of their commits. A transaction that stays open never holds the others up.
//! What is set aside leaves a gap. A relay that is frozen for so long that the database gave its locks to another one may, when
//! it goes on, still send what it had in hand. What becomes of the order behind the broker, Hookline's guarantees tell: a
//! delivery that is retried is overtaken.
//!
//! # Several relays
//!
//! Any number may run, in the services themselves or as `hookline relay`. Each company is one relay's at a time, by an advisory
//! lock that ends with the relay's connection. They need connections of their own to the primary, made with the pool's options;
//! a connection pooler in transaction mode cannot carry those, and may carry what enqueues.

mod aside; // what could not be published
mod backlog; // how much waits
mod batch; // a batch is published
mod enqueue; // into the table
mod error; // how it fails
mod outcome; // and what becomes of it
mod relay; // out of the table
mod rest; // when there is nothing to do
mod row; // a row is an event, or is not
mod schema; // the table itself
mod settings; // how much at once
mod stats; // what is counted
mod stop; // when it is time to stop
mod table; // the table, as a relay sees it
mod verdict; // whether an event can ever be published

pub use aside::{Aside, discard_aside, list_aside, put_back, put_back_all};
pub use backlog::{Backlog, backlog, backlog_up_to};
pub use enqueue::{enqueue, enqueue_all};
pub use error::OutboxError;
pub use relay::Relay;
pub use schema::{MIGRATIONS, connect, migrate};
pub use settings::RelaySettings;
pub use sqlx;
pub use stats::RelayStats;
