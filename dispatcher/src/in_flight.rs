//! What has begun and has to be finished when the process ends.

use std::sync::Arc;
use std::time::Duration;

use hookline_consume::AckLedger;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::attempts::Attempts;
use crate::pipeline::Pipeline;

/// What a process has in flight, apart from its connections.
pub(crate) struct InFlight {
    /// One for each of [`Working::ALL`](crate::queues::Working::ALL).
    pub(crate) ledgers: Vec<Arc<AckLedger>>,
    pub(crate) acknowledging: JoinSet<()>,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) attempts: Arc<Attempts>,
    pub(crate) tasks: TaskTracker,
    pub(crate) recording: TaskTracker,
    pub(crate) keeping_time: [JoinHandle<()>; 2],
}

impl InFlight {
    /// Finishes it, for `max` at most, and has it acknowledged; then `close` closes the connections, within `close_within`.
    pub(crate) async fn finish(self, max: Duration, close_within: Duration, close: impl Future<Output = ()>) {
        let Self {
            ledgers,
            mut acknowledging,
            pipeline,
            attempts,
            tasks,
            recording,
            keeping_time,
        } = self;
        ledgers.iter().for_each(|ledger| ledger.stop());
        keeping_time.iter().for_each(|task| task.abort());
        attempts.give_back_waiting();
        info!(in_flight = tasks.len(), "draining");
        tasks.close();
        recording.close();
        let finish = async {
            for task in keeping_time {
                // Aborted, or at its end: either way it holds nothing any more.
                drop(task.await);
            }
            tasks.wait().await;
            // The last recorder goes with these, and with it the writer, once everything is written.
            drop((pipeline, attempts));
            recording.wait().await;
        };
        if timeout(max, finish).await.is_err() {
            warn!(
                in_flight = tasks.len(),
                "the drain took too long; the broker redelivers what is left"
            );
        }
        let close = async {
            // The acknowledgers send their last by themselves: cut off, they would leave done what nobody knows of.
            ledgers.iter().for_each(|ledger| ledger.close());
            while acknowledging.join_next().await.is_some() {}
            close.await;
        };
        if timeout(close_within, close).await.is_err() {
            warn!("the broker did not let go of the connections in time");
        }
    }
}
