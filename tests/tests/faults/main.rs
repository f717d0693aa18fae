//! The fault suite: one test for each fault, named after it. Each ends with the judge's verdict and leaves a row of the table
//! (`make test-faults`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a fault fails by panicking, and plays programs that may do anything"
)]

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;

mod judging; // that the judge finds what is missing, and what is too many
mod settling; // a dispatcher that is killed at each point of the way
mod killing; // or again and again, wherever it is
mod scaling; // as many as are needed, now four and now one
mod poison; // messages that nobody can do anything with
mod crashing; // and those that end whoever tries
mod volume; // much at once
mod neighbours; // and others that hang
mod changes; // a secret that changes while deliveries wait
mod clock; // a clock that jumps
mod limits; // nothing left of what a program needs
mod mix; // and all of it by chance

mod single; // what most faults of a broker or of a link to it are tried on
mod broker; // a broker that stops, dies, is short of something, or closes what it likes
mod links; // a link to it that breaks, or falls silent
mod declared; // a queue that is another than it must be
mod queues; // or gone, or full
mod rejected; // and what nobody can work on then
mod delays; // how long things wait there, whatever happens

mod company; // what faults of the console's database are tried on
mod database; // a database that is away, or slow
mod no_room; // or takes nothing
mod commits; // or loses its clients in a COMMIT
mod changes_by_api; // and what companies change there meanwhile
mod log; // and what is recorded of attempts, whoever dies

mod cluster; // three nodes, of which some die, freeze, part or are away

/// Whether this is the small run of the suite.
fn is_quick() -> bool {
    std::env::var("QUICK").is_ok_and(|quick| quick == "1")
}

/// Another one in each run, unless `HOOKLINE_TEST_SEED` asks for the faults of an earlier one. It is told past the test runner,
/// which keeps what a test prints for those that fail.
fn drawn_seed() -> u64 {
    let seed = match std::env::var("HOOKLINE_TEST_SEED") {
        Ok(text) => text.parse().expect("HOOKLINE_TEST_SEED is a number"),
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    writeln!(
        std::io::stderr(),
        "HOOKLINE_TEST_SEED={seed} plays the same faults again"
    )
    .expect("stderr");
    seed
}
