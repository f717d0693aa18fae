//! Many cases, and what is told of the one that fails.

use std::collections::BTreeMap;
use std::thread::panicking;

use crate::random::Random;

const CASES: &str = "HOOKLINE_TEST_CASES";
const SEED: &str = "HOOKLINE_TEST_SEED";
const CASE: &str = "HOOKLINE_TEST_CASE";

/// One history of many steps is worth so many cases.
const CASES_PER_HISTORY: u64 = 250;
/// Fewer cases than these need not be of every kind.
const FEW: u64 = 500;

/// How many cases a test takes: `HOOKLINE_TEST_CASES`, or else `ordinary`.
#[must_use]
pub fn count(ordinary: u64) -> u64 {
    variable(CASES).unwrap_or(ordinary)
}

/// How many histories a simulation plays, each of which is as much work as 250 cases: 4,000 where each test takes 1,000,000
/// cases.
#[must_use]
pub fn histories(ordinary: u64) -> u64 {
    variable(CASES).map_or(ordinary, |cases| (cases / CASES_PER_HISTORY).max(1))
}

/// What cases are drawn from: `HOOKLINE_TEST_SEED`, or else 1, so that an ordinary run is the same every time.
#[must_use]
pub fn seed() -> u64 {
    variable(SEED).unwrap_or(1)
}

/// Runs `case` as often as [`count`] says, each time with numbers of its own, and says at the end how many of each kind there
/// were. `case` gives back which kind it was. A run of cases that are all alike shows little, so of those in `kinds` each must be one
/// of a hundred at least.
///
/// # Panics
/// Where `case` does; what is printed then says how to run that case alone. And where one kind is too rare.
pub fn run(
    name: &str,
    ordinary: u64,
    kinds: &[&'static str],
    mut case: impl FnMut(&mut Random) -> &'static str,
) {
    let seed = seed();
    let numbers = match variable(CASE) {
        Some(only) => only..only.saturating_add(1),
        None => 0..count(ordinary),
    };
    let cases = numbers.end - numbers.start;
    let mut of_kind: BTreeMap<&'static str, u64> = kinds.iter().map(|kind| (*kind, 0)).collect();
    for number in numbers {
        let told = Told { name, seed, number };
        *of_kind.entry(case(&mut Random::of(seed, number))).or_default() += 1;
        drop(told);
    }
    let counts: Vec<String> = of_kind
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    say(&format!(
        "{name}: {cases} cases from seed {seed}: {}",
        counts.join(", ")
    ));
    let is_rare = |kind| {
        of_kind
            .get(kind)
            .is_none_or(|count| count.saturating_mul(100) < cases)
    };
    assert!(
        cases < FEW || !kinds.iter().any(is_rare),
        "too few of one kind: {}",
        counts.join(", ")
    );
}

/// Says on its way out of a case that panics which one it was.
struct Told<'a> {
    name: &'a str,
    seed: u64,
    number: u64,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if panicking() {
            let Self { name, seed, number } = self;
            say(&format!("{name}: this was {SEED}={seed} {CASE}={number}"));
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "what a test prints is shown where it fails, or is asked for"
)]
fn say(line: &str) {
    println!("{line}");
}

/// A number that is set for a test.
#[expect(
    clippy::disallowed_methods,
    reason = "no setting of a program, but of a run of tests"
)]
#[expect(
    clippy::panic,
    reason = "a run of other cases than were asked for would pass for that"
)]
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name}={text:?} must be a whole number"),
    }
}
