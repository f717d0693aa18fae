//! What became of a batch.

use std::collections::HashMap;

/// How often an event may fail in batches of which others were stored. It has been tried for minutes then.
const FAILURES: u32 = 5;

/// Where an event stands in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) company: String,
    pub(super) position: i64,
}

/// What became of the events of a batch. What is named nowhere was not tried, or failed beside one of its company that is
/// named, and its turn comes again.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The broker has them.
    pub(super) done: Vec<Place>,
    /// They can never be published, with the reason.
    pub(super) aside: Vec<(Place, String)>,
    /// They are tried again, and what stands behind them with them: one of a company.
    pub(super) failed: Vec<(Place, String)>,
}

/// Events that fail again and again while others are stored: something is wrong with them that nobody has a name for.
#[derive(Debug, Default)]
pub(super) struct Suspects(HashMap<i64, u32>);

impl Suspects {
    /// Counts failures, and sets aside what has failed too often. Where nothing was stored, the broker may be what fails.
    pub(super) fn judge(&mut self, outcome: &mut Outcome) {
        for place in &outcome.done {
            self.0.remove(&place.position);
        }
        if outcome.done.is_empty() {
            return;
        }
        let (lost, failed) = std::mem::take(&mut outcome.failed)
            .into_iter()
            .partition(|(place, _)| self.has_failed_too_often(place.position));
        outcome.failed = failed;
        let lost: Vec<(Place, String)> = lost;
        for (place, reason) in lost {
            self.0.remove(&place.position);
            let reason = format!("it failed {FAILURES} times while others were stored: {reason}");
            outcome.aside.push((place, reason));
        }
    }

    fn has_failed_too_often(&mut self, position: i64) -> bool {
        let failures = self.0.entry(position).or_default();
        *failures += 1;
        *failures >= FAILURES
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn place(position: i64) -> Place {
        Place {
            company: "acme".into(),
            position,
        }
    }

    fn outcome(done: &[i64], failed: &[i64]) -> Outcome {
        Outcome {
            done: done.iter().copied().map(place).collect(),
            failed: failed.iter().map(|at| (place(*at), "late".to_owned())).collect(),
            ..Outcome::default()
        }
    }

    #[test]
    fn what_fails_while_others_are_stored_is_set_aside_in_the_end() {
        let mut suspects = Suspects::default();
        for _ in 1..FAILURES {
            let mut one = outcome(&[2], &[1]);
            suspects.judge(&mut one);
            assert!(one.aside.is_empty() && one.failed.len() == 1);
        }
        let mut last = outcome(&[3], &[1, 4]);
        suspects.judge(&mut last);
        assert_eq!(last.failed.len(), 1);
        let (set_aside, reason) = last.aside.first().unwrap();
        assert_eq!(*set_aside, place(1));
        assert!(reason.contains("5 times") && reason.contains("late"), "{reason}");
    }

    #[test]
    fn an_outage_sets_nothing_aside_however_long_it_is() {
        let mut suspects = Suspects::default();
        for _ in 0..100 {
            let mut one = outcome(&[], &[1]);
            suspects.judge(&mut one);
            assert!(one.aside.is_empty());
        }
        // One that was stored in the end has a clean record.
        suspects.judge(&mut outcome(&[2], &[1]));
        suspects.judge(&mut outcome(&[1], &[]));
        assert!(suspects.0.is_empty());
    }
}
