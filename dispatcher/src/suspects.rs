//! Which messages are suspected of crashing their consumers, and what follows one through the pipeline. `quarantine.rs` handles
//! them.

use hookline_common::message::{self, Message};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::queues::Working;

/// Returns to a working queue from which on a message is suspected. Restarts and lost connections give each a return or
/// two; suspecting those would only make work.
const SUSPECT_RETURNS: u32 = 3;
/// Whether a message of a working queue must be handled alone, because it came back too often, or was here before.
#[must_use]
pub fn is_suspect(queue: Working, returned: u32, message: &Message) -> bool {
    returned >= SUSPECT_RETURNS || queue == Working::Due && message::crashes(message) > 0
}

/// Ends when the message that it was given along with is at its end.
pub struct Watch {
    _ends: oneshot::Sender<()>,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    /// Drops `ends` and gives `place` back at that end.
    #[must_use]
    pub fn new(ends: oneshot::Sender<()>, place: OwnedSemaphorePermit) -> Self {
        Self {
            _ends: ends,
            _place: place,
        }
    }
}
