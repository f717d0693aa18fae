//! Everything that touches RabbitMQ, and the only place that knows the client library.
//!
//! A link is a connection that comes back; a [`Publisher`] publishes through it, confirmed and routed; a
//! [`Consumer`] takes messages from it. Every wait on the broker has a deadline, because the library's own
//! recovery and its calls on a blocked connection were seen to hang.

mod browse;
mod consumer;
mod declare;
mod error;
mod link;
mod publisher;
mod url;
mod wire;

pub use browse::{Browser, Held, HeldReceipt};
pub use consumer::{Acker, Consumer, Incoming, Subscription};
pub use declare::{Discrepancy, DiscrepancyKind, QueueDepth, check, declare};
pub use error::BrokerError;
pub use link::LinkSettings;
pub use publisher::{Address, PublishFault, Publisher, Stored};
pub use url::{BrokerUrl, InvalidBrokerUrl};
pub use wire::{Headers, Message, WrongType};
