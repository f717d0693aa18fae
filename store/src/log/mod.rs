//! The log: attempts as dispatchers recorded them, what became of each delivery, and events with their payloads. Read
//! downwards, the modules follow what is recorded: from the stream into the tables, and out of them when it is too old.

mod batch; // what is to be recorded, and what became of it
mod known_days; // the days of its tables that are there
mod days; // the tables' days, made when they are first needed
mod offsets; // how far the stream was read
mod attempts; // one row each
mod deliveries; // what they make of deliveries
mod order; // who takes numbers, one after the other
mod events; // events, in the order in which they were recorded
mod set_aside; // what cannot be stored
mod turn; // two batches at once
mod write; // all of it in one transaction
mod retention; // days that are too old

pub use self::batch::{LogBatch, Recorded, SetAside, StreamPlace};
pub(crate) use self::days::{day_of, ensure};
pub(crate) use self::events::{NewEvent, add_events};
pub(crate) use self::known_days::{DayTable, KnownDays};
pub(crate) use self::order::in_order;
pub use self::retention::Dropped;
pub use self::turn::{Predecessor, Turn};
