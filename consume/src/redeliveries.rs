//! What is remembered of lost subscriptions, so that a redelivery of what we did, or are doing, is not sent twice.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::window::{Fingerprint, Leftovers};

/// How long a settled message is remembered. The broker redelivers within seconds of a reconnect, minutes after a failover;
/// if another replica got the message, ours need not be remembered at all.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// What a redelivered message turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// Nothing that we know.
    New,
    /// Settled already.
    Settled,
    /// Still being worked on; it is settled when that work is. And whether somebody outside is waited for there.
    Running { is_asking: bool },
}

/// Counts, not sets: two messages can have the same fingerprint, and one was settled does not mean both were.
#[derive(Debug, Default)]
pub(crate) struct Redeliveries {
    settled: HashMap<Fingerprint, (u32, Instant)>,
    running: HashMap<Fingerprint, Orphaned>,
}

/// Work under lost subscriptions, and the redeliveries under the current one that wait for it.
#[derive(Debug, Default)]
struct Orphaned {
    running: usize,
    /// For so many of these somebody outside is waited for: those that the first so many attached wait for.
    asking: usize,
    attached: Vec<u64>,
}

impl Redeliveries {
    /// Takes over what a lost subscription left behind.
    pub(crate) fn remember(&mut self, leftovers: Leftovers, now: Instant) {
        self.settled
            .retain(|_, (_, since)| now.duration_since(*since) < REMEMBERED_FOR);
        // Redeliveries that were attached came by the subscription that is gone now.
        self.running
            .values_mut()
            .for_each(|orphans| orphans.attached.clear());
        for fingerprint in leftovers.settled {
            self.remember_settled(fingerprint, now);
        }
        for fingerprint in leftovers.open {
            self.running.entry(fingerprint).or_default().running += 1;
        }
        for fingerprint in leftovers.asking {
            let orphans = self.running.entry(fingerprint).or_default();
            orphans.running += 1;
            orphans.asking += 1;
        }
    }

    /// Recognises a redelivery with tag `tag`.
    pub(crate) fn recognise(&mut self, fingerprint: Fingerprint, tag: u64) -> Recognised {
        if let Some((count, _)) = self.settled.get_mut(&fingerprint) {
            *count -= 1;
            if *count == 0 {
                self.settled.remove(&fingerprint);
            }
            return Recognised::Settled;
        }
        match self.running.get_mut(&fingerprint) {
            Some(orphans) if orphans.attached.len() < orphans.running => {
                let is_asking = orphans.attached.len() < orphans.asking;
                orphans.attached.push(tag);
                Recognised::Running { is_asking }
            }
            _ => Recognised::New,
        }
    }

    /// Nobody outside is waited for any more by work under a lost subscription: the tag of its redelivery, if that came already.
    pub(crate) fn has_asked(&mut self, fingerprint: Fingerprint) -> Option<u64> {
        let orphans = self.running.get_mut(&fingerprint)?;
        orphans.asking = orphans.asking.checked_sub(1)?;
        orphans.attached.get(orphans.asking).copied()
    }

    /// Work under a lost subscription is settled: the tag of its redelivery, if that came already.
    pub(crate) fn settled(&mut self, fingerprint: Fingerprint, now: Instant) -> Option<u64> {
        let tag = self.end(fingerprint);
        if tag.is_none() {
            self.remember_settled(fingerprint, now);
        }
        tag
    }

    /// Work under a lost subscription will not be done: the tag of its redelivery, which takes its place, if that
    /// came already.
    pub(crate) fn abandoned(&mut self, fingerprint: Fingerprint) -> Option<u64> {
        self.end(fingerprint)
    }

    fn end(&mut self, fingerprint: Fingerprint) -> Option<u64> {
        let orphans = self.running.get_mut(&fingerprint)?;
        orphans.running = orphans.running.saturating_sub(1);
        // One that is given up may be asking still.
        orphans.asking = orphans.asking.min(orphans.running);
        let tag = orphans.attached.pop();
        if orphans.running == 0 {
            self.running.remove(&fingerprint);
        }
        tag
    }

    fn remember_settled(&mut self, fingerprint: Fingerprint, now: Instant) {
        let (count, since) = self.settled.entry(fingerprint).or_insert((0, now));
        *count += 1;
        *since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: Recognised = Recognised::Running { is_asking: false };
    const ASKING: Recognised = Recognised::Running { is_asking: true };

    fn lost(open: &[u64], settled: &[u64]) -> Redeliveries {
        let mut redeliveries = Redeliveries::default();
        let leftovers = Leftovers {
            open: open.to_vec(),
            settled: settled.to_vec(),
            ..Leftovers::default()
        };
        redeliveries.remember(leftovers, Instant::now());
        redeliveries
    }

    #[test]
    fn what_was_settled_is_recognised_as_often_as_it_was_settled() {
        let mut redeliveries = lost(&[], &[7, 7]);
        assert_eq!(redeliveries.recognise(7, 1), Recognised::Settled);
        assert_eq!(redeliveries.recognise(7, 2), Recognised::Settled);
        assert_eq!(redeliveries.recognise(7, 3), Recognised::New);
        assert_eq!(redeliveries.recognise(8, 4), Recognised::New);
    }

    #[test]
    fn a_redelivery_waits_for_the_work_that_goes_on() {
        let mut redeliveries = lost(&[7], &[]);
        assert_eq!(redeliveries.recognise(7, 1), RUNNING);
        // A second message of the same kind has no work to wait for.
        assert_eq!(redeliveries.recognise(7, 2), Recognised::New);
        assert_eq!(redeliveries.settled(7, Instant::now()), Some(1));
        assert_eq!(redeliveries.recognise(7, 3), Recognised::New);
    }

    #[test]
    fn work_that_ends_before_its_redelivery_is_remembered() {
        let mut redeliveries = lost(&[7], &[]);
        assert_eq!(redeliveries.settled(7, Instant::now()), None);
        assert_eq!(redeliveries.recognise(7, 1), Recognised::Settled);
    }

    #[test]
    fn work_that_is_given_up_hands_over_to_its_redelivery() {
        let mut redeliveries = lost(&[7, 8], &[]);
        assert_eq!(redeliveries.recognise(7, 1), RUNNING);
        assert_eq!(redeliveries.abandoned(7), Some(1));
        assert_eq!(redeliveries.abandoned(8), None);
        assert_eq!(redeliveries.recognise(8, 2), Recognised::New);
    }

    #[test]
    fn a_redelivery_is_told_whether_somebody_is_asked_and_when_that_ends() {
        let mut redeliveries = lost(&[7], &[]);
        let asking = Leftovers {
            asking: vec![7, 8],
            ..Leftovers::default()
        };
        redeliveries.remember(asking, Instant::now());
        assert_eq!(redeliveries.recognise(7, 1), ASKING);
        assert_eq!(redeliveries.recognise(7, 2), RUNNING);
        assert_eq!(redeliveries.has_asked(7), Some(1));
        assert_eq!(redeliveries.has_asked(7), None, "the other one asks nobody");
        assert_eq!(redeliveries.has_asked(8), None, "it has not come yet");
        assert_eq!(redeliveries.recognise(8, 3), RUNNING);
    }

    #[test]
    fn a_second_loss_detaches_what_was_attached_and_forgets_what_is_old() {
        let mut redeliveries = lost(&[7], &[9]);
        assert_eq!(redeliveries.recognise(7, 1), RUNNING);
        redeliveries.remember(Leftovers::default(), Instant::now() + REMEMBERED_FOR);
        assert_eq!(redeliveries.recognise(7, 1), RUNNING);
        assert_eq!(redeliveries.recognise(9, 2), Recognised::New);
    }
}
