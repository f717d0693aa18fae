//! The dispatcher's decisions in one process, one thread and one seed, on a clock that jumps: what is taken in, routed, whose turn it
//! is, what an answer means, what comes after, and the order of settling, with the real ledgers, fairness, pipeline and settler. Played
//! are the broker (`hookline_cases::broker`), the log and the receivers, which delay, lose, repeat and hang; and whole processes are
//! killed, before or after anything that they do outside.
//!
//! What is the same for the same seed: every message, every attempt, every acknowledgement, and when. Times of the wall clock and
//! ids of records are not, and decide nothing here.

mod world; // the broker, the log and the receivers, as they are played
mod outside; // how a process reaches them
mod process; // one dispatcher
mod history; // from the first event until nothing is left to do
mod judge; // what became of everything
mod mistakes; // that are put back, to see that they are found

use hookline_cases::{histories, seed};

use self::history::{Ended, play};
use self::mistakes::{Mistake, put_back};

#[expect(
    clippy::print_stdout,
    reason = "what a test prints is shown where it is asked for"
)]
fn say(line: &str) {
    println!("{line}");
}

#[test]
fn simulation_nothing_is_lost_doubled_hurried_or_stuck() {
    let first = seed();
    let mut sums = Ended::default();
    let count = histories(60);
    for seed in first..first + count {
        let ended = play(seed);
        if let Some(fault) = &ended.fault {
            let last = ended.trace.len().saturating_sub(60);
            panic!(
                "{fault}\nHOOKLINE_TEST_SEED={seed} plays it again; its last steps:\n{}",
                ended.trace[last..].join("\n")
            );
        }
        sums.add(&ended);
    }
    say(&format!(
        "simulation: {count} histories from seed {first}: {} events, {} attempts, {} kills, {} lost connections, {} lost confirms, {} \
         cancelled",
        sums.events, sums.posts, sums.kills, sums.losses, sums.lost_confirms, sums.cancelled
    ));
    // A history without faults would show little.
    assert!(sums.kills > count / 2 && sums.losses > count / 2 && sums.lost_confirms > count / 2);
}

#[test]
fn simulation_the_same_seed_is_the_same_history() {
    for seed in 1..=20 {
        let (one, other) = (play(seed), play(seed));
        let differs = one
            .trace
            .iter()
            .zip(&other.trace)
            .position(|(one, other)| one != other);
        if let Some(at) = differs {
            panic!(
                "seed {seed}, step {at}: {} and {}",
                one.trace[at], other.trace[at]
            );
        }
        assert_eq!(one.trace.len(), other.trace.len(), "seed {seed}");
        assert!(one.trace.len() > 15, "seed {seed}: {} steps", one.trace.len());
    }
    assert_ne!(play(1).trace, play(2).trace);
}

#[test]
fn simulation_finds_each_mistake_that_is_put_back() {
    const SEEDS: u64 = 200;
    for mistake in Mistake::ALL {
        put_back(Some(mistake));
        let found = (1..=SEEDS).find_map(|seed| play(seed).fault.map(|fault| (seed, fault)));
        put_back(None);
        match found {
            Some((seed, fault)) => say(&format!("{mistake:?} was found with seed {seed}: {fault}")),
            None => panic!("{mistake:?} was not found within {SEEDS} seeds"),
        }
    }
}
