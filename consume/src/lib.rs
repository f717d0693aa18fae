//! Working queues: a service takes messages from them, works on each, and has it acknowledged when everything that
//! replaces it is stored. Read downwards, the modules follow a message.
//!
//! In the way of an event (`docs/TOUR.md`) that is step 2, it is taken in, and the end of step 8, it is acknowledged.
//!
//! Two facts are known of every message in hand: whether work on it has *begun*, and whether it is *settled*. What has not
//! begun can go back to its queue at any moment without harm, so that a stop withholds nothing; what has begun is finished
//! and acknowledged. Nothing else acknowledges.

mod work_queue; // which queue, how much of it at once
mod handler; // who takes its messages
mod intake; // messages come in, whatever becomes of the connection
mod reading; // those that the broker pushes
mod sizing; // how wide a window is for messages of their sizes
mod window; // what is unacknowledged of one subscription
mod redeliveries; // what is remembered of lost subscriptions
mod ledger; // both together, as one pure whole
mod acknowledges; // what takes acknowledgements
mod ack_ledger; // the ledger in use: handles for messages, and acknowledgements

mod relay; // beside all that: messages moved elsewhere, unread

pub use ack_ledger::{AckLedger, InHand, Load};
pub use acknowledges::Acknowledges;
pub use handler::{Handler, Taken};
pub use intake::Intake;
pub use relay::{Relayed, relay};
pub use work_queue::{Supply, WorkQueue};
