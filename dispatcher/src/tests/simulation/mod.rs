//! The dispatcher's decisions in one process, one thread and one seed, on a clock that jumps: what is taken in, routed, whose turn it
//! is, what an answer means, what comes after, the order of settling, and what a stop brings to its end, with the real ledgers,
//! fairness, pipeline, settler and drain. Played are the broker (`hookline_cases::broker`), the log, the registry and the receivers,
//! which delay, lose, repeat and hang; whole processes are stopped, and killed before or after anything that they do outside; and
//! endpoints come, go and change, and the time of day jumps.
//!
//! What is the same for the same seed: every message, every attempt, every acknowledgement, and when. Ids of records are not, and decide
//! nothing here. So nothing on this way may draw lots: no `select!` without an order, no `watch` channel, no map that is gone through
//! in an order of its own.

pub(crate) mod clock; // the time of day, as it is played
mod reasons; // why something may be there twice
mod world; // the broker, the log and the receivers, as they are played
mod plan; // what a seed makes of all that
mod known; // what one process knows of endpoints
mod outside; // how a process reaches the outside
mod process; // one dispatcher
mod history; // from the first event until nothing is left to do
mod judge; // what became of everything
pub(crate) mod mistakes; // that are put back, to see that they are found

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use hookline_cases::{histories, seed};

use self::history::{Ended, play, tell};
use self::mistakes::{Mistake, put_back};
use self::plan::Plan;

/// A run of so many is the full one.
const FULL: u64 = 4_000;
/// So many waits are cancelled in a full run at least: enough that a permit which one of them keeps is found. Some 2,800 are, as requests
/// to receivers that take their time hardly wait for others to begin.
const CANCELLED: u64 = 2_000;
/// Steps that are shown of a history with a fault.
const SHOWN: usize = 80;

#[expect(
    clippy::print_stdout,
    reason = "what a test prints is shown where it is asked for"
)]
fn say(line: &str) {
    println!("{line}");
}

/// Plays these seeds, each processor some of them, with a mistake put back where there is one: what came of all, or the first that has
/// a fault.
fn play_all(first: u64, count: u64, mistake: Option<Mistake>) -> Result<Ended, (u64, String)> {
    let (next, found) = (AtomicU64::new(first), AtomicU64::new(u64::MAX));
    let of_thread = || {
        put_back(mistake);
        let mut sums = Ended::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            // Those before the first fault that is known are all played, so that it is the first.
            if seed >= first + count || seed > found.load(Ordering::Relaxed) {
                return Ok(sums);
            }
            if mistake.is_some_and(|mistake| !mistake.may_show(&Plan::of(seed))) {
                continue;
            }
            let ended = play(seed);
            if let Some(fault) = ended.fault {
                found.fetch_min(seed, Ordering::Relaxed);
                return Err((seed, fault));
            }
            sums.add(&ended);
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let results: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(of_thread)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    let mut sums = Ended::default();
    let mut faults = Vec::new();
    for result in results {
        match result {
            Ok(of_thread) => sums.add(&of_thread),
            Err(fault) => faults.push(fault),
        }
    }
    match faults.into_iter().min() {
        Some(fault) => Err(fault),
        None => Ok(sums),
    }
}

#[test]
fn simulation_nothing_is_lost_doubled_hurried_or_stuck() {
    let (first, count) = (seed(), histories(100));
    let began = std::time::Instant::now();
    let sums = match play_all(first, count, None) {
        Ok(sums) => sums,
        Err((seed, fault)) => {
            let again = tell(seed);
            assert_eq!(
                again.fault.as_ref(),
                Some(&fault),
                "seed {seed} is another history now"
            );
            let last = again.trace.len().saturating_sub(SHOWN);
            panic!(
                "{fault}\nHOOKLINE_TEST_SEED={seed} plays it again; its last steps:\n{}",
                again.trace[last..].join("\n")
            );
        }
    };
    say(&format!(
        "simulation: {count} histories from seed {first} in {:.1} s: {} events, {} attempts, {} kills, {} stops, {} lost \
         connections, {} lost confirms, {} changes of endpoints, {} jumps of the clock, {} waits cancelled",
        began.elapsed().as_secs_f64(),
        sums.events,
        sums.posts,
        sums.kills,
        sums.stops,
        sums.losses,
        sums.lost_confirms,
        sums.changes,
        sums.jumps,
        sums.cancelled
    ));
    // Histories without faults would show little.
    for faults in [
        sums.kills,
        sums.stops,
        sums.losses,
        sums.lost_confirms,
        sums.changes,
        sums.jumps,
    ] {
        assert!(count < 100 || faults > count / 8);
    }
    assert!(count < FULL || sums.cancelled >= CANCELLED);
}

#[test]
fn simulation_the_same_seed_is_the_same_history() {
    for seed in 1..=histories(20).min(200) {
        let (one, other) = (tell(seed), tell(seed));
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
        assert!(one.trace.len() > 5, "seed {seed}: {} steps", one.trace.len());
    }
    assert_ne!(tell(1).trace, tell(2).trace);
}

#[test]
fn simulation_finds_each_mistake_that_is_put_back() {
    const SEEDS: u64 = 1_000;
    for mistake in Mistake::ALL {
        match play_all(1, SEEDS, Some(mistake)) {
            Err((seed, fault)) => say(&format!("{mistake:?} was found with seed {seed}: {fault}")),
            Ok(_) => panic!("{mistake:?} was not found within {SEEDS} seeds"),
        }
    }
}
