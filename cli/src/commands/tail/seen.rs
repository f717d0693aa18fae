//! Which attempts were seen already: the log may hold one twice. Pure.

use std::collections::HashSet;

/// Ids that are remembered at least. What stands twice comes seconds after the first, but for what was spilled, which comes
/// again when it is moved into the stream. Together they take at most 40 MB.
const MIN_REMEMBERED: usize = 500_000;

/// The latest ids, in two generations.
#[derive(Debug, Default)]
pub(super) struct Seen {
    latest: HashSet<u128>,
    before: HashSet<u128>,
}

impl Seen {
    /// Whether an attempt's id is seen for the first time. One that is no UUID is never known again.
    pub(super) fn is_new(&mut self, id: &str) -> bool {
        let Ok(id) = u128::from_str_radix(&id.replace('-', ""), 16) else {
            return true;
        };
        if self.before.contains(&id) || !self.latest.insert(id) {
            return false;
        }
        if self.latest.len() >= MIN_REMEMBERED {
            self.before = std::mem::take(&mut self.latest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_however_it_is_written() {
        let mut seen = Seen::default();
        assert!(seen.is_new("0192f0c0a8b77d3e9f10a2b3c4d5e6f7"));
        assert!(!seen.is_new("0192f0c0-a8b7-7d3e-9f10-a2b3c4d5e6f7"));
        assert!(seen.is_new("i") && seen.is_new("i"));
    }

    #[test]
    fn the_latest_are_remembered_and_memory_is_bounded() {
        let mut seen = Seen::default();
        let count = 2 * MIN_REMEMBERED + 10;
        for number in 0..count {
            assert!(seen.is_new(&format!("{number:x}")));
        }
        assert!(seen.latest.len() + seen.before.len() <= 2 * MIN_REMEMBERED);
        for number in count - MIN_REMEMBERED..count {
            assert!(!seen.is_new(&format!("{number:x}")), "{number}");
        }
    }
}
