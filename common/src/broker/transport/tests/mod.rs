//! Frames made at random and broken at random, against the client library's own parser.

mod fuzz; // each by itself: it can be read, and nothing was changed that could be
mod made; // how they are made, and how they are broken
mod splits; // all together, read in pieces

/// A small generator of random numbers (xorshift), the same on every run.
pub(super) struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn octet(&mut self) -> u8 {
        self.next().to_be_bytes()[3]
    }
}
