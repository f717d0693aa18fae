//! Who else there is: endpoints that were served while they had no queue of their own, and so may stand behind one that has.

use std::time::Duration;

use tokio::time::Instant;

/// How many are remembered: more than one, since the latest may be the next to have a queue.
const WITNESSES: usize = 4;

/// The latest of them, each by what stands for its key.
#[derive(Debug, Default)]
pub(super) struct Witnesses([Option<(u64, Instant)>; WITNESSES]);

impl Witnesses {
    /// An endpoint was served, and has no queue.
    pub(super) fn saw(&mut self, key: u64, now: Instant) {
        let oldest_first = |witness: &Option<(u64, Instant)>| witness.map(|(_, at)| at);
        let same = self
            .0
            .iter_mut()
            .find(|w| w.is_some_and(|(other, _)| other == key));
        let place = match same {
            Some(same) => Some(same),
            None => self.0.iter_mut().min_by_key(|w| oldest_first(w)),
        };
        if let Some(place) = place {
            *place = Some((key, now));
        }
    }

    /// An endpoint has a queue now: it is one of the many, and no evidence of others.
    pub(super) fn is_queued(&mut self, key: u64) {
        for witness in &mut self.0 {
            *witness = witness.filter(|(other, _)| *other != key);
        }
    }

    /// When another than endpoint `key` was served last, if any was within so long.
    pub(super) fn last_but(&self, key: Option<u64>, within: Duration, now: Instant) -> Option<Instant> {
        let others = self.0.iter().flatten().filter(|(other, _)| Some(*other) != key);
        let last = others.map(|(_, at)| *at).max()?;
        (now.saturating_duration_since(last) < within).then_some(last)
    }
}
