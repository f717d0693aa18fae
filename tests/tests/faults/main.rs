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

mod single; // what most faults of a broker or of a link to it are tried on
mod broker; // a broker that stops, dies, is short of something, or closes what it likes
mod links; // a link to it that breaks, or falls silent
mod queues; // a queue that is gone, full, or another than it must be
mod delays; // and what its delays outlive

mod database; // the console's database, away or slow or of no use
mod changes; // and what companies change there while deliveries wait
mod log; // and what is recorded of attempts, whoever dies
