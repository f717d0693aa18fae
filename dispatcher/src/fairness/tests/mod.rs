//! What fairness promises: rules one by one, a model that tries everything, and a simulation that measures it.

#![allow(
    clippy::print_stdout,
    reason = "what was measured is worth reading beside what is asserted"
)]

mod model;
mod receiver;
mod rules;
mod simulation;
mod start_limiter;
mod world;
