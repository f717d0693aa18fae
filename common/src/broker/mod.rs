//! Everything that touches RabbitMQ, and the only place that knows the client library.
//!
//! A link is a connection that comes back; a [`Publisher`] publishes through it, confirmed and routed; a
//! [`Consumer`] takes messages from it. Every wait on the broker has a deadline, because the library's own
//! recovery and its calls on a blocked connection were seen to hang.

mod url; // where it is, and who we are there
mod stats; // what is counted
mod discrepancy; // how an object there differs from ours
mod error; // what can go wrong
mod connect; // one connection
mod link; // one that comes back
mod declare; // the topology, made so
mod upkeep; // and kept so
mod depth; // how deep queues are
mod wire; // a message as the client library has it
mod address; // where a message is published to
mod ledger; // what is published and not answered
mod in_flight; // and how much that may be
mod publish_channel; // channels that confirm
mod publish_fault; // why a message is not known to be stored
mod confirm_watch; // a broker that is slow, and one that is gone
mod publisher; // in: confirmed and routed
mod consumer; // out: taken, and acknowledged
mod browse; // looked at, and given back
mod stream; // a log, followed

pub use address::Address;
pub use browse::{Browser, Held, HeldReceipt};
pub use connect::LinkSettings;
pub use consumer::{Acker, Consumer, Incoming, Subscription};
pub use declare::{check, declare};
pub use depth::{QueueDepth, QueueError, SurveyedQueue, survey};
pub use discrepancy::{Discrepancy, DiscrepancyKind};
pub use error::BrokerError;
pub use publish_fault::PublishFault;
pub use publisher::{Publisher, Stored};
pub use stats::BrokerStats;
pub use stream::{StreamReader, StreamStart};
pub use url::{BrokerUrl, InvalidBrokerUrl};
