//! Attempt records, gathered into batches and written to the log; then their messages count as settled.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hookline_common::failpoint;
use hookline_common::message::Message;
use hookline_common::record::Batch;
use hookline_consume::InHand;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;
use tracing::{error, field};

use crate::meters::Meters;
use crate::outside::Logs;

/// How long a batch is gathered before it is sent, full or not: under load some tens of records come together, which
/// compress five times as well as one, and the latency of a delivery does not contain it.
const GATHER: Duration = Duration::from_millis(3);

/// Records that are taken in for one wake at most.
const AT_ONCE: usize = Batch::MAX_RECORDS;

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

/// A batch that is being gathered, and the messages that are settled when the log has it.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    settled: Vec<InHand>,
}

impl Gathered {
    /// Adds a record, or begins anew with it and returns what was gathered before, which is full.
    fn add(&mut self, (line, in_hand): Entry) -> Option<Self> {
        let full = match self.batch.push(line) {
            Ok(()) => None,
            Err(line) => {
                let full = self.take();
                // An empty batch takes any line.
                drop(self.batch.push(line));
                Some(full)
            }
        };
        self.settled.push(in_hand);
        full
    }

    /// What was gathered, and begins anew.
    fn take(&mut self) -> Self {
        let next = Self {
            batch: Batch::as_large_as(&self.batch),
            settled: Vec::with_capacity(self.settled.len()),
        };
        std::mem::replace(self, next)
    }
}

impl Writer {
    async fn run(self, mut entries: mpsc::UnboundedReceiver<Entry>) {
        let in_flight = TaskTracker::new();
        let mut gathered = Gathered::default();
        let mut taken: Vec<Entry> = Vec::with_capacity(AT_ONCE);
        // One timer for all batches, and one wake for all records that are there by then.
        let mut deadline = pin!(sleep_until(Instant::now()));
        loop {
            tokio::select! {
                biased;
                () = &mut deadline, if !gathered.batch.is_empty() => {
                    self.send(gathered.take(), &in_flight);
                }
                count = entries.recv_many(&mut taken, AT_ONCE) => if count == 0 {
                    break;
                },
            }
            for entry in taken.drain(..) {
                let full = gathered.add(entry);
                if gathered.batch.len() == 1 {
                    deadline.as_mut().reset(Instant::now() + GATHER);
                }
                if let Some(full) = full {
                    self.send(full, &in_flight);
                }
            }
        }
        if !gathered.batch.is_empty() {
            self.send(gathered, &in_flight);
        }
        in_flight.close();
        in_flight.wait().await;
    }

    /// Writes a batch beside others.
    fn send(&self, gathered: Gathered, in_flight: &TaskTracker) {
        let writer = self.clone();
        in_flight.spawn(async move {
            writer.write(gathered.batch).await;
            failpoint::reached("recorded", "");
            gathered.settled.into_iter().for_each(InHand::settle);
        });
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

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::{Mutex, PoisonError};

    use futures_util::future::BoxFuture;
    use tokio::time::sleep;

    use super::*;
    use crate::tests::in_hand;

    /// Less than a batch is gathered for.
    const LESS: Duration = Duration::from_millis(1);

    /// How many records each batch had.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<usize>>>);

    impl Log {
        fn batches(&self) -> Vec<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    impl Logs for Log {
        fn write<'a>(&'a self, _: &'a Message, records: usize) -> BoxFuture<'a, Result<bool, String>> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(records);
            Box::pin(ready(Ok(true)))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn records_are_gathered_for_a_moment_and_a_full_batch_goes_at_once() {
        let (log, tasks, ledger) = (Log::default(), TaskTracker::new(), in_hand::ledger());
        let recorder = Recorder::start(log.clone(), Meters::unobserved(), &tasks);
        let mut tags = 1..;
        let mut record = |bytes: usize| {
            let tag = tags.next().expect("endless");
            let taken = in_hand::take_in(&ledger, tag, Message::default());
            recorder.record(vec![b'x'; bytes], taken.in_hand);
        };
        (0..2 * Batch::MAX_RECORDS + 1).for_each(|_| record(10));
        sleep(LESS).await;
        assert_eq!(log.batches(), [Batch::MAX_RECORDS; 2]);
        sleep(GATHER).await;
        assert_eq!(log.batches(), [Batch::MAX_RECORDS, Batch::MAX_RECORDS, 1]);

        // Those that come one by one within a moment go together, and so do those of the next.
        for _ in 0..6 {
            record(10);
            sleep(LESS).await;
        }
        sleep(GATHER).await;
        assert_eq!(log.batches().get(3..), Some(&[3, 3][..]));

        record(Batch::MAX_BYTES);
        record(10);
        sleep(LESS).await;
        assert_eq!(log.batches().get(5..), Some(&[1][..]));

        drop(recorder);
        tasks.close();
        tasks.wait().await;
        assert_eq!(log.batches().get(6..), Some(&[1][..]));
    }
}
