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
    /// What could be read, each with the offset of its message.
    pub records: Vec<(u64, AttemptRecord)>,
    /// What could not.
    pub set_aside: Vec<SetAside>,
    /// Attempts that began before this are too old to be kept.
    pub keep_since: Timestamp,
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
}
