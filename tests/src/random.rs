//! Numbers that look drawn at random, and are the same in each run with the same seed.

use std::io::Write as _;
use std::time::Duration;

/// A sequence of numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

/// The seed of this run: `HOOKLINE_TEST_SEED`, or another each time. It is told on stderr, past the test runner, which keeps what a
/// test prints for those that fail.
///
/// # Panics
/// When `HOOKLINE_TEST_SEED` is no number.
#[must_use]
pub fn seed() -> u64 {
    let seed = match std::env::var("HOOKLINE_TEST_SEED") {
        Ok(text) => text.parse().expect("HOOKLINE_TEST_SEED is a number"),
        Err(_) => u64::try_from(jiff::Timestamp::now().as_millisecond()).expect("after 1970"),
    };
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    // A closed stderr hides no more than this line.
    drop(writeln!(
        std::io::stderr(),
        "{test}: HOOKLINE_TEST_SEED={seed} plays the same again"
    ));
    seed
}

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next one below `bound`, which is not 0.
    ///
    /// # Panics
    /// Never: what is below a `usize` is one.
    pub fn below(&mut self, bound: usize) -> usize {
        let number = self.number() % u64::try_from(bound).expect("64 bits at most");
        usize::try_from(number).expect("below a usize")
    }

    /// A time between two.
    pub fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let span = u64::try_from((to - from).as_millis()).unwrap_or(u64::MAX);
        from + Duration::from_millis(self.number() % span.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_is_one_sequence_within_its_bounds() {
        let drawn = |seed| {
            let mut random = Random::new(seed);
            (0..1000).map(|_| random.below(7)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert!((0..7).all(|number| drawn(1).contains(&number)) && drawn(1).iter().all(|it| *it < 7));
        let (from, to) = (Duration::from_millis(5), Duration::from_millis(9));
        let mut random = Random::new(3);
        assert!((0..100).all(|_| (from..to).contains(&random.between(from, to))));
    }
}
