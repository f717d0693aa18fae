//! A booking service with an outbox, and the program that relays it: what is committed, and when the broker has it.

use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use hookline_common::event::Event;
use hookline_common::ids::EventId;
use hookline_producer::outbox;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;
use lapin::{Connection, Consumer};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::process::Command;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::amqp::{self, ANSWER_TIME, short};
use crate::child::Child;
use crate::clock::now_ns;
use crate::error::{Context as _, Fault, Result};
use crate::load::{EVENT_TYPE, Fillings, Payload};
use crate::names;
use crate::settings::Settings;

/// Companies whose events these are, in turns.
const COMPANIES: u32 = 100;
/// How long the relay may take to be at work.
const START_TIME: Duration = Duration::from_secs(30);

/// What is committed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Commits {
    /// Goes into the ids of the events.
    pub(crate) run: u32,
    /// Events.
    pub(crate) count: u32,
    /// Connections, each with one transaction at a time.
    pub(crate) connections: u32,
    /// Events in each transaction.
    pub(crate) together: u32,
    /// Transactions a second; as many as possible where it is not given.
    pub(crate) per_second: Option<u32>,
}

/// Commits events, and tells when each was known to be, in the order of their numbers.
///
/// # Errors
/// The database refuses.
pub(crate) async fn commit(database: &str, commits: Commits) -> Result<Vec<u64>> {
    let connections = (0..commits.connections).map(|_| PgConnection::connect(database));
    let connections = try_join_all(connections).await.context("PostgreSQL")?;
    let (next, begun) = (AtomicU32::new(0), Instant::now());
    let fillings = Fillings::new(Payload::Bytes(1024));
    let writers = connections
        .into_iter()
        .map(|connection| write(connection, commits, &fillings, &next, begun));
    let mut all: Vec<(u32, u64)> = try_join_all(writers).await?.concat();
    all.sort_unstable();
    Ok(all.into_iter().map(|(_, at_ns)| at_ns).collect())
}

async fn write(
    mut connection: PgConnection,
    commits: Commits,
    fillings: &Fillings,
    next: &AtomicU32,
    begun: Instant,
) -> Result<Vec<(u32, u64)>> {
    let mut committed = Vec::new();
    loop {
        let first = next.fetch_add(commits.together, Ordering::Relaxed);
        if first >= commits.count {
            connection.close().await.context("PostgreSQL")?;
            return Ok(committed);
        }
        if let Some(rate) = commits.per_second {
            let turn = f64::from(first / commits.together.max(1)) / f64::from(rate.max(1));
            sleep_until(begun + Duration::from_secs_f64(turn)).await;
        }
        let numbers = first..commits.count.min(first + commits.together);
        let events: Result<Vec<Event>> = numbers
            .clone()
            .map(|number| event(commits.run, number, fillings))
            .collect();
        let mut transaction = connection.begin().await.context("a transaction")?;
        let enqueued = outbox::enqueue_all(&mut transaction, &events?).await;
        enqueued.context("enqueuing")?;
        transaction.commit().await.context("committing")?;
        let at_ns = now_ns();
        committed.extend(numbers.map(|number| (number, at_ns)));
    }
}

fn event(run: u32, number: u32, fillings: &Fillings) -> Result<Event> {
    let company = names::company(number % COMPANIES);
    let data = fillings.data(now_ns(), number);
    let event = Event::new(&company, EVENT_TYPE, data).context("an event")?;
    let id = EventId::parse(&names::event_id(run, number)).context("an id")?;
    Ok(Event { id, ..event })
}

/// `hookline relay` at work.
///
/// # Errors
/// It does not start.
pub(crate) fn relay(settings: &Settings, namespace: &str, database: &str) -> Result<Child> {
    let program = settings.dispatcher.with_file_name("hookline");
    if !program.exists() {
        return Err(Fault::new(format!(
            "{} does not exist; run `make bench`, which builds it",
            program.display()
        )));
    }
    let mut command = Command::new(program);
    command
        .arg("relay")
        .env_clear()
        .env("HOOKLINE_AMQP_URL", &settings.amqp_url)
        .env("HOOKLINE_NAMESPACE", namespace)
        .env("HOOKLINE_OUTBOX_DATABASE_URL", database)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Child::spawn("the relay", command, &settings.folder.join("relay.log"))
}

/// Waits until a relay sleeps, and so is ready to be woken: it holds a lock then.
///
/// # Errors
/// It does not come so far.
pub(crate) async fn relay_sleeps(database: &str, relay: &mut Child) -> Result<()> {
    const ASLEEP: &str = "\
        SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock' \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    let mut connection = PgConnection::connect(database).await.context("PostgreSQL")?;
    let since = Instant::now();
    while since.elapsed() < START_TIME {
        relay.is_alive()?;
        let is_asleep: bool = sqlx::query_scalar(ASLEEP)
            .fetch_one(&mut connection)
            .await
            .context("PostgreSQL's locks")?;
        if is_asleep {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err(Fault::new("the relay does not come to rest"))
}

/// Takes events from their queue as soon as they are there.
pub(crate) struct Arrivals {
    _connection: Connection,
    consumer: Consumer,
}

impl Arrivals {
    /// Begins to take them.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) async fn of(amqp_url: &str, queue: &str) -> Result<Self> {
        let (connection, channel) = amqp::connect(amqp_url, "hookline-bench arrivals").await?;
        let options = BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        };
        let consumer = channel.basic_consume(short(queue), short(""), options, FieldTable::default());
        Ok(Self {
            _connection: connection,
            consumer: consumer.await.context(queue)?,
        })
    }

    /// When each of the run's events came first, in the order of their numbers.
    ///
    /// # Errors
    /// They do not come, or others do.
    pub(crate) async fn first_of(mut self, run: u32, count: u32) -> Result<Vec<u64>> {
        let mut at_ns = vec![0_u64; count as usize];
        let mut missing = count;
        while missing > 0 {
            let next = timeout(ANSWER_TIME, self.consumer.next()).await;
            let next = next.map_err(|_| Fault::new(format!("no numbers: {missing} events do not come")))?;
            let delivery = next.ok_or_else(|| Fault::new("the queue is gone"))?;
            let delivery = delivery.context("the queue")?;
            let id = delivery.properties.message_id().as_ref().map(|id| id.as_str());
            match id.and_then(names::parse_event_id) {
                Some((of, number)) if of == run => {
                    if let Some(first @ 0) = at_ns.get_mut(number as usize) {
                        *first = now_ns();
                        missing -= 1;
                    }
                }
                _ => return Err(Fault::new(format!("an event of somebody else: {id:?}"))),
            }
        }
        Ok(at_ns)
    }
}
