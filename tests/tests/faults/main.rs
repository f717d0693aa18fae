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
mod cluster; // three nodes, of which some die, freeze, part or are away
