//! What anybody can write to us, in a million spellings: nothing makes us panic or work without bound, and what is taken is
//! what it says.
//!
//! An ordinary run takes a few thousand cases of each; `HOOKLINE_TEST_CASES=1000000` takes that many (crate `hookline-cases`,
//! which also says how to run one case again). Cases begin from the inputs in `corpus/`, where every one stays that once failed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod envelopes; // data, in every format of body
mod json; // what JSON is, by its grammar
mod messages; // what stands on the queues
mod retry_after; // what receivers answer
mod urls; // where companies want their events
mod endpoints_file; // what operators write, all at once
mod settings; // and one by one
