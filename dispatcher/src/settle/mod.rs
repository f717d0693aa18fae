//! Step 6: settle. Confirm what replaces a message, record what was done, then acknowledge it. Nothing else acks.
//!
//! A crash at any point leaves the message on its queue or its replacement on the next one, or both: a duplicate,
//! never a loss.

mod acks;
mod aftermath;
mod recorder;
mod window;

use std::sync::Arc;

use futures_util::future::try_join_all;
use hookline_common::broker::{Address, Publisher};
use hookline_common::message::Message;
use hookline_common::record::AttemptRecord;
use hookline_common::topology::{Namespace, Queue};
use tracing::error;

pub use self::acks::{Acks, Source, Ticket};
pub use self::recorder::Recorder;

/// What takes a message's place: nothing, or messages on other queues.
pub type Replacements = Vec<(Queue, Message)>;

/// Ends messages.
#[derive(Clone)]
pub struct Settler {
    publisher: Publisher,
    namespace: Namespace,
    acks: Arc<Acks>,
    recorder: Option<Recorder>,
}

impl Settler {
    /// A settler; without a recorder nothing is recorded.
    #[must_use]
    pub fn new(
        publisher: Publisher,
        namespace: Namespace,
        acks: Arc<Acks>,
        recorder: Option<Recorder>,
    ) -> Self {
        Self {
            publisher,
            namespace,
            acks,
            recorder,
        }
    }

    /// As [`Self::settle`], for a message that nothing was done about yet: if its subscription is lost before there is a
    /// connection to publish on, the broker gives it to somebody again, and a replacement would only double it.
    pub async fn settle_untouched(&self, ticket: Ticket, replacements: Replacements) {
        if !replacements.is_empty() && self.publisher.connected(None).await.is_err() {
            return;
        }
        if let Some(ticket) = self.acks.still_ours(ticket) {
            self.settle(ticket, replacements, None).await;
        }
    }

    /// Publishes every replacement until the broker has it, hands the record to the log, and has the message
    /// acknowledged when the log has it too.
    pub async fn settle(&self, ticket: Ticket, replacements: Replacements, record: Option<AttemptRecord>) {
        let publishes = replacements.iter().map(|(queue, message)| async move {
            let address = Address::queue(&self.namespace, *queue);
            self.publisher.publish_until_stored(&address, message).await
        });
        if let Err(error) = try_join_all(publishes).await {
            error!(%error, "a message cannot be settled and stays on its queue");
            return;
        }
        match (&self.recorder, record) {
            (Some(recorder), Some(record)) => recorder.record(&record, ticket),
            _ => self.acks.settled(ticket),
        }
    }
}
