//! Numbers that look drawn at random, and are the same on every run.

/// A generator (xorshift) that is small, quick without optimisation, and no secret's source.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers that follow from a seed. Seeds that lie side by side give numbers that have nothing in common.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // The generator would stay at zero for ever.
        Self(scattered(seed) | 1)
    }

    /// The numbers of one thing among many with the same seed.
    #[must_use]
    pub fn of(seed: u64, number: u64) -> Self {
        Self::new(scattered(seed) ^ number)
    }

    /// Any number.
    #[expect(
        clippy::should_implement_trait,
        reason = "it never ends, and is nowhere iterated over"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number from 0 on that is less than `bound`; 0 where there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// A number from `least` to `most`, both included.
    pub fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least).saturating_add(1).max(1)
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, chances: usize) -> bool {
        self.below(100) < chances
    }

    /// Any byte.
    pub fn octet(&mut self) -> u8 {
        self.next().to_be_bytes()[3]
    }

    /// One of several.
    ///
    /// # Panics
    /// Where there is none.
    pub fn pick<T: Copy>(&mut self, several: &[T]) -> T {
        several[self.below(several.len())]
    }
}

/// Spreads the bits of a number (the last steps of `SplitMix64`).
fn scattered(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_one_others() {
        let numbers = |seed, number| -> Vec<u64> {
            let mut random = Random::of(seed, number);
            (0..4).map(|_| random.next()).collect()
        };
        assert_eq!(numbers(1, 7), numbers(1, 7));
        assert_ne!(numbers(1, 7), numbers(1, 8));
        assert_ne!(numbers(1, 7), numbers(2, 7));
    }

    #[test]
    fn numbers_keep_to_their_bounds_and_reach_them() {
        let mut random = Random::new(1);
        let drawn: Vec<u64> = (0..1000).map(|_| random.within(3, 5)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&3), Some(&5)));
        assert!((0..1000).all(|_| random.below(2) < 2));
        assert_eq!(random.below(0), 0);
    }
}
