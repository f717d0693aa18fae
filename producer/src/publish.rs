//! What publishes an event: a producer with its broker, or one in memory for a caller's own tests.

use std::pin::Pin;

use hookline_common::event::Event;

use crate::error::PublishError;
use crate::producer::{Producer, Receipt};

/// What [`Publish::publish`] returns: a future that can be awaited on any thread.
pub type PublishFuture<'a> = Pin<Box<dyn Future<Output = Result<Receipt, PublishError>> + Send + 'a>>;

/// Publishes events. A service that keeps an `Arc<dyn Publish>` can be tested without a broker.
///
/// ```
/// use std::sync::Arc;
/// use hookline_producer::{Event, MemoryProducer, Publish};
///
/// struct Bookings {
///     events: Arc<dyn Publish>,
/// }
///
/// impl Bookings {
///     async fn cancel(&self, id: &str) -> Result<(), Box<dyn std::error::Error>> {
///         let data = format!(r#"{{"booking":{{"id":"{id}"}}}}"#);
///         self.events.publish(&Event::new("acme", "booking.cancelled", data)?).await?;
///         Ok(())
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let memory = MemoryProducer::new();
/// let bookings = Bookings { events: Arc::new(memory.clone()) };
/// bookings.cancel("bkg_1").await.unwrap();
/// assert_eq!(memory.published()[0].event_type.as_str(), "booking.cancelled");
/// # });
/// ```
pub trait Publish: Send + Sync {
    /// Publishes one event and returns when it is known to be stored, as [`Producer::publish`] does.
    ///
    /// # Errors
    /// The future yields a [`PublishError`], which names the event and says whether it may be stored all the same.
    fn publish<'a>(&'a self, event: &'a Event) -> PublishFuture<'a>;
}

impl Publish for Producer {
    fn publish<'a>(&'a self, event: &'a Event) -> PublishFuture<'a> {
        Box::pin(self.publish(event))
    }
}

impl<P: Publish + ?Sized> Publish for std::sync::Arc<P> {
    fn publish<'a>(&'a self, event: &'a Event) -> PublishFuture<'a> {
        (**self).publish(event)
    }
}
