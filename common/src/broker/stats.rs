//! What the links to the broker count, readable at any time and without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

use super::line_limit::LineLimit;

/// Counts over all links that were given the same one with [`LinkSettings::counting_in`].
///
/// [`LinkSettings::counting_in`]: super::LinkSettings::counting_in
#[derive(Debug, Default)]
pub struct BrokerStats {
    publish_confirmed: AtomicU64,
    publish_refused: AtomicU64,
    reconnects: AtomicU64,
    unconfirmed_bytes: AtomicU64,
    pub(super) lines: LineLimit,
}

impl BrokerStats {
    /// How many messages the broker has confirmed and routed.
    #[must_use]
    pub fn publish_confirmed(&self) -> u64 {
        self.publish_confirmed.load(Ordering::Relaxed)
    }

    /// How often the broker refused a message (a negative confirm). Each try counts.
    #[must_use]
    pub fn publish_refused(&self) -> u64 {
        self.publish_refused.load(Ordering::Relaxed)
    }

    /// How many connections were made after the first one of each link.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.reconnects.load(Ordering::Relaxed)
    }

    /// Bytes of messages that were handed to the client library and that the broker has not answered for.
    #[must_use]
    pub fn unconfirmed_bytes(&self) -> u64 {
        self.unconfirmed_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn count_confirmed(&self) {
        self.publish_confirmed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self) {
        self.publish_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_reconnect(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_unconfirmed(&self, bytes: u64) {
        self.unconfirmed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn remove_unconfirmed(&self, bytes: u64) {
        self.unconfirmed_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
