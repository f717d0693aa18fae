//! Out of the table: what is committed is published, confirmed, and deleted then.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;

use super::batch;
use super::error::OutboxError;
use super::outcome::Outcome;
use super::rest::{Ear, rest};
use super::settings::RelaySettings;
use super::stats::RelayStats;
use super::stop::Stop;
use super::table::{Batch, Table};
use crate::publish::Publish;

/// After a batch in which something could not be published. A producer has tried for long then, or the broker refuses.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Between two tries to connect to the database, at first and at last.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);
const RECONNECT_AFTER_AT_MOST: Duration = Duration::from_secs(5);

/// Publishes what is in the outbox. Any number of them may run; see the [module](super) for what they promise.
pub struct Relay {
    pool: PgPool,
    publisher: Arc<dyn Publish>,
    settings: RelaySettings,
    stats: Arc<RelayStats>,
}

impl Relay {
    /// A relay from the database of `pool` to the broker of `publisher`, which is a [`Producer`](crate::Producer), or in tests
    /// a [`MemoryProducer`](crate::MemoryProducer). It takes no connection of the pool, but makes two of its own with the
    /// pool's options.
    #[must_use]
    pub fn new(pool: &PgPool, publisher: impl Publish + 'static, settings: RelaySettings) -> Self {
        Self {
            pool: pool.clone(),
            publisher: Arc::new(publisher),
            settings,
            stats: Arc::default(),
        }
    }

    /// What it counts, for metrics and a health page.
    #[must_use]
    pub fn stats(&self) -> Arc<RelayStats> {
        Arc::clone(&self.stats)
    }

    /// Runs until `shutdown` completes: through restarts of the database and of the broker, which are logged. Then it begins
    /// nothing more, waits a few seconds for what the broker has not answered, deletes what was confirmed, and returns.
    ///
    /// Where it is dropped instead, or killed, up to a batch is published again by the next relay.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (trigger, stop) = Stop::new();
        let mut working = pin!(self.work(&stop));
        tokio::select! {
            () = &mut working => return,
            () = shutdown => {}
        }
        trigger.send_replace(true);
        working.await;
    }

    async fn work(&self, stop: &Stop) {
        let mut pause = RECONNECT_AFTER;
        while !stop.is_requested() {
            let published = self.stats.published();
            let Err(error) = self.work_while_connected(stop).await else {
                return;
            };
            self.stats.works(false);
            tracing::warn!(%error, "the outbox cannot be relayed; trying again in {pause:?}");
            wait(pause, stop).await;
            pause = if self.stats.published() > published {
                RECONNECT_AFTER
            } else {
                RECONNECT_AFTER_AT_MOST.min(pause * 2)
            };
        }
    }

    /// Returns when it is time to stop.
    async fn work_while_connected(&self, stop: &Stop) -> Result<(), OutboxError> {
        let (mut table, listener) = Table::open(&self.pool).await?;
        let mut ear = Ear::new(listener);
        table.wake().await?;
        let mut batch = table.take(&self.settings).await?;
        self.stats.works(true);
        while !stop.is_requested() {
            if batch.is_empty() {
                batch = rest(&mut table, &mut ear, &self.settings, stop).await?;
            } else {
                self.relay(batch, &mut table, stop).await?;
                batch = Batch::new();
            }
            if batch.is_empty() && !stop.is_requested() {
                batch = table.take(&self.settings).await?;
            }
        }
        table.close().await;
        Ok(())
    }

    /// Publishes a batch and settles it.
    async fn relay(&self, batch: Batch, table: &mut Table, stop: &Stop) -> Result<(), OutboxError> {
        let outcome = batch::publish(&*self.publisher, batch, self.settings.window, stop).await;
        table.settle(&outcome).await?;
        self.tell(&outcome);
        if !outcome.failed.is_empty() {
            wait(AFTER_FAILURE, stop).await;
        }
        Ok(())
    }

    fn tell(&self, outcome: &Outcome) {
        let Outcome {
            done, aside, failed, ..
        } = outcome;
        self.stats.count(done.len(), aside.len(), failed.len());
        self.stats.works(failed.is_empty());
        for (place, reason) in aside {
            tracing::error!(
                company = place.company,
                number = place.position,
                "an event of the outbox cannot be published and was set aside: {reason}"
            );
        }
        // One for all: they have one cause, and come again every second.
        if let Some((place, reason)) = failed.first() {
            tracing::warn!(
                company = place.company,
                number = place.position,
                "{} companies' events of the outbox could not be published, and are tried again: {reason}",
                failed.len()
            );
        }
    }
}

/// Waits, but not longer than it goes on.
async fn wait(time: Duration, stop: &Stop) {
    tokio::select! {
        () = sleep(time) => {}
        () = stop.requested() => {}
    }
}
