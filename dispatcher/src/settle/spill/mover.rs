//! What was spilled is moved back into the stream, by any dispatcher that finds it there. That is also how a silent stream
//! is tried: with the batch that stands first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookline_common::broker::{BrokerError, Consumer, LinkSettings, Publisher};
use hookline_common::headers::Headers;
use hookline_common::message::{Message, Sender};
use hookline_common::record::Batch;
use hookline_common::topology::{Namespace, Queue};
use hookline_consume::{Relayed, relay};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::health::Recovery;
use super::stream::Stream;

/// Between two tries of a silent stream: it is noticed soon enough when it is well, and each try withholds one batch from
/// those who look at the spill, and may be stored once more when the stream gets to it.
const TRY_EVERY: Duration = Duration::from_secs(5);
/// How long a try that is under way may take when the process ends.
const LAST_TRY: Duration = Duration::from_secs(2);
/// How often it is looked at whether somebody else has left something in the spill, one who ended before it was moved.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Batches that are moved at once.
const AT_ONCE: usize = 32;
/// How long a stream is tried over the same connection.
const RECONNECT_EVERY: Duration = Duration::from_secs(30);

/// Moves batches back.
pub(super) struct Mover {
    pub(super) stream: Arc<Stream>,
    pub(super) namespace: Namespace,
    pub(super) link: LinkSettings,
    /// The link on which it is asked whether there is anything to move.
    pub(super) deliveries: Publisher,
    pub(super) stop: CancellationToken,
}

impl Mover {
    /// Looks after the spill until it is told to stop.
    pub(super) async fn run(self) {
        let mut consumer = None;
        let mut connected_at = Instant::now();
        loop {
            tokio::select! {
                () = self.pause() => {}
                () = self.stop.cancelled() => break,
            }
            let is_silent = self.stream.is_silent();
            if !is_silent {
                // A broker that is silent takes its time to answer.
                let has_something = tokio::select! {
                    has_something = self.has_something() => has_something,
                    () = self.stop.cancelled() => break,
                };
                if !has_something {
                    continue;
                }
            }
            if !is_silent {
                connected_at = Instant::now();
            } else if connected_at.elapsed() >= RECONNECT_EVERY {
                connected_at = Instant::now();
                self.stream.reconnect();
            }
            let consumer = consumer.get_or_insert_with(|| Consumer::start(self.link.clone()));
            let moved = tokio::select! {
                moved = self.move_back(consumer) => moved,
                // What is on its way may be in both then.
                () = self.stopped_for(LAST_TRY) => break,
            };
            match moved {
                Ok(Relayed { moved: 0, .. }) => {}
                Ok(Relayed { moved, is_empty }) => info!(
                    batches = moved,
                    is_empty, "spilled records are moved back into the stream of attempts"
                ),
                Err(error) => warn!(%error, "the spill cannot be read; trying again"),
            }
        }
        if let Some(consumer) = consumer {
            consumer.close().await;
        }
    }

    async fn pause(&self) {
        if self.stream.is_silent() {
            return sleep(TRY_EVERY).await;
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = self.stream.becomes_silent(true) => {}
        }
    }

    async fn stopped_for(&self, duration: Duration) {
        self.stop.cancelled().await;
        sleep(duration).await;
    }

    async fn has_something(&self) -> bool {
        let depths = self.deliveries.depths(&self.namespace, &[Queue::AttemptsSpill]);
        depths.await.iter().flatten().any(|depth| depth.ready > 0)
    }

    /// Moves what is there, or finds that the stream is still silent.
    async fn move_back(&self, consumer: &Consumer) -> Result<Relayed, BrokerError> {
        let spill = self.namespace.queue(Queue::AttemptsSpill);
        let subscription = consumer.subscribe_without_push(&spill).await?;
        let recovery = Arc::<Mutex<Recovery>>::default();
        let goes_on = || !self.stop.is_cancelled();
        let relayed = relay(&subscription, AT_ONCE, goes_on, |batch| {
            let (stream, recovery) = (Arc::clone(&self.stream), Arc::clone(&recovery));
            async move {
                if Batch::text(&batch).unwrap_or_default().is_empty() {
                    warn!("a message that is no batch of records was in the spill, and is removed from it");
                    return true;
                }
                // As it was written: what anybody else may have added must not keep the stream from taking it.
                let batch = Message {
                    headers: Headers::default(),
                    sender: Sender::default(),
                    ..batch
                };
                let is_stored = stream.try_to_write(&batch).await;
                let mut recovery = recovery.lock().unwrap_or_else(PoisonError::into_inner);
                if !is_stored {
                    recovery.failed();
                } else if recovery.stored(Instant::now()) {
                    stream.is_well();
                }
                is_stored
            }
        })
        .await?;
        // Where nothing is left, others may have moved all of it, and know more of the stream than this process.
        let is_well = relayed.is_empty
            && (relayed.moved > 0 || self.stream.is_silent() && self.stream.try_with_the_last().await);
        if is_well {
            self.stream.is_well();
        }
        Ok(relayed)
    }
}
