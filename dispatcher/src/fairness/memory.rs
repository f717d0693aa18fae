//! What is remembered of endpoints that have nothing in hand: limit, health and pace, for so many at most.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};

use super::limit::LimitSummary;
use super::pace::Pace;

/// What is remembered of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Remembered {
    pub(super) limit: LimitSummary,
    pub(super) pace: Option<Pace>,
}

/// Two generations: when the young one is full, it becomes the old one, and what was old and not asked for is
/// forgotten. A hash stands for the key, so that an entry costs a few bytes.
#[derive(Default)]
pub(super) struct Memory {
    hasher: RandomState,
    young: HashMap<u64, Remembered>,
    old: HashMap<u64, Remembered>,
}

impl Memory {
    /// Entries of one generation: enough for 100,000 endpoints in both.
    const GENERATION: usize = 50_000;

    /// What stands for `key`.
    pub(super) fn hash(&self, key: &impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(super) fn remember(&mut self, key: &impl Hash, remembered: Remembered) {
        if self.young.len() >= Self::GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(self.hash(key), remembered);
    }

    /// What is remembered, which stays so.
    #[cfg(test)]
    pub(super) fn peek(&self, key: &impl Hash) -> Option<Remembered> {
        let hash = self.hash(key);
        self.young.get(&hash).or_else(|| self.old.get(&hash)).copied()
    }

    pub(super) fn recall(&mut self, key: &impl Hash) -> Option<Remembered> {
        let hash = self.hash(key);
        self.young.remove(&hash).or_else(|| self.old.remove(&hash))
    }
}

#[cfg(test)]
mod tests {
    use super::super::limit::Limit;
    use super::*;

    #[test]
    fn it_remembers_many_and_never_more_than_two_generations() {
        let mut memory = Memory::default();
        let mut limit = Limit::unknown(8);
        limit.shrink();
        let limit = limit.summary();
        let remembered = Remembered { limit, pace: None };
        assert!(size_of::<Remembered>() <= 56, "{}", size_of::<Remembered>());
        for key in 0..250_000 {
            memory.remember(&key, remembered);
            assert!(memory.young.len() + memory.old.len() <= 2 * Memory::GENERATION);
        }
        assert_eq!(memory.recall(&249_999), Some(remembered));
        assert_eq!(memory.recall(&200_001), Some(remembered));
        assert_eq!(memory.recall(&1), None);
    }
}
