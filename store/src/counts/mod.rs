//! How many attempts ended how, over time: counted in the transaction that records them, so that each counts once.

mod histogram; // how long answers took; pure
mod tally; // what is counted of an attempt; pure
mod columns; // how it stands in its table
mod note; // a batch of the log, counted
mod read; // and what is asked of it
mod forget; // until it is too old

pub use self::histogram::Histogram;
pub(crate) use self::note::note;
pub use self::read::CountsAt;
pub use self::tally::{Counts, Step};
