//! A producer that keeps what it is given, for the unit tests of those who publish.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_common::event::Event;

use crate::error::PublishError;
use crate::producer::Receipt;
use crate::publish::{Publish, PublishFuture};

/// Publishes to nowhere, and remembers. Clones share what they remember.
///
/// ```
/// use hookline_producer::{Event, MemoryFault, MemoryProducer, Publish};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let producer = MemoryProducer::new();
/// let event = Event::new("acme", "booking.created", "{}").unwrap();
///
/// producer.fail_next(MemoryFault::NotStored);
/// assert!(producer.publish(&event).await.is_err());
/// assert!(producer.published().is_empty());
///
/// producer.publish(&event).await.unwrap();
/// assert_eq!(producer.published(), [event]);
/// # });
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryProducer {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    published: Vec<Event>,
    faults: VecDeque<MemoryFault>,
}

/// How the next publish of a [`MemoryProducer`] fails.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryFault {
    /// The broker is away: the event is not stored.
    NotStored,
    /// The event is stored, and the caller does not get to know: what comes next is a duplicate.
    Unconfirmed,
    /// The broker refuses this event, with a reply code of AMQP's and words.
    Refused {
        /// The reply code, like 406.
        code: u16,
        /// The words.
        text: String,
    },
}

impl MemoryProducer {
    /// One that has published nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything that was published, in this order; what was published twice stands there twice.
    #[must_use]
    pub fn published(&self) -> Vec<Event> {
        self.state().published.clone()
    }

    /// The same, which is forgotten by it.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.state().published)
    }

    /// Has the next publish fail; called several times, as many publishes one after the other.
    pub fn fail_next(&self, fault: MemoryFault) {
        self.state().faults.push_back(fault);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing here stops half-way, so that what a panicking test leaves behind is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish_now(&self, event: &Event) -> Result<Receipt, PublishError> {
        let mut state = self.state();
        let id = event.id.clone();
        match state.faults.pop_front() {
            None => {
                state.published.push(event.clone());
                Ok(Receipt { event: id })
            }
            Some(MemoryFault::NotStored) => Err(PublishError::NotStored {
                event: id,
                waited: Duration::ZERO,
                cause: None,
            }),
            Some(MemoryFault::Unconfirmed) => {
                state.published.push(event.clone());
                Err(PublishError::Unconfirmed {
                    event: id,
                    waited: Duration::ZERO,
                    cause: None,
                })
            }
            Some(MemoryFault::Refused { code, text }) => Err(PublishError::Refused {
                event: id,
                maybe_stored: false,
                code,
                text,
            }),
        }
    }
}

impl Publish for MemoryProducer {
    fn publish<'a>(&'a self, event: &'a Event) -> PublishFuture<'a> {
        Box::pin(async move { self.publish_now(event) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn faults_come_in_their_order_and_an_unconfirmed_event_is_there() {
        let producer = MemoryProducer::new();
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        producer.fail_next(MemoryFault::Unconfirmed);
        producer.fail_next(MemoryFault::Refused {
            code: 406,
            text: "too large".into(),
        });
        let error = producer.publish(&event).await.unwrap_err();
        assert!(error.may_be_stored() && *error.event() == event.id);
        let error = producer.publish(&event).await.unwrap_err();
        assert!(!error.may_be_stored() && error.to_string().contains("406 too large"));
        assert_eq!(producer.take(), [event]);
        assert!(producer.published().is_empty());
    }
}
