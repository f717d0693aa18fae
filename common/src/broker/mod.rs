//! Everything that touches RabbitMQ, and the only place that knows the client library.
//!
//! A link is a connection that comes back; a [`Publisher`] publishes through it, confirmed and routed; a
//! [`Consumer`] takes messages from it. Every wait on the broker has a deadline, because the library's own
//! recovery and its calls on a blocked connection were seen to hang.

mod refusal; // the broker's own words
mod peer; // who else may answer at a port
mod connect_fault; // why no node let us in
mod node_url; // where one node is, and who we are there
mod url; // where all of them are
mod line_limit; // how often trouble is told
mod stats; // what is counted
mod discrepancy; // how an object there differs from ours
mod error; // what can go wrong
mod tls; // who the broker must prove to be
mod heard; // whether it still says anything
mod returns; // and what it gives back
mod hang_up; // and an end that needs no answer
mod transport; // bytes that any publisher wrote, judged before they are parsed
mod link_settings; // how to connect
mod handshake; // with one address
mod connect; // one connection, to whichever node
mod loss; // why it ended
mod established; // one life of it
mod watch_over; // to its end
mod supervise; // and another one after it
mod link; // one that comes back
mod tolerated; // what may stand otherwise
mod object; // one thing of the topology
mod declare; // all of it, made so
mod unread;
mod upkeep; // and kept so
mod migrate; // queues with other arguments, replaced
mod depth; // how deep queues are
mod wire; // a message as the client library has it
mod address; // where a message is published to
mod unanswered; // what is published and not answered
mod in_flight; // and how much that may be
mod confirm_channel; // a channel that confirms
mod publish_channel; // one for each destination
mod publish_fault; // why a message is not known to be stored
mod knocking; // who tries again where it is refused
mod confirm_watch; // a broker that is slow, and one that is gone
mod publish_try; // once
mod publish_prepare; // what a connection is made ready with
mod publisher; // in: what publishes
mod publishing; // confirmed and routed
mod acker; // out: acknowledged
mod subscription; // when it was taken
mod consumer; // from whichever connection
mod browse; // looked at, and given back
#[cfg(feature = "endpoints")]
mod stream; // a log, followed
#[cfg(feature = "endpoints")]
mod stream_scan; // to its end
#[cfg(feature = "endpoints")]
mod log_rate; // how fast it grows
#[cfg(feature = "endpoints")]
mod spill_watch; // what stands beside it
#[cfg(feature = "endpoints")]
mod attempts_log; // what is kept of attempts, looked through

pub use acker::Acker;
pub use address::Address;
#[cfg(feature = "endpoints")]
pub use attempts_log::{AttemptsLog, EventAttempts};
pub use browse::{Browser, Held, HeldReceipt};
pub use connect_fault::ConnectFailure;
pub use consumer::Consumer;
pub use declare::{check, declare};
pub use depth::{QueueDepth, QueueError, SurveyedQueue, survey};
pub use discrepancy::{Discrepancy, DiscrepancyKind};
pub use error::BrokerError;
pub use link_settings::LinkSettings;
#[cfg(feature = "endpoints")]
pub use log_rate::LogRate;
pub use migrate::{Migrated, MigrationError, MigrationStep, migrate};
pub use publish_fault::PublishFault;
pub use publisher::Publisher;
pub use publishing::Stored;
pub use refusal::Refusal;
#[cfg(feature = "endpoints")]
pub use spill_watch::SpillWatch;
pub use stats::BrokerStats;
#[cfg(feature = "endpoints")]
pub use stream::{StreamItem, StreamReader, StreamStart};
pub use subscription::{Incoming, Subscription};
pub use tolerated::policy_command;
pub use url::{BrokerUrl, InvalidBrokerUrl};
