//! The overview: is everything all right? One sentence, then what is broken, then figures, then charts. For one company, or
//! for the operator over all of them.

mod window; // the time that charts show; pure
mod sentence; // all of it in words; pure
mod figures; // in numbers
mod over_time; // and over time
mod queues; // what the broker holds
mod nodes; // and how it fares itself
mod view; // how both pages are made of these
pub(super) mod company; // of one company
pub(super) mod all; // of all
