//! Cases at random, for tests that must hold for any input: how many of them, from which seed, and which one failed.
//!
//! Three variables, all of tests alone, say what a run does:
//!
//! - `HOOKLINE_TEST_CASES`: how many cases each test takes, in place of the few of an ordinary run. 1000000 is the full size.
//! - `HOOKLINE_TEST_SEED`: what the cases are drawn from; 1 unless it is set.
//! - `HOOKLINE_TEST_CASE`: the number of the only case that is to run. A case that fails prints this line of variables.
//!
//! Each case draws from numbers of its own, which depend on the seed and on the case's number alone. So one case can be run again
//! without those before it, whatever else runs beside it.

pub mod broker; // a broker, played
mod corpus; // inputs that are kept
mod mutate; // and changed
mod random; // numbers that look drawn
mod run; // many of them

pub use corpus::{blocks, lines};
pub use mutate::{Mutations, mutated};
pub use random::Random;
pub use run::{count, histories, run, seed};
