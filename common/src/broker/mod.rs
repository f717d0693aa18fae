//! Everything that touches RabbitMQ, and the only place that knows the client library.
//!
//! A link is a connection that comes back; a [`Publisher`] publishes through it, confirmed and routed; a
//! [`Consumer`] takes messages from it. Every wait on the broker has a deadline, because the library's own
//! recovery and its calls on a blocked connection were seen to hang.

mod url; // where it is, and who we are there
mod error; // what can go wrong
mod connect; // one connection
mod link; // one that comes back
mod declare; // the topology, made so
mod wire; // a message as the client library has it
mod publisher; // in: confirmed and routed
mod consumer; // out: taken, and acknowledged
mod browse; // looked at, and given back
mod stream; // a log, followed

pub use browse::{Browser, Held, HeldReceipt};
pub use connect::LinkSettings;
pub use consumer::{Acker, Consumer, Incoming, Subscription};
pub use declare::{Discrepancy, DiscrepancyKind, QueueDepth, check, declare};
pub use error::BrokerError;
pub use publisher::{Address, PublishFault, Publisher, Stored};
pub use stream::{StreamReader, StreamStart};
pub use url::{BrokerUrl, InvalidBrokerUrl};
