//! Where batches of records go: to the stream, or, while that does not answer, to the spill beside it, so that a silent
//! stream never stops deliveries. What was spilled is moved back when the stream is well.
//!
//! A batch may stand in both, or twice in the stream: nobody knows of one whether it was stored that was not answered. The
//! records' ids tell.

mod health; // whether the stream answers
mod stream; // the stream
mod queue; // the spill
mod mover; // from the one back to the other

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use hookline_common::broker::{LinkSettings, Publisher};
use hookline_common::message::Message;
use hookline_common::topology::{Namespace, Queue};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::error;

use self::health::Told;
use self::mover::Mover;
use self::queue::{SpillQueue, Spilled};
use self::stream::{Stream, Written};
use crate::meters::Meters;
use crate::outside::Logs;

/// Names of the links, in the broker's own tools and logs.
const STREAM_LINK: &str = "hookline-dispatcher records";
const SPILL_LINK: &str = "hookline-dispatcher spill";
const MOVER_LINK: &str = "hookline-dispatcher spill back";

/// The log as a dispatcher writes it. Clones are the same.
#[derive(Clone)]
pub struct BatchLog(Arc<Parts>);

struct Parts {
    stream: Arc<Stream>,
    spill: SpillQueue,
    spill_name: String,
    meters: Meters,
    lost: Mutex<Told>,
    stop: CancellationToken,
    working: Mutex<Vec<JoinHandle<()>>>,
}

impl Logs for BatchLog {
    fn write<'a>(&'a self, batch: &'a Message, records: usize) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(self.store(batch, records))
    }
}

impl BatchLog {
    /// Begins to connect. `deliveries` publishes everything else and keeps the topology; it is
    /// only asked questions, and told what is missing.
    #[must_use]
    pub fn start(
        link: impl Fn(&str) -> LinkSettings,
        namespace: &Namespace,
        deliveries: &Publisher,
        meters: Meters,
    ) -> Self {
        let stream = Arc::new(Stream::new(
            link(STREAM_LINK),
            namespace,
            deliveries.clone(),
            meters.clone(),
        ));
        let stop = CancellationToken::new();
        let mover = Mover {
            stream: Arc::clone(&stream),
            namespace: namespace.clone(),
            link: link(MOVER_LINK),
            deliveries: deliveries.clone(),
            stop: stop.clone(),
        };
        let (watched, stopped) = (Arc::clone(&stream), stop.clone());
        let watching = tokio::spawn(async move {
            tokio::select! {
                () = watched.watch() => {}
                () = stopped.cancelled() => {}
            }
        });
        let working = vec![watching, tokio::spawn(mover.run())];
        Self(Arc::new(Parts {
            stream,
            spill: SpillQueue::new(link(SPILL_LINK), namespace, deliveries.clone()),
            spill_name: namespace.queue(Queue::AttemptsSpill),
            meters,
            lost: Mutex::default(),
            stop,
            working: Mutex::new(working),
        }))
    }

    /// Writes a batch, for as long as that takes: whether the broker has it. Where the stream is silent and
    /// the spill refuses, its records are left out of the log, which is counted and told.
    ///
    /// # Errors
    /// The broker's words where it takes no message of this size.
    async fn store(&self, batch: &Message, records: usize) -> Result<bool, String> {
        let Parts { stream, spill, .. } = &*self.0;
        loop {
            match stream.write(batch).await {
                Written::Stored => return Ok(true),
                Written::TooLarge(error) => return Err(error),
                Written::Silent => {}
            }
            let spilled = tokio::select! {
                spilled = spill.write(batch) => spilled,
                () = stream.becomes_silent(false) => continue,
            };
            return match spilled {
                Spilled::Stored => {
                    stream.was_passed_by(batch, records);
                    Ok(true)
                }
                Spilled::TooLarge(error) => Err(error),
                Spilled::Refused(why) => {
                    self.lose(records, why);
                    Ok(false)
                }
            };
        }
    }

    fn lose(&self, records: usize, why: &str) {
        let Parts {
            spill_name,
            meters,
            lost,
            ..
        } = &*self.0;
        meters.records_lost(records);
        let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lost) = lost.happened(records, Instant::now()) {
            error!(
                queue = spill_name,
                lost,
                "records are left out of the log: the stream of attempts does not confirm, and the spill {why}"
            );
        }
    }

    /// Ends what goes on beside the writing and closes the connections. All is written by now, or given up.
    pub async fn close(&self) {
        self.0.stop.cancel();
        let working = std::mem::take(&mut *self.0.working.lock().unwrap_or_else(PoisonError::into_inner));
        for task in working {
            // It has ended, which is all that is waited for.
            drop(task.await);
        }
        tokio::join!(self.0.stream.close(), self.0.spill.close());
    }
}
