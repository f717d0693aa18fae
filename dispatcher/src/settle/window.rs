//! Which messages of one subscription are settled, and what can be acknowledged when. Pure; time is a parameter.
//!
//! Delivery tags count up from 1 on each subscription. What is settled from the oldest on is acknowledged in one
//! go; what stands behind a straggler follows one by one after a moment, so that a hanging request never holds
//! back its neighbours.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How long a settled message waits for those before it.
pub(super) const PATIENCE: Duration = Duration::from_millis(20);

/// Tells one message from another across subscriptions.
pub(super) type Fingerprint = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Being worked on.
    Open,
    /// A redelivery of something that is still being worked on under an earlier subscription.
    Attached,
    /// Settled, not yet acknowledged.
    Settled,
    /// Acknowledged by itself, ahead of a straggler.
    Acked,
}

struct Slot {
    fingerprint: Fingerprint,
    state: State,
}

/// The unacknowledged messages of one subscription.
pub(super) struct Window {
    /// The tag of the first slot.
    first: u64,
    slots: VecDeque<Slot>,
    /// Settled behind a straggler, in the order in which they were settled.
    behind: VecDeque<(u64, Instant)>,
    /// Acknowledged last: an acknowledgement that is lost with its connection leaves the message to be given out again.
    /// The broker has no more of them than it lets us hold unacknowledged.
    acked: VecDeque<Fingerprint>,
    prefetch: usize,
}

/// What a lost subscription leaves behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Leftovers {
    /// Still being worked on.
    pub(super) open: Vec<Fingerprint>,
    /// Settled, and not acknowledged, or perhaps not: the broker may give them to somebody again.
    pub(super) settled: Vec<Fingerprint>,
}

impl Window {
    pub(super) fn new(prefetch: u16) -> Self {
        Self {
            first: 1,
            slots: VecDeque::new(),
            behind: VecDeque::new(),
            acked: VecDeque::new(),
            prefetch: usize::from(prefetch),
        }
    }

    /// Takes a message in. Tags come in order, without gaps.
    pub(super) fn received(&mut self, tag: u64, fingerprint: Fingerprint) {
        if self.slots.is_empty() {
            self.first = tag;
        }
        self.slots.push_back(Slot {
            fingerprint,
            state: State::Open,
        });
    }

    /// Marks a message as a redelivery of what is still being worked on.
    pub(super) fn attach(&mut self, tag: u64) {
        self.set(tag, State::Attached);
    }

    /// Marks an attached message as worked on in its own right: the earlier work was given up.
    pub(super) fn detach(&mut self, tag: u64) {
        self.set(tag, State::Open);
    }

    /// Marks a message as settled; returns whether anything may be acknowledged by now.
    pub(super) fn settled(&mut self, tag: u64, now: Instant) -> bool {
        self.set(tag, State::Settled);
        if tag == self.first {
            return true;
        }
        self.behind.push_back((tag, now));
        false
    }

    /// The tag up to which everything is settled and can be acknowledged in one go, if there is any.
    pub(super) fn take_run(&mut self) -> Option<u64> {
        let mut through = None;
        while let Some(Slot { fingerprint, state }) = self.slots.front() {
            let fingerprint = *fingerprint;
            match state {
                State::Open | State::Attached => break,
                // The broker knows a tag only once, so the run must end with one that was not acknowledged yet.
                State::Settled => {
                    through = Some(self.first);
                    self.remember(fingerprint);
                }
                State::Acked => {}
            }
            self.slots.pop_front();
            self.first += 1;
        }
        through
    }

    /// Tags that waited long enough behind a straggler, to be acknowledged one by one. After [`Self::take_run`].
    pub(super) fn take_overdue(&mut self, now: Instant) -> Vec<u64> {
        let mut overdue = Vec::new();
        while let Some((tag, since)) = self.behind.front().copied() {
            if now.duration_since(since) < PATIENCE {
                break;
            }
            self.behind.pop_front();
            let slot = self.index(tag).and_then(|index| self.slots.get_mut(index));
            if let Some(slot) = slot.filter(|slot| slot.state == State::Settled) {
                slot.state = State::Acked;
                let fingerprint = slot.fingerprint;
                self.remember(fingerprint);
                overdue.push(tag);
            }
        }
        overdue
    }

    /// When [`Self::take_overdue`] will next have something, if nothing else happens.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        self.behind.front().map(|(_, since)| *since + PATIENCE)
    }

    /// How many messages are unacknowledged.
    pub(super) fn len(&self) -> usize {
        self.slots
            .iter()
            .filter(|slot| slot.state != State::Acked)
            .count()
    }

    /// Ends the window: the subscription is gone.
    pub(super) fn close(self) -> Leftovers {
        let mut leftovers = Leftovers {
            open: Vec::new(),
            settled: self.acked.into(),
        };
        for slot in self.slots {
            match slot.state {
                State::Open => leftovers.open.push(slot.fingerprint),
                State::Settled => leftovers.settled.push(slot.fingerprint),
                // What an attached one waits for is remembered already; an acknowledged one is gone.
                State::Attached | State::Acked => {}
            }
        }
        leftovers
    }

    fn index(&self, tag: u64) -> Option<usize> {
        usize::try_from(tag.checked_sub(self.first)?).ok()
    }

    fn remember(&mut self, fingerprint: Fingerprint) {
        if self.acked.len() >= self.prefetch {
            self.acked.pop_front();
        }
        self.acked.push_back(fingerprint);
    }

    fn set(&mut self, tag: u64, state: State) {
        if let Some(slot) = self.index(tag).and_then(|index| self.slots.get_mut(index)) {
            slot.state = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(messages: u64) -> Window {
        let mut window = Window::new(2);
        for tag in 1..=messages {
            window.received(tag, tag * 100);
        }
        window
    }

    #[test]
    fn what_is_settled_from_the_oldest_on_goes_in_one_run() {
        let mut window = window(5);
        let now = Instant::now();
        assert!(!window.settled(2, now));
        assert_eq!(window.take_run(), None);
        assert!(window.settled(1, now));
        window.settled(3, now);
        assert_eq!(window.take_run(), Some(3));
        assert_eq!(window.take_run(), None);
        assert_eq!(window.len(), 2);
    }

    #[test]
    fn a_straggler_holds_its_neighbours_back_for_a_moment_only() {
        let mut window = window(4);
        let now = Instant::now();
        window.settled(2, now);
        window.settled(4, now + PATIENCE / 2);
        assert_eq!(window.take_overdue(now + PATIENCE / 2), Vec::<u64>::new());
        assert_eq!(window.next_overdue(), Some(now + PATIENCE));
        assert_eq!(window.take_overdue(now + PATIENCE), [2]);
        assert_eq!(window.take_overdue(now + PATIENCE * 2), [4]);
        window.settled(1, now + PATIENCE * 2);
        assert_eq!(window.take_run(), Some(1));
        window.settled(3, now + PATIENCE * 3);
        // 4 was acknowledged by itself: the run ends with 3, and 4 falls away with it.
        assert_eq!(window.take_run(), Some(3));
        assert_eq!(window.len(), 0);
    }

    #[test]
    fn a_run_never_ends_with_a_tag_that_was_acknowledged_already() {
        let mut window = window(2);
        let now = Instant::now();
        window.settled(2, now);
        assert_eq!(window.take_overdue(now + PATIENCE), [2]);
        window.settled(1, now + PATIENCE);
        assert_eq!(window.take_run(), Some(1));
        window.received(3, 300);
        window.settled(3, now + PATIENCE);
        assert_eq!(window.take_run(), Some(3));
    }

    #[test]
    fn a_lost_window_leaves_what_was_open_and_what_was_never_acknowledged() {
        let mut window = window(5);
        let now = Instant::now();
        window.settled(2, now);
        window.settled(3, now);
        window.attach(4);
        window.take_overdue(now + PATIENCE);
        window.settled(5, now + PATIENCE);
        let leftovers = Leftovers {
            open: vec![100],
            settled: vec![200, 300, 500],
        };
        assert_eq!(window.close(), leftovers);
    }

    #[test]
    fn of_what_was_acknowledged_only_so_many_are_remembered_as_the_broker_may_have_missed() {
        let mut window = window(4);
        let now = Instant::now();
        assert!(window.settled(1, now));
        (2..=4).for_each(|tag| assert!(!window.settled(tag, now)));
        assert_eq!(window.take_run(), Some(4));
        assert_eq!(
            window.close(),
            Leftovers {
                open: vec![],
                settled: vec![300, 400]
            }
        );
    }
}
