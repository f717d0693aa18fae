//! Who takes the messages of a working queue.

use hookline_common::message::Message;

use crate::ack_ledger::InHand;

/// A message that was taken in.
pub struct Taken {
    /// The handle by which it is settled.
    pub in_hand: InHand,
    /// How often it came back unacknowledged, as quorum queues count.
    pub returned: u32,
    /// The message itself.
    pub message: Message,
}

/// What becomes of the messages of a queue.
pub trait Handler: Send + Sync + 'static {
    /// Takes one message. As long as this takes, no further one is handed over.
    fn take(&self, taken: Taken) -> impl Future<Output = ()> + Send;

    /// The queue is not there, and only its owner can make it.
    fn queue_is_missing(&self);

    /// The broker gives out so many messages at most from now on, fewer where they are large, `beside` so many for which
    /// somebody outside is waited for from before.
    fn is_resized(&self, messages: u16, beside: usize) {
        let _nothing_depends_on_it = (messages, beside);
    }
}
