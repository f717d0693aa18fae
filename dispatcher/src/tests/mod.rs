//! The whole dispatcher, in a world that is played.

pub(crate) mod simulation; // a broker, a log and receivers, with all their faults
pub(crate) mod in_hand; // messages of a broker that has none
mod looked_up; // a window full of messages whose companies had to be looked up
