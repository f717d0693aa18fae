//! Events and deliveries as messages: strict and total. Any message in; work, or a named reason to reject it, out.
//!
//! Every rule of the message format stands here once, for what comes in and for what goes out.

mod header; // names of the headers that are ours
mod sender; // who sent it, and how
mod found; // what stood where it must not
mod limits; // how much room headers may take
mod rejection; // why a message cannot be understood
mod media; // what says that a body is JSON
mod keep; // what is kept of a sender's words where a message is set aside
mod read; // from messages to work
mod filed; // dead letters, in parts, as they are kept elsewhere
mod write; // from work to messages
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use self::filed::{FiledDelivery, Unsendable};
pub use self::found::Found;
pub use self::keep::read_sender;
pub use self::read::{
    crashes, read_dead_letter, read_event, read_failed, read_rejection, read_target, read_work,
};
pub use self::rejection::Rejection;
pub use self::sender::{Sender, SenderProperties};
pub use self::write::{
    set_crashes, write_delivery, write_event, write_failed, write_rejected, write_suspect, write_work,
};
use crate::headers::Headers;

const JSON: &str = "application/json";

/// Properties, headers and body of one message, as the broker carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// MIME type of the body.
    pub content_type: Option<String>,
    /// Encoding of the body (`zstd`), if any.
    pub content_encoding: Option<String>,
    /// The `message_id` property.
    pub message_id: Option<String>,
    /// The `type` property.
    pub message_type: Option<String>,
    /// The `timestamp` property: seconds since the epoch.
    pub timestamp: Option<u64>,
    /// Application headers.
    pub headers: Headers,
    /// Who sent it, and how. Nothing of it means anything to us: it is kept where the message is rejected.
    pub sender: Sender,
    /// The payload; clones share it.
    pub body: Bytes,
}

impl Message {
    /// What it takes in memory and on the wire, in bytes and by and large: the body, and what is said beside it.
    #[must_use]
    pub fn size(&self) -> usize {
        /// Properties and the frames around them.
        const REST: usize = 200;
        REST + self.body.len() + self.headers.size()
    }
}
