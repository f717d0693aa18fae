//! The whole dispatcher, in a world that is played.

pub(crate) mod simulation; // a broker, a log and receivers, with all their faults
