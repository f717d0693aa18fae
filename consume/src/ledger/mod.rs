//! What is in hand of one working queue, over all the subscriptions that it has had. Pure: time is a parameter, and what is
//! to be acknowledged or given back is only named here.

use tokio::time::Instant;

use crate::redeliveries::{Recognised, Redeliveries};
use crate::window::{Fingerprint, UnackedWindow};

/// A message in hand, as the ledger knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    generation: u64,
    pub(crate) tag: u64,
    fingerprint: Fingerprint,
}

/// What became of a message that was taken in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// It is to be worked on.
    Fresh(Entry),
    /// It is a redelivery of what is settled, or will be when work that goes on is; or no work begins any more.
    Nothing,
}

/// What the broker is to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    /// To be acknowledged, with everything before it.
    pub(crate) through: Option<u64>,
    /// To be acknowledged one by one.
    pub(crate) each: Vec<u64>,
    /// To be given back.
    pub(crate) back: Vec<u64>,
}

/// What is held of one working queue.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    current: Option<Current>,
    redeliveries: Redeliveries,
    is_stopped: bool,
}

/// The subscription that stands.
#[derive(Debug)]
struct Current {
    generation: u64,
    window: UnackedWindow,
    /// Given up under an earlier subscription after they had come back, so that nobody here works on them.
    orphaned: Vec<u64>,
}

impl Ledger {
    /// A subscription begins. `acked_max`: how many acknowledgements the broker may have missed when it ends.
    pub(crate) fn subscribed(&mut self, generation: u64, acked_max: usize) {
        self.current = Some(Current {
            generation,
            window: UnackedWindow::new(acked_max),
            orphaned: Vec::new(),
        });
    }

    /// The subscription is lost: what it held will be redelivered.
    pub(crate) fn lost(&mut self, now: Instant) {
        if let Some(mut current) = self.current.take() {
            // Nobody works on these, so nobody would ever end that work.
            current.window.take_some(std::mem::take(&mut current.orphaned));
            self.redeliveries.remember(current.window.close(), now);
        }
    }

    /// Takes a message in. `may_be_ours`: whether the broker says that it was given out before, so that it can be one that
    /// an earlier subscription of ours held.
    pub(crate) fn receive(
        &mut self,
        tag: u64,
        fingerprint: Fingerprint,
        bytes: usize,
        may_be_ours: bool,
        now: Instant,
    ) -> Received {
        let Some(current) = &mut self.current else {
            return Received::Nothing;
        };
        current.window.received(tag, fingerprint, bytes, now);
        let recognised = if may_be_ours {
            self.redeliveries.recognise(fingerprint, tag)
        } else {
            Recognised::New
        };
        match recognised {
            // What comes when no work begins any more is given back with the rest that waits.
            Recognised::New if self.is_stopped => Received::Nothing,
            Recognised::New => Received::Fresh(Entry {
                generation: current.generation,
                tag,
                fingerprint,
            }),
            Recognised::Settled => {
                current.window.settled(tag, now);
                Received::Nothing
            }
            Recognised::Running { is_asking } => {
                current.window.attach(tag, is_asking);
                Received::Nothing
            }
        }
    }

    /// Begins work on a message, unless it is not ours any more: its subscription is lost, and the broker gives it to
    /// somebody again, or it was given back. If it came back to us meanwhile, that redelivery is begun in its place.
    pub(crate) fn begin(&mut self, entry: Entry, is_asking: bool) -> Option<Entry> {
        let stands = self.stands(entry);
        if self.is_stopped {
            if !stands {
                self.give_up(entry);
            }
            return None;
        }
        if stands {
            let current = self.current.as_mut()?;
            return current.window.begin(entry.tag, is_asking).then_some(entry);
        }
        let tag = self.redeliveries.abandoned(entry.fingerprint)?;
        let current = self.current.as_mut()?;
        current.window.detach(tag);
        current.window.begin(tag, is_asking);
        Some(Entry {
            tag,
            generation: current.generation,
            ..entry
        })
    }

    /// A message is settled: everything that replaces it is stored. Returns whether something may be acknowledged, or
    /// will be after a moment.
    pub(crate) fn settle(&mut self, entry: Entry, now: Instant) -> bool {
        let tag = if self.stands(entry) {
            Some(entry.tag)
        } else {
            self.redeliveries.settled(entry.fingerprint, now)
        };
        let (Some(tag), Some(current)) = (tag, &mut self.current) else {
            return false;
        };
        let is_first_behind = current.window.next_overdue().is_none();
        current.window.settled(tag, now) || is_first_behind
    }

    /// Nobody will settle this message any more. It stays unacknowledged, so that the broker gives it to somebody when the
    /// subscription ends.
    pub(crate) fn give_up(&mut self, entry: Entry) {
        if let (true, Some(current)) = (self.stands(entry), &mut self.current) {
            current.window.abandon(entry.tag);
            return;
        }
        let attached = self.redeliveries.abandoned(entry.fingerprint);
        if let (Some(tag), Some(current)) = (attached, &mut self.current) {
            current.window.detach(tag);
            current.orphaned.push(tag);
        }
    }

    /// Takes a message over that nobody works on, to be moved and not given back when no work begins any more.
    pub(crate) fn take_over(&mut self, tag: u64) -> Option<Entry> {
        let current = self.current.as_mut()?;
        Some(Entry {
            generation: current.generation,
            tag,
            fingerprint: current.window.take_over(tag)?,
        })
    }

    /// Whether a message of the subscription that stands is unacknowledged.
    pub(crate) fn holds(&self, tag: u64) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.window.holds(tag))
    }

    /// How many messages of the subscription that stands, from those after tag `after`, nobody will settle or has not since before
    /// `before`.
    pub(crate) fn stuck(&self, after: u64, before: Instant) -> usize {
        let current = self.current.as_ref();
        current.map_or(0, |current| current.window.stuck(after, before))
    }

    /// For how many messages of the subscription that stands, of those up to tag `last`, somebody outside is waited for.
    pub(crate) fn asking_up_to(&self, last: u64) -> usize {
        let current = self.current.as_ref();
        current.map_or(0, |current| current.window.asking_up_to(last))
    }

    /// Nobody outside is waited for any more for this message.
    pub(crate) fn has_asked(&mut self, entry: Entry) {
        let tag = if self.stands(entry) {
            Some(entry.tag)
        } else {
            self.redeliveries.has_asked(entry.fingerprint)
        };
        if let (Some(tag), Some(current)) = (tag, &mut self.current) {
            current.window.has_asked(tag);
        }
    }

    /// The broker may miss so many acknowledgements when the subscription that stands ends.
    pub(crate) fn may_miss(&mut self, acknowledgements: usize) {
        if let Some(current) = &mut self.current {
            current.window.may_miss(acknowledgements);
        }
    }

    /// No work begins any more.
    pub(crate) fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Whether no work begins any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// What the broker is to be told by now.
    pub(crate) fn take_owed(&mut self, now: Instant) -> Owed {
        let Some(current) = &mut self.current else {
            return Owed::default();
        };
        let through = current.window.take_run();
        let each = current.window.take_overdue(now);
        let back = if self.is_stopped {
            current.window.take_waiting()
        } else {
            current.window.take_some(std::mem::take(&mut current.orphaned))
        };
        Owed { through, each, back }
    }

    /// When [`Self::take_owed`] will next have something, if nothing else happens.
    pub(crate) fn next_overdue(&self) -> Option<Instant> {
        self.current
            .as_ref()
            .and_then(|current| current.window.next_overdue())
    }

    /// Messages and bytes in hand.
    pub(crate) fn in_hand(&self) -> (usize, usize) {
        self.current.as_ref().map_or((0, 0), |Current { window, .. }| {
            (window.messages(), window.bytes())
        })
    }

    /// Since when the oldest that is not settled is in hand.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.current.as_ref().and_then(|current| current.window.oldest())
    }

    fn stands(&self, entry: Entry) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.generation == entry.generation)
    }
}

#[cfg(test)]
mod tests;
