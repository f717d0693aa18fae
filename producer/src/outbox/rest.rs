//! When there is nothing to do: asleep until somebody enqueues, and without making everybody who does wake someone.

use std::time::Duration;

use futures_util::FutureExt as _;
use sqlx::Executor as _;
use sqlx::postgres::PgListener;
use tokio::time::{Instant, sleep};

use super::error::OutboxError;
use super::settings::RelaySettings;
use super::stop::Stop;
use super::table::{Batch, Table, within};

/// Until the next look where somebody has enqueued and not committed, at first and at last. Most commit within milliseconds; one
/// that does not must neither keep the database busy nor delay the others.
const NAP: Duration = Duration::from_millis(10);
const LONGEST_NAP: Duration = Duration::from_millis(40);
/// After how long a silence the listening connection is asked whether anybody is there: one whose other end is gone is as silent
/// as one on which nothing happens.
const ASK_AFTER: Duration = Duration::from_secs(30);

/// Hears of events that were committed.
pub(super) struct Ear {
    listener: PgListener,
    heard_at: Instant,
    nap: Duration,
}

impl Ear {
    pub(super) fn new(listener: PgListener) -> Self {
        Self {
            listener,
            heard_at: Instant::now(),
            nap: NAP,
        }
    }

    /// Returns when something was heard.
    async fn hear(&mut self) -> Result<(), OutboxError> {
        let mut heard = Some(self.listener.try_recv().await);
        self.heard_at = Instant::now();
        // Many who committed at once call many times, and one look finds what all of them left.
        while let Some(call) = heard {
            call?.ok_or_else(lost)?;
            heard = self.listener.try_recv().now_or_never();
        }
        Ok(())
    }

    /// How long to sleep at most. Naps that follow one another become longer.
    fn sleeps_for(&mut self, sleep: Sleep, settings: &RelaySettings) -> Duration {
        if sleep != Sleep::Light {
            self.nap = NAP;
            return settings.poll;
        }
        let nap = self.nap.min(settings.poll);
        self.nap = LONGEST_NAP.min(self.nap * 2);
        nap
    }

    /// Has or gives back the lock of those who sleep, on the connection that is called: with its end the lock ends, and that is
    /// noticed at once.
    async fn ask(&mut self, sql: &'static str, key: i64) -> Result<bool, OutboxError> {
        let query = sqlx::query_scalar(sql).bind(key);
        within(async { Ok(query.fetch_one(&mut self.listener).await?) }).await
    }

    async fn is_there(&mut self) -> Result<(), OutboxError> {
        if self.heard_at.elapsed() >= ASK_AFTER {
            within(async { Ok(self.listener.execute("SELECT 1").await.map(drop)?) }).await?;
            self.heard_at = Instant::now();
        }
        Ok(())
    }
}

fn lost() -> OutboxError {
    OutboxError::Database(sqlx::Error::Protocol(
        "the listening connection was closed".to_owned(),
    ))
}

/// How a relay sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    /// Whoever enqueues wakes it.
    Sound,
    /// Another relay is awake and does what there is to do, or sleeps soundly, and whoever wakes it wakes all.
    Watched,
    /// Somebody has enqueued and not committed yet, and will wake nobody.
    Light,
}

/// Sleeps until there is something to do, or it is time to look or to stop. What it has found when it went to sleep is the
/// batch that it returns.
pub(super) async fn rest(
    table: &mut Table,
    ear: &mut Ear,
    settings: &RelaySettings,
    stop: &Stop,
) -> Result<Batch, OutboxError> {
    let slept = fall_asleep(table, ear).await?;
    // Those who committed a moment ago found us awake, and have woken nobody.
    let batch = table.take(settings).await?;
    if batch.is_empty() {
        let longest = ear.sleeps_for(slept, settings);
        tokio::select! {
            heard = ear.hear() => heard?,
            () = sleep(longest) => ear.is_there().await?,
            () = stop.requested() => {}
        }
    }
    table.wake().await?;
    if slept == Sleep::Sound {
        ear.ask("SELECT pg_advisory_unlock($1)", table.asleep()).await?;
    }
    Ok(batch)
}

async fn fall_asleep(table: &mut Table, ear: &mut Ear) -> Result<Sleep, OutboxError> {
    if table.is_watched().await? {
        return Ok(Sleep::Watched);
    }
    // Whoever enqueues shares it until the end of the transaction, and finds out by it whether somebody sleeps.
    let lock = table.asleep();
    let is_asleep = ear.ask("SELECT pg_try_advisory_lock($1)", lock).await?;
    table.let_sleep().await?;
    if is_asleep {
        return Ok(Sleep::Sound);
    }
    // With those who enqueue it can be shared, with another relay that sleeps it cannot.
    if ear.ask("SELECT pg_try_advisory_lock_shared($1)", lock).await? {
        ear.ask("SELECT pg_advisory_unlock_shared($1)", lock).await?;
        return Ok(Sleep::Light);
    }
    Ok(Sleep::Watched)
}
