//! Attempt records, gathered into batches and written to the log; then their messages count as settled.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::failpoint;
use hookline_common::message::Message;
use hookline_common::record::Batch;
use hookline_consume::InHand;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::{error, field};

use crate::meters::Meters;
use crate::outside::Logs;

/// How long a batch is gathered before it is sent, full or not: under load some tens of records come together, which
/// compress five times as well as one, and the latency of a delivery does not contain it.
const GATHER: Duration = Duration::from_millis(3);

/// A record's line, and the message that is settled when the log has it.
type Entry = (Vec<u8>, InHand);

/// Takes records in. It holds no more of them than there are messages in hand. Clones feed the same batches.
#[derive(Clone)]
pub struct Recorder {
    entries: mpsc::UnboundedSender<Entry>,
}

/// What writes the batches.
#[derive(Clone)]
struct Writer {
    log: Arc<dyn Logs>,
    meters: Meters,
}

impl Recorder {
    /// Starts to write records; the work ends, everything written, when the last clone is dropped.
    #[must_use]
    pub fn start(log: impl Logs, meters: Meters, tasks: &TaskTracker) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let writer = Writer {
            log: Arc::new(log),
            meters,
        };
        tasks.spawn(writer.run(receiver));
        Self { entries: sender }
    }

    /// Puts a record into the next batch. The message counts as settled when the log has it.
    pub(super) fn record(&self, line: Vec<u8>, in_hand: InHand) {
        // The writer lives for as long as a recorder does, so there is always somebody who takes it.
        drop(self.entries.send((line, in_hand)));
    }
}

impl Writer {
    async fn run(self, mut entries: mpsc::UnboundedReceiver<Entry>) {
        let in_flight = TaskTracker::new();
        let mut left_over: Option<Entry> = None;
        loop {
            let first = match left_over.take() {
                Some(entry) => entry,
                None => match entries.recv().await {
                    Some(entry) => entry,
                    None => break,
                },
            };
            let deadline = Instant::now() + GATHER;
            let (mut batch, mut settled) = (Batch::default(), Vec::new());
            let mut next = Some(first);
            while let Some((line, in_hand)) = next {
                match batch.push(line) {
                    Ok(()) => settled.push(in_hand),
                    Err(line) => {
                        left_over = Some((line, in_hand));
                        break;
                    }
                }
                next = timeout_at(deadline, entries.recv()).await.ok().flatten();
            }
            let writer = self.clone();
            in_flight.spawn(async move {
                writer.write(batch).await;
                failpoint::reached("recorded", "");
                settled.into_iter().for_each(InHand::settle);
            });
        }
        in_flight.close();
        in_flight.wait().await;
    }

    async fn write_message(&self, message: &Message, records: usize) -> Result<(), String> {
        let begun = Instant::now();
        let is_written = self.log.write(message, records).await?;
        if is_written {
            self.meters
                .records_written(records, message.body.len(), begun.elapsed());
        }
        Ok(())
    }

    /// Writes a batch, in smaller pieces if the broker refuses it whole. What it does not take at all is left out of the log:
    /// the attempt was made, and must not be made again for the log's sake.
    async fn write(&self, batch: Batch) {
        let mut batches = vec![batch];
        while let Some(batch) = batches.pop() {
            let written = match batch.to_message() {
                Ok(message) => self.write_message(&message, batch.len()).await,
                Err(error) => Err(error.to_string()),
            };
            let Err(error) = written else { continue };
            match batch.smaller() {
                Some(smaller) => batches.extend(smaller.into_iter().rev()),
                None => {
                    self.meters.records_lost(batch.len());
                    let record = batch.single();
                    let event = record.as_ref().map(|record| field::display(&record.event));
                    let endpoint = record.as_ref().map(|record| field::display(&record.endpoint));
                    let attempt = record.as_ref().map(|record| record.attempt);
                    error!(%error, event, endpoint, attempt, "a record is left out of the log: the broker takes it in no size");
                }
            }
        }
    }
}
