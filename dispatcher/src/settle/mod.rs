//! Step 8: settle. Confirm what replaces a message, record what was done, then let the ledger acknowledge it.
//!
//! A crash at any point leaves the message on its queue or its replacement on the next one, or both: a duplicate,
//! never a loss.

mod after; // what takes a delivery's place after an attempt
mod record; // what the log keeps of it
mod recorder; // batches of records
mod spill; // on their way to the stream, or beside it

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hookline_common::broker::{Address, PublishFault};
use hookline_common::delivery::{Delivery, Unrouted};
use hookline_common::failpoint;
use hookline_common::ids::{AttemptNo, EndpointId};
use hookline_common::message::{self, Message};
use hookline_common::shutdown::Shutdown;
use hookline_common::topology::{Namespace, Queue};
use hookline_consume::InHand;
use tracing::error;

pub use self::after::replacement;
pub use self::record::line;
pub use self::recorder::Recorder;
pub use self::spill::BatchLog;
use crate::outside::Keeps;
use crate::route;
#[cfg(test)]
use crate::tests::simulation::mistakes::{Mistake, is_back};

/// Messages of one fan-out that are published at once: enough to keep the broker busy, and few enough that thousands of
/// endpoints need no more memory than these.
const FAN_OUT_AT_ONCE: usize = 64;

/// What a message is about, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The event, or what stands in its place in a message that cannot be read.
    pub event: &'a str,
    /// The endpoint, once it is known.
    pub endpoint: Option<&'a str>,
    /// The attempt, if one was made or about to be.
    pub attempt: Option<AttemptNo>,
}

impl<'a> Subject<'a> {
    /// A delivery.
    #[must_use]
    pub fn delivery(delivery: &'a Delivery) -> Self {
        Self {
            event: delivery.event.id.as_str(),
            endpoint: Some(delivery.endpoint.as_str()),
            attempt: Some(delivery.attempt),
        }
    }

    /// Any message, by what stands on it.
    #[must_use]
    pub fn message(message: &'a Message) -> Self {
        let (endpoint, attempt) = message::read_target(message);
        Self {
            event: message.message_id.as_deref().unwrap_or_default(),
            endpoint,
            attempt,
        }
    }
}

/// Ends messages.
#[derive(Clone)]
pub struct Settler {
    publisher: Arc<dyn Keeps>,
    namespace: Namespace,
    recorder: Option<Recorder>,
    shutdown: Shutdown,
}

impl Settler {
    /// A settler; without a recorder nothing is recorded.
    #[must_use]
    pub fn new(
        publisher: impl Keeps,
        namespace: Namespace,
        recorder: Option<Recorder>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            publisher: Arc::new(publisher),
            namespace,
            recorder,
            shutdown,
        }
    }

    /// The name of one of our queues on the broker.
    #[must_use]
    pub fn queue_name(&self, queue: Queue) -> String {
        self.namespace.queue(queue)
    }

    /// Whether attempts are recorded.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.recorder.is_some()
    }

    /// Begins and settles a message in one: what replaces it is stored, or it stays for somebody else.
    ///
    /// Work begins when there is a connection to publish on, since a message whose subscription is lost before that is given
    /// to somebody again, and a replacement would only double it. `count` is called when it begins, so that what comes again is
    /// not counted twice.
    pub async fn replace(
        &self,
        in_hand: InHand,
        replacement: (Queue, Message),
        subject: Subject<'_>,
        count: impl FnOnce() + Send,
    ) {
        if let Some(in_hand) = self.begin_connected(in_hand).await {
            count();
            self.settle(in_hand, Some(replacement), None, subject).await;
        }
    }

    /// Settles a begun message: publishes what replaces it until the broker has it, hands the record to the log, and has the
    /// message acknowledged when the log has it too.
    pub async fn settle(
        &self,
        in_hand: InHand,
        replacement: Option<(Queue, Message)>,
        record: Option<Vec<u8>>,
        subject: Subject<'_>,
    ) {
        if let Some((queue, message)) = replacement
            // In a place of its own: most attempts succeed and replace nothing, and need no room for it.
            && let Err(error) = Box::pin(self.publish(queue, &message)).await
        {
            return log_unsettled(&error, queue, subject);
        }
        match (&self.recorder, record) {
            (Some(recorder), Some(line)) => recorder.record(line, in_hand),
            _ => {
                failpoint::reached("before_ack", subject.event);
                in_hand.settle();
            }
        }
    }

    /// Begins an event that several endpoints want, and settles it when each has a delivery of its own. The messages are
    /// made as they are sent, so that an event for thousands takes no more memory than one for a few.
    pub async fn fan_out(&self, in_hand: InHand, unrouted: Unrouted, endpoints: Vec<EndpointId>) {
        let Some(in_hand) = self.begin_connected(in_hand).await else {
            return;
        };
        let unrouted = Arc::new(unrouted);
        let publishes = stream::iter(endpoints).map(|endpoint| {
            let (this, unrouted) = (self.clone(), Arc::clone(&unrouted));
            async move {
                let (queue, message) = route::fanned_out(&unrouted, &endpoint);
                let published = this.publish(queue, &message).await;
                published.map_err(|error| (error, queue, endpoint))
            }
        });
        let stored = publishes.buffer_unordered(FAN_OUT_AT_ONCE).try_collect::<()>();
        match stored.await {
            Ok(()) => {
                failpoint::reached("before_ack", unrouted.event.id.as_str());
                in_hand.settle();
            }
            Err((error, queue, endpoint)) => {
                let subject = Subject {
                    event: unrouted.event.id.as_str(),
                    endpoint: Some(endpoint.as_str()),
                    attempt: Some(AttemptNo::FIRST),
                };
                log_unsettled(&error, queue, subject);
            }
        }
    }

    async fn begin_connected(&self, in_hand: InHand) -> Option<InHand> {
        if !self.publisher.is_up() {
            tokio::select! {
                biased;
                connected = self.publisher.connected() => connected.ok()?,
                () = self.shutdown.requested() => return None,
            }
        }
        #[cfg(test)]
        if is_back(Mistake::TakesItForOurs) {
            return Some(in_hand);
        }
        in_hand.begin()
    }

    async fn publish(&self, queue: Queue, message: &Message) -> Result<(), PublishFault> {
        let address = Address::queue(&self.namespace, queue);
        self.publisher
            .publish_until_stored(&address, message)
            .await
            .map(drop)
    }
}

fn log_unsettled(error: &PublishFault, queue: Queue, subject: Subject<'_>) {
    let Subject {
        event,
        endpoint,
        attempt,
    } = subject;
    let (endpoint, attempt) = (endpoint.map(tracing::field::display), attempt.map(AttemptNo::get));
    error!(%error, event, endpoint, attempt, ?queue, "a message cannot be settled and stays on its queue");
}
