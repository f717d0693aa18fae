//! Attempt records, gathered into batches and written to the stream; then their messages count as settled.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::broker::{Address, Publisher};
use hookline_common::record::{AttemptRecord, Batch};
use hookline_common::topology::{Namespace, Queue};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::error;

use super::acks::{Acks, Ticket};

/// How long a batch is gathered before it is sent, full or not.
const GATHER: Duration = Duration::from_millis(3);

/// A record's line, and the message that is settled when the stream has it.
type Entry = (Vec<u8>, Ticket);

/// Takes records in. It holds no more of them than there are messages in hand. Clones feed the same batches.
#[derive(Clone)]
pub struct Recorder {
    entries: mpsc::UnboundedSender<Entry>,
}

impl Recorder {
    /// Starts to write records; the work ends, everything written, when the last clone is dropped.
    #[must_use]
    pub fn start(publisher: Publisher, namespace: &Namespace, acks: Arc<Acks>, tasks: &TaskTracker) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let stream = Address::queue(namespace, Queue::Attempts);
        tasks.spawn(write(publisher, stream, acks, receiver));
        Self { entries: sender }
    }

    /// Puts a record into the next batch.
    pub(super) fn record(&self, record: &AttemptRecord, ticket: Ticket) {
        match record.to_line() {
            // The writer lives for as long as a recorder does, so there is always somebody who takes it.
            Ok(line) => drop(self.entries.send((line, ticket))),
            Err(error) => {
                error!(%error, event = %record.event, "a record cannot be written; its message stays unsettled")
            }
        }
    }
}

async fn write(
    publisher: Publisher,
    stream: Address,
    acks: Arc<Acks>,
    mut entries: mpsc::UnboundedReceiver<Entry>,
) {
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
        let mut batch = Batch::default();
        let mut tickets = Vec::new();
        let mut next = Some(first);
        while let Some((line, ticket)) = next {
            match batch.push(line) {
                Ok(()) => tickets.push(ticket),
                Err(line) => {
                    left_over = Some((line, ticket));
                    break;
                }
            }
            next = timeout_at(deadline, entries.recv()).await.ok().flatten();
        }
        let (publisher, stream, acks) = (publisher.clone(), stream.clone(), Arc::clone(&acks));
        in_flight.spawn(async move { send(&publisher, &stream, &acks, batch, tickets).await });
    }
    in_flight.close();
    in_flight.wait().await;
}

async fn send(publisher: &Publisher, stream: &Address, acks: &Acks, batch: Batch, tickets: Vec<Ticket>) {
    let message = match batch.to_message() {
        Ok(message) => message,
        Err(error) => {
            error!(%error, records = tickets.len(), "a batch of records cannot be compressed; its messages stay unsettled");
            return;
        }
    };
    match publisher.publish_until_stored(stream, &message).await {
        Ok(_stored) => tickets.into_iter().for_each(|ticket| acks.settled(ticket)),
        Err(error) => {
            error!(%error, records = tickets.len(), "records cannot be written; their messages stay unsettled")
        }
    }
}
