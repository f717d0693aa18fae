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

use std::cell::Cell;

use hookline_cases::{histories, seed};

use self::history::{Ended, play};

/// A mistake that a test puts back, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// What replaces a message counts as stored before the broker has said so.
    TrustsUnconfirmed,
    /// What replaces a message is stored without asking whether the message is still ours.
    ReplacesUnasked,
    /// A retry waits for the shortest delay of the schedule, whichever it should.
    RetriesTooSoon,
    /// A permit is never given back by whoever is cancelled while holding one.
    LeaksPermits,
    /// A dead letter is dropped.
    DropsDeadLetters,
    /// An acknowledgement takes along what came before it, settled or not.
    AcknowledgesTooMuch,
}

impl Mistake {
    const ALL: [Self; 6] = [
        Self::TrustsUnconfirmed,
        Self::ReplacesUnasked,
        Self::RetriesTooSoon,
        Self::LeaksPermits,
        Self::DropsDeadLetters,
        Self::AcknowledgesTooMuch,
    ];
}

thread_local! {
    static MISTAKE: Cell<Option<Mistake>> = const { Cell::new(None) };
}

/// Whether the mistake was put back, in this thread.
pub(crate) fn is_back(mistake: Mistake) -> bool {
    MISTAKE.get() == Some(mistake)
}

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
    for seed in 1..=10 {
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
        assert!(one.trace.len() > 50, "seed {seed}: {} steps", one.trace.len());
    }
    assert_ne!(play(1).trace, play(2).trace);
}

#[test]
fn simulation_finds_each_mistake_that_is_put_back() {
    const SEEDS: u64 = 100;
    for mistake in Mistake::ALL {
        MISTAKE.set(Some(mistake));
        let found = (1..=SEEDS).find_map(|seed| play(seed).fault.map(|fault| (seed, fault)));
        MISTAKE.set(None);
        match found {
            Some((seed, fault)) => say(&format!("{mistake:?} was found with seed {seed}: {fault}")),
            None => panic!("{mistake:?} was not found within {SEEDS} seeds"),
        }
    }
}
