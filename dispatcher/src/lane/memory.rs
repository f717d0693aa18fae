//! What is remembered of endpoints that have nothing in hand: their limits, for so many at most.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};

use super::limit::Limit;

/// Two generations: when the young one is full, it becomes the old one, and what was old and not asked for is
/// forgotten. A hash stands for the key, so that an entry costs a few bytes.
#[derive(Default)]
pub(super) struct Memory {
    hasher: RandomState,
    young: HashMap<u64, Limit>,
    old: HashMap<u64, Limit>,
}

impl Memory {
    /// Entries of one generation: enough for 100,000 endpoints in both.
    const GENERATION: usize = 50_000;

    pub(super) fn remember(&mut self, key: &impl Hash, limit: Limit) {
        if self.young.len() >= Self::GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(self.hasher.hash_one(key), limit);
    }

    pub(super) fn recall(&mut self, key: &impl Hash) -> Option<Limit> {
        let hash = self.hasher.hash_one(key);
        self.young.remove(&hash).or_else(|| self.old.remove(&hash))
    }
}

#[cfg(test)]
mod tests {
    use super::super::limit::Sign;
    use super::*;

    #[test]
    fn it_remembers_many_and_never_more_than_two_generations() {
        let mut memory = Memory::default();
        let mut limit = Limit::unknown();
        limit.learn(Sign::Overload, std::time::Duration::ZERO, 8);
        for key in 0..250_000 {
            memory.remember(&key, limit);
            assert!(memory.young.len() + memory.old.len() <= 2 * Memory::GENERATION);
        }
        assert_eq!(memory.recall(&249_999), Some(limit));
        assert_eq!(memory.recall(&200_001), Some(limit));
        assert_eq!(memory.recall(&1), None);
    }
}
