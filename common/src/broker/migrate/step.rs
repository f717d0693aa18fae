//! What is told of a migration: how it goes on, what it did, and why it does not.

use super::super::error::BrokerError;

/// What goes on, for whoever waits for it.
#[derive(Debug, Clone, Copy)]
pub enum MigrationStep<'a> {
    /// Messages begin to move from one queue into another.
    Moving {
        /// Where from.
        from: &'a str,
        /// Where to.
        to: &'a str,
    },
    /// So many have arrived.
    Moved {
        /// How many, by one transfer.
        messages: u64,
        /// Where to.
        to: &'a str,
    },
    /// Messages still arrive in the queue, which can be deleted only when nobody publishes to it.
    StillPublished {
        /// Which one.
        queue: &'a str,
    },
    /// The queue stands anew.
    Replaced {
        /// Which one.
        queue: &'a str,
    },
    /// Something went wrong and is tried again.
    Again {
        /// What.
        error: &'a BrokerError,
    },
    /// Messages that were published at the last moment are held by this process alone: it must not be ended now.
    HoldingTheLast {
        /// How many.
        messages: usize,
        /// What keeps them from being stored.
        error: &'a BrokerError,
    },
}

/// A queue that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// Its name.
    pub queue: String,
    /// The messages that came back into it, by this run.
    pub messages: u64,
}

/// Why a queue is not migrated. What was begun is not undone, and the next run goes on with it.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// It cannot or must not be done as things stand.
    #[error("{queue} is not migrated: {why}")]
    Refused {
        /// Which queue.
        queue: String,
        /// Why, and what to do.
        why: String,
    },
    /// The broker does not do its part.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}
