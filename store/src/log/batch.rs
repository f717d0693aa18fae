//! What is to be recorded together, and what became of it.

use hookline_common::record::AttemptRecord;
use jiff::Timestamp;

/// What was read of a stream, from one offset to another.
#[derive(Debug, Default)]
pub struct LogBatch {
    /// Where it began: what the last batch had as its `next_offset`.
    pub offset: u64,
    /// Where reading goes on.
    pub next_offset: u64,
    /// SHA-256 of the last message that was read, the one before `next_offset`.
    pub last_message: [u8; 32],
    /// What could be read, each with the offset of its message.
    pub records: Vec<(u64, AttemptRecord)>,
    /// What could not.
    pub set_aside: Vec<SetAside>,
    /// Attempts that began before this are too old to be kept.
    pub keep_since: Timestamp,
}

/// How far a stream was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamPlace {
    /// The number of the message that is to be read next; 0 where none was read yet.
    pub next_offset: u64,
    /// SHA-256 of the message before it, where there is one.
    pub last_message: Option<[u8; 32]>,
}

/// Something that cannot be stored, for a person to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The number of the message that brought it.
    pub offset: u64,
    /// Why.
    pub reason: String,
    /// A line, or a whole message that is no batch.
    pub content: Vec<u8>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Attempts that were not there yet.
    pub new: u64,
    /// Attempts that were there already.
    pub known: u64,
    /// Attempts that were too old on arrival.
    pub expired: u64,
    /// Lines and messages that were set aside.
    pub set_aside: u64,
    /// Older ones that gave way to them, as only so many are kept.
    pub given_up: u64,
}
