//! Step 1: an event is published. Connect, publish one, publish many: each confirmed and routed before a caller is told so.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use hookline_common::broker::{Address, PublishFault, Publisher};
use hookline_common::event::Event;
use hookline_common::ids::EventId;
use hookline_common::message::write_event;
use hookline_common::publish_span::PublishSpan;
use hookline_common::topology::Topology;
use hookline_common::trace_context::TraceContext;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::error::{ConnectError, PublishError};
use crate::meters::{Meters, ProducerStats};
use crate::settings::Settings;

/// Publishes events over one connection, which comes back by itself. Clones share it and cost nothing;
/// dropping the last one closes it.
#[derive(Clone)]
pub struct Producer {
    inner: Arc<Inner>,
}

struct Inner {
    publisher: Publisher,
    slots: Semaphore,
    settings: Settings,
    meters: Meters,
}

/// The broker has stored the event, and a queue holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The event's id: the `webhook-id` that receivers see.
    pub event: EventId,
}

impl Producer {
    /// Starts to connect and returns at once, for a service that must start while its broker is away. Call it
    /// in a Tokio runtime: connecting and reconnecting, with growing pauses, is a task there.
    ///
    /// The events exchange and the queues behind it are made sure of on the first connection, and what has gone missing on
    /// later ones. An account without the right to configure can use those that stand.
    #[must_use]
    pub fn start(settings: Settings) -> Self {
        let topology = Topology::for_publishing(&settings.broker.namespace);
        let publisher = Publisher::start(settings.broker.link(&settings.connection_name), topology);
        let slots = Semaphore::new(settings.max_in_flight);
        Self {
            inner: Arc::new(Inner {
                publisher,
                slots,
                settings,
                meters: Meters::new(),
            }),
        }
    }

    /// As [`Producer::start`], and waits until a connection stands, through failed tries, up to the connect
    /// timeout.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`] when the time is over, [`ConnectError::Topology`] at once when an object
    /// on the broker is not as it must be.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        let deadline = Instant::now() + settings.connect_timeout;
        let producer = Self::start(settings);
        let connected = producer.inner.publisher.connected(Some(deadline)).await;
        producer.once(connected)
    }

    /// As [`Producer::connect`], but without a second try: for commands, whose user would rather know at
    /// once.
    ///
    /// # Errors
    /// As [`Producer::connect`].
    pub async fn connect_at_first_try(settings: Settings) -> Result<Self, ConnectError> {
        let producer = Self::start(settings);
        let connected = producer.inner.publisher.connected_at_first_try().await;
        producer.once(connected)
    }

    fn once(self, connected: Result<(), PublishFault>) -> Result<Self, ConnectError> {
        match connected {
            Ok(()) => Ok(self),
            Err(fault) => Err(ConnectError::new(fault, &self.inner.settings.broker.url)),
        }
    }

    /// Whether a connection stands at this moment, for a health page. Publishing waits for one by itself.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.publisher.is_up()
    }

    /// Why the broker takes no events at this moment, in its own words, while it has an alarm (`low on memory`, `low on
    /// disk`); publishing waits for it to end. The broker tells it to those alone who have published since it began.
    #[must_use]
    pub fn alarm(&self) -> Option<String> {
        self.inner.publisher.alarm()
    }

    /// What this producer and its clones have counted. The same is told to OpenTelemetry's global meter provider, as
    /// `hookline.producer.published`, `.confirmed`, `.returned`, `.failed`, `.in_flight` and `.confirm.duration`, where there was
    /// one when the producer was made.
    #[must_use]
    pub fn stats(&self) -> ProducerStats {
        self.inner.meters.stats()
    }

    /// Publishes one event and returns when the broker has confirmed that a queue holds it.
    ///
    /// It is tried until the publish timeout is over: through an outage, a restart of the broker, an alarm, a full queue.
    /// What the broker refuses by closing the channel is told at once. What was sent and not answered is sent again with the same id, so the event may be stored more than
    /// once. If its caller goes away before the end, the event may or may not be stored.
    ///
    /// An event without a trace context gets that of the caller's OpenTelemetry span, if there is one. Where there is either, the
    /// publish is a span in it, made by the process's tracer provider, and the event goes on from there.
    ///
    /// # Errors
    /// [`PublishError`] names the event and says whether it may be stored all the same.
    pub async fn publish(&self, event: &Event) -> Result<Receipt, PublishError> {
        let publishing = self.inner.meters.begin();
        let published = self.publish_since(publishing.since(), event).await;
        publishing.ended(&published);
        published
    }

    async fn publish_since(&self, start: Instant, event: &Event) -> Result<Receipt, PublishError> {
        let Inner {
            publisher,
            slots,
            settings,
            ..
        } = &*self.inner;
        let deadline = start + settings.publish_timeout;
        let Ok(Ok(_slot)) = timeout_at(deadline, slots.acquire()).await else {
            return Err(PublishError::Busy {
                event: event.id.clone(),
                waited: start.elapsed(),
            });
        };
        let to = Address::events(&settings.broker.namespace, event.event_type.as_str());
        let event = traced(event, TraceContext::current);
        let exchange = settings.broker.namespace.events_exchange();
        let span = PublishSpan::begin(
            &event.trace,
            &exchange,
            event.event_type.as_str(),
            event.id.as_str(),
        );
        let event = traced_by(event, span.as_ref());
        match publisher.publish(&to, &write_event(&event), Some(deadline)).await {
            Ok(_) => Ok(Receipt {
                event: event.id.clone(),
            }),
            Err(fault) => {
                span.into_iter().for_each(|mut span| span.failed("not_confirmed"));
                Err(PublishError::new(fault, &event, start.elapsed()))
            }
        }
    }

    /// Publishes many events, [`Settings::with_max_in_flight`] of them at once. The results come in the order of the
    /// events, so the *n*th result is that of the *n*th event; an error ends nothing but its own event. The
    /// events themselves reach the broker in no promised order.
    ///
    /// Nothing is published until the stream of results is read; dropping it leaves up to so many events
    /// unanswered.
    pub fn publish_all<S>(&self, events: S) -> impl Stream<Item = Result<Receipt, PublishError>> + use<S>
    where
        S: Stream<Item = Event>,
    {
        let producer = self.clone();
        let publish = move |event| {
            let producer = producer.clone();
            async move { producer.publish(&event).await }
        };
        events.map(publish).buffered(self.inner.settings.max_in_flight)
    }
}

/// The event with a trace: its own, or else the current one, if there is any.
fn traced(event: &Event, current: impl FnOnce() -> TraceContext) -> Cow<'_, Event> {
    if !event.trace.is_empty() {
        return Cow::Borrowed(event);
    }
    let trace = current();
    if trace.is_empty() {
        Cow::Borrowed(event)
    } else {
        Cow::Owned(Event {
            trace,
            ..event.clone()
        })
    }
}

/// The event as what follows its publish goes on with its trace.
fn traced_by<'a>(event: Cow<'a, Event>, span: Option<&PublishSpan>) -> Cow<'a, Event> {
    match span.map(PublishSpan::trace).filter(|trace| !trace.is_empty()) {
        None => event,
        Some(trace) => {
            let mut event = event.into_owned();
            event.trace = trace;
            Cow::Owned(event)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    fn context(span: &str) -> TraceContext {
        TraceContext::from_headers(
            Some(&format!("00-0af7651916cd43dd8448eb211c80319c-{span}-01")),
            None,
        )
    }

    #[test]
    fn the_callers_trace_goes_along_unless_the_event_has_one() {
        let (own, current) = (context("00000000000000aa"), context("00000000000000bb"));
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        assert_eq!(traced(&event, || current.clone()).trace, current);
        assert!(traced(&event, TraceContext::default).trace.is_empty());
        let event = Event {
            trace: own.clone(),
            ..event
        };
        assert_eq!(traced(&event, || current).trace, own);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_slot_counts_and_ends_as_not_sent() {
        let timeout = Duration::from_secs(30);
        let settings = Settings::new("amqp://127.0.0.1:1").unwrap().with_max_in_flight(1);
        let producer = Producer::start(settings.with_publish_timeout(timeout));
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        let _only_slot = producer.inner.slots.acquire().await.unwrap();
        let start = Instant::now();
        let error = producer.publish(&event).await.unwrap_err();
        assert!(
            matches!(error, PublishError::Busy { .. }) && !error.may_be_stored(),
            "{error}"
        );
        assert!(start.elapsed() >= timeout);
    }
}
