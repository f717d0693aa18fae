//! What a booking service links: publish an event, and know that the broker has it. The first step of an
//! event's way.
//!
//! ```no_run
//! # async fn book() -> Result<(), Box<dyn std::error::Error>> {
//! use hookline_producer::{Event, Producer, Settings};
//!
//! let producer = Producer::connect(Settings::from_env()?).await?;
//! let event = Event::new("acme", "booking.created", r#"{"booking":{"id":"bkg_1"}}"#)?;
//! let receipt = producer.publish(&event).await?;
//! println!("{} is on its way", receipt.event);
//! # Ok(())
//! # }
//! ```
//!
//! `Ok` means that the broker has stored the event in its queue; from there on it is delivered at least once
//! to every endpoint of the company that wants it. An error never loses the event: publish *the same*
//! [`Event`] again, and receivers recognise by its id what they should get twice. A service that must not
//! forget an event when it crashes before `Ok` stores the event with its own data first, and publishes from
//! there.
//!
//! Everything that a caller needs is exported here; no other crate of the workspace has to be named.

mod error; // why an event is not known to be stored
mod memory; // a producer for tests
mod meters; // what is counted
#[cfg(feature = "outbox-postgres")]
pub mod outbox; // events that are committed with what they tell of
pub mod payload; // the data of the catalogue's types
mod producer; // connect, publish one, publish many
mod publish; // what both kinds of producers can
mod settings; // where the broker is, how long to wait

pub use error::{ConnectError, PublishError};
pub use hookline_common::broker::{
    BrokerError, BrokerUrl, ConnectFailure, Discrepancy, DiscrepancyKind, InvalidBrokerUrl, Refusal,
};
pub use hookline_common::event::{CreatedAt, Data, Event, InvalidData, InvalidEvent};
pub use hookline_common::ids::{CompanyId, EventId, EventType, InvalidId};
pub use hookline_common::settings::{Fault, Faults};
pub use hookline_common::topology::Namespace;
pub use hookline_common::trace_context::TraceContext;
pub use memory::{MemoryFault, MemoryProducer};
pub use meters::ProducerStats;
pub use producer::{Producer, Receipt};
pub use publish::{Publish, PublishFuture};
pub use settings::Settings;
