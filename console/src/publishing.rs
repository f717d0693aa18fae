//! What the console publishes: events, and deliveries of test events. Each is confirmed before anybody is told so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookline_common::broker::{Address, BrokerError, PublishFault, Publisher, QueueDepth};
use hookline_common::delivery::{Delivery, Work};
use hookline_common::event::Event;
use hookline_common::message::{Message, Rejection, write_delivery, write_event, write_rejected, write_work};
use hookline_common::publish_span::PublishSpan;
use hookline_common::settings::BrokerSettings;
use hookline_common::topology::{Namespace, Queue, Topology};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::warn;

/// How long one message is tried: a connection that was cut stands again by then, and a client still waits.
pub(crate) const PUBLISH_WITHIN: Duration = Duration::from_secs(5);
/// How often a lasting fault is told.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// Kibibytes of events that may wait for the broker's answer, of all requests with many: twice what is sent at once.
const ROOM_KIB: u32 = 16 << 10;

/// Publishes over one connection, which comes back by itself.
pub(crate) struct Publishing {
    publisher: Publisher,
    namespace: Namespace,
    room: Arc<Semaphore>,
    complained: Mutex<Option<Instant>>,
}

/// Why a message is not known to be stored.
#[derive(Debug)]
pub(crate) struct NotStored {
    /// Whether it may be all the same: it was sent, and no answer came.
    pub(crate) maybe_stored: bool,
    /// Whether the broker refuses this very message, however often it is sent.
    pub(crate) is_of_the_message: bool,
    /// Why, in words for whoever publishes: without the broker's address, and without what only an operator can use.
    pub(crate) why: String,
}

impl Publishing {
    /// Starts to connect, and makes sure of what is published to.
    pub(crate) fn start(broker: &BrokerSettings) -> Self {
        let topology = Topology::for_console(&broker.namespace);
        Self {
            publisher: Publisher::start(broker.link("hookline-console"), topology),
            namespace: broker.namespace.clone(),
            room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
            complained: Mutex::default(),
        }
    }

    /// Publishes an event as producers do, and returns when the broker has confirmed that a queue holds it.
    pub(crate) async fn event(&self, event: &Event, deadline: Instant) -> Result<(), NotStored> {
        let to = Address::events(&self.namespace, event.event_type.as_str());
        let exchange = self.namespace.events_exchange();
        let span = PublishSpan::begin(
            &event.trace,
            &exchange,
            event.event_type.as_str(),
            event.id.as_str(),
        );
        let message = match &span {
            None => write_event(event),
            Some(span) => write_event(&Event {
                trace: span.trace(),
                ..event.clone()
            }),
        };
        ended(span, self.publish(&to, &message, Some(deadline)).await)
    }

    /// Publishes a delivery for the next dispatcher that is free; without a deadline for as long as the broker is only slow or
    /// away.
    pub(crate) async fn delivery(
        &self,
        delivery: &Delivery,
        deadline: Option<Instant>,
    ) -> Result<(), NotStored> {
        let to = Address::queue(&self.namespace, Queue::Deliveries);
        let (event, queue) = (&delivery.event, self.namespace.queue(Queue::Deliveries));
        // In the trace of the attempts before it, where it is one that somebody retries.
        let span = PublishSpan::begin(&event.trace, &queue, &queue, event.id.as_str());
        let message = match &span {
            None => write_delivery(delivery),
            Some(span) => {
                let mut delivery = delivery.clone();
                delivery.event.trace = span.trace();
                write_delivery(&delivery)
            }
        };
        ended(span, self.publish(&to, &message, deadline).await)
    }

    /// Publishes what is to be done again: a delivery, or an event whose endpoints are still to be found. Not as producers
    /// publish events, as nobody of theirs says that one is sent again.
    pub(crate) async fn work(&self, work: &Work, deadline: Instant) -> Result<(), NotStored> {
        let to = Address::queue(&self.namespace, Queue::Deliveries);
        self.publish(&to, &write_work(work), Some(deadline)).await
    }

    /// Sends a message that cannot be understood to where people look at it, for as long as that takes: until the queue is there
    /// again, and until we may.
    pub(crate) async fn rejected(
        &self,
        message: &Message,
        rejection: &Rejection,
    ) -> Result<(), PublishFault> {
        let to = Address::queue(&self.namespace, Queue::Rejected);
        let rejected = write_rejected(message, rejection, Timestamp::now());
        self.publisher
            .publish_until_stored(&to, &rejected)
            .await
            .map(drop)
    }

    /// Makes sure again of the queues that are published to and taken from.
    pub(crate) fn look_for_missing(&self) {
        self.publisher.look_for_missing();
    }

    /// Waits until there is room in memory for one of many events; it is taken until what is returned is dropped. Who brings
    /// more than the broker takes is not read any further meanwhile.
    pub(crate) async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(ROOM_KIB);
        let room = Arc::clone(&self.room).acquire_many_owned(kib.min(ROOM_KIB));
        // It is never closed.
        room.await.ok()
    }

    /// Whether a connection to the broker stands.
    pub(crate) fn is_up(&self) -> bool {
        self.publisher.is_up()
    }

    /// Whether the broker takes nothing for now, because it is short of memory or disk.
    pub(crate) fn is_blocked(&self) -> bool {
        self.publisher.is_blocked()
    }

    /// How deep each of these queues is, `None` where that cannot be said.
    pub(crate) async fn depths(&self, queues: &[Queue]) -> Vec<Option<QueueDepth>> {
        self.publisher.depths(&self.namespace, queues).await
    }

    /// Why nothing can be published at this moment, for a health page.
    pub(crate) fn trouble(&self) -> Option<String> {
        if !self.publisher.is_up() {
            return Some("there is no connection to the broker; the log says why".to_owned());
        }
        self.publisher
            .alarm()
            .map(|reason| format!("the broker has an alarm: {reason}"))
    }

    /// Closes the connection.
    pub(crate) async fn close(&self) {
        self.publisher.close().await;
    }

    async fn publish(
        &self,
        to: &Address,
        message: &Message,
        deadline: Option<Instant>,
    ) -> Result<(), NotStored> {
        match self.publisher.publish(to, message, deadline).await {
            Ok(_) => Ok(()),
            Err(fault) => {
                self.complain(&fault);
                Err(not_stored(&fault))
            }
        }
    }

    fn complain(&self, fault: &PublishFault) {
        let Ok(mut complained) = self.complained.lock() else {
            return;
        };
        if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            *complained = Some(Instant::now());
            warn!(%fault, "events that came over HTTP are not published, and their senders told so");
        }
    }
}

fn ended(span: Option<PublishSpan>, published: Result<(), NotStored>) -> Result<(), NotStored> {
    if let (Some(mut span), Err(_)) = (span, &published) {
        span.failed("not_confirmed");
    }
    published
}

fn not_stored(fault: &PublishFault) -> NotStored {
    let (maybe_stored, why) = match fault {
        PublishFault::Late { maybe_stored, last } => (*maybe_stored, of_error(last.as_deref())),
        PublishFault::Unroutable { maybe_stored, .. } => (
            *maybe_stored,
            "no queue of the broker takes it; the operator's `hookline topology apply`, or a dispatcher that \
             starts, makes what is missing"
                .to_owned(),
        ),
        PublishFault::Refused { maybe_stored, .. } => (
            *maybe_stored,
            "the broker refuses it; the operator finds the reason in the console's log".to_owned(),
        ),
        PublishFault::Final { maybe_stored, .. } => (
            *maybe_stored,
            "the broker is not set up as it must be; the operator finds the reason in the console's log".to_owned(),
        ),
    };
    let is_of_the_message =
        matches!(fault, PublishFault::Refused { refusal, .. } if refusal.is_of_the_message());
    NotStored {
        maybe_stored,
        is_of_the_message,
        why,
    }
}

fn of_error(error: Option<&BrokerError>) -> String {
    match error {
        Some(BrokerError::Alarm { reason }) => {
            format!("the broker takes no messages for now, its alarm says: {reason}")
        }
        Some(BrokerError::Full { .. }) => "the broker's queue is full, or has no quorum".to_owned(),
        Some(BrokerError::Unconfirmed { .. }) => "the broker confirms nothing for now".to_owned(),
        _ => "the broker is away for now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_named_and_an_address_is_not() {
        let reason = "low on disk".to_owned();
        let alarm = PublishFault::Late {
            maybe_stored: true,
            last: Some(Arc::new(BrokerError::Alarm { reason })),
        };
        let told = not_stored(&alarm);
        assert!(told.maybe_stored && told.why.contains("low on disk"), "{told:?}");
        let lost = BrokerError::Lost {
            what: "publishing",
            why: "10.0.0.7:5672 closed it".to_owned(),
        };
        let told = not_stored(&PublishFault::Late {
            maybe_stored: false,
            last: Some(Arc::new(lost)),
        });
        assert!(!told.maybe_stored && !told.why.contains("10.0.0.7"), "{told:?}");
    }
}
