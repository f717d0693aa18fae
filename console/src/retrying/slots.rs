//! Which of those that wait is sent next: of the company that has the fewest slots, and of no company that has as many as one
//! may have. Pure.

use std::collections::{HashMap, HashSet};

use hookline_common::ids::{CompanyId, EndpointId};

/// Endpoints that are sent to at once, of all companies. Each has a step of a few hundred kilobytes in memory.
pub(super) const ALL: usize = 16;
/// Of them, a company's at most: whatever it asks for, three quarters are for the others.
pub(super) const OF_ONE: usize = 4;

/// Whose, and which.
pub(super) type Key = (CompanyId, EndpointId);

/// Endpoints that are being sent to.
#[derive(Debug, Default)]
pub(super) struct Slots {
    taken: HashSet<Key>,
    by_company: HashMap<CompanyId, usize>,
}

impl Slots {
    /// Which of those that wait, in the order of their lines, is next.
    pub(super) fn next(&self, waiting: &[Key]) -> Option<usize> {
        if self.taken.len() >= ALL {
            return None;
        }
        let free = waiting.iter().enumerate().filter_map(|(index, key)| {
            let count = self.by_company.get(&key.0).copied().unwrap_or(0);
            (count < OF_ONE && !self.taken.contains(key)).then_some((count, index))
        });
        free.min().map(|(_, index)| index)
    }

    /// One is being sent.
    pub(super) fn take(&mut self, key: Key) {
        if self.taken.insert(key.clone()) {
            *self.by_company.entry(key.0).or_default() += 1;
        }
    }

    /// And is not any more.
    pub(super) fn give_back(&mut self, key: &Key) {
        if !self.taken.remove(key) {
            return;
        }
        if let Some(count) = self.by_company.get_mut(&key.0) {
            *count -= 1;
            if *count == 0 {
                self.by_company.remove(&key.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(company: &str, number: usize) -> Key {
        (
            CompanyId::parse(company).unwrap(),
            EndpointId::parse(&format!("ep_{number}")).unwrap(),
        )
    }

    /// Gives out what can be given out.
    fn fill(slots: &mut Slots, waiting: &[Key]) -> Vec<Key> {
        let mut given = Vec::new();
        while let Some(index) = slots.next(waiting) {
            slots.take(waiting[index].clone());
            given.push(waiting[index].clone());
        }
        given
    }

    #[test]
    fn a_company_has_a_quarter_at_most_however_many_of_its_wait() {
        let mut slots = Slots::default();
        let waiting: Vec<Key> = (0..40).map(|number| key("acme", number)).collect();
        assert_eq!(fill(&mut slots, &waiting), waiting[..OF_ONE]);
        slots.give_back(&waiting[1]);
        slots.give_back(&waiting[1]);
        assert_eq!(fill(&mut slots, &waiting), waiting[1..2]);
    }

    #[test]
    fn who_has_none_comes_before_who_has_some_and_all_are_bounded() {
        let mut slots = Slots::default();
        let many: Vec<Key> = ["a", "b", "c", "d"]
            .iter()
            .flat_map(|company| (0..8).map(|number| key(company, number)))
            .collect();
        assert_eq!(fill(&mut slots, &many).len(), ALL);
        let mut waiting = many.clone();
        waiting.push(key("late", 0));
        assert_eq!(slots.next(&waiting), None);
        slots.give_back(&many[0]);
        assert_eq!(fill(&mut slots, &waiting), [key("late", 0)]);
    }

    #[test]
    fn nothing_is_left_of_those_that_are_done() {
        let mut slots = Slots::default();
        for number in 0..100 {
            slots.take(key(&format!("c{number}"), 0));
            slots.give_back(&key(&format!("c{number}"), 0));
        }
        assert!(slots.taken.is_empty() && slots.by_company.is_empty());
    }
}
