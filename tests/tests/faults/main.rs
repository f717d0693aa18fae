//! The fault suite: one test for each fault, named after it. Each ends with the judge's verdict and leaves a row of the table
//! (`make test-faults`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a fault fails by panicking, and plays programs that may do anything"
)]

mod judging; // that the judge finds what is missing, and what is too many
mod settling; // a dispatcher that is killed at each point of the way
mod killing; // or again and again, wherever it is
mod crashes; // and a broker with them
mod scaling; // as many as are needed, now four and now one
mod poison; // messages that nobody can do anything with
mod crashing; // and those that end whoever tries
mod volume; // much at once
mod endpoints_change; // endpoints that change while deliveries wait
mod clock; // a clock that jumps
mod limits; // nothing left of what a program needs
mod mix; // and all of it by chance

/// Whether this is the small run of the suite.
fn is_quick() -> bool {
    std::env::var("QUICK").is_ok_and(|quick| quick == "1")
}
