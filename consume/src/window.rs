//! Which messages of one subscription are begun and settled, and what can be acknowledged when. Pure; time is a parameter.
//!
//! Delivery tags count up from 1 on each subscription. What is settled from the oldest on is acknowledged in one
//! go; what stands behind a straggler follows one by one after a moment, so that a hanging request never holds
//! back its neighbours.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How long a settled message waits for those before it. One acknowledgement for fifty messages costs the broker a third of
/// fifty single ones, and most requests end within this time, so most go in runs; and it is short beside any delay
/// that a person would notice in what frees a place in the window.
pub(crate) const ACK_RUN_DELAY: Duration = Duration::from_millis(20);

/// Tells one message from another across subscriptions.
pub(crate) type Fingerprint = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Received, and nothing was done about it yet.
    Waiting,
    /// Being worked on.
    Begun,
    /// Not begun when the stop came, and being moved to where somebody else finds it.
    Moving,
    /// A redelivery of something that is still in hand under an earlier subscription.
    Attached,
    /// Nobody works on it any more, or ever will while this subscription lasts.
    Abandoned,
    /// Settled, not yet acknowledged.
    Settled,
    /// Nothing of ours any more: acknowledged by itself, ahead of a straggler, or given back.
    Gone,
}

impl State {
    /// Whether nothing more is done about it here.
    fn is_over(self) -> bool {
        matches!(self, Self::Abandoned | Self::Settled | Self::Gone)
    }
}

#[derive(Debug)]
struct Slot {
    fingerprint: Fingerprint,
    bytes: usize,
    received: Instant,
    state: State,
}

impl Slot {
    /// Whether nothing is being done about it, so that it can be given back.
    fn is_idle(&self) -> bool {
        matches!(self.state, State::Waiting | State::Abandoned)
    }
}

/// The unacknowledged messages of one subscription.
#[derive(Debug)]
pub(crate) struct UnackedWindow {
    /// The tag of the first slot.
    first: u64,
    slots: VecDeque<Slot>,
    /// Settled behind a straggler, in the order in which they were settled.
    behind: VecDeque<(u64, Instant)>,
    /// Acknowledged last: an acknowledgement that is lost with its connection leaves the message to be given out again.
    /// So many at most as the subscription holds unacknowledged.
    acked: VecDeque<Fingerprint>,
    acked_max: usize,
    /// What the slots that are not gone add up to.
    messages: usize,
    bytes: usize,
}

/// What a lost subscription leaves behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// In hand, begun or not.
    pub(crate) open: Vec<Fingerprint>,
    /// Settled, and not acknowledged, or perhaps not: the broker may give them to somebody again.
    pub(crate) settled: Vec<Fingerprint>,
}

impl UnackedWindow {
    /// A window of which the broker may have missed the last `acked_max` acknowledgements.
    pub(crate) fn new(acked_max: usize) -> Self {
        Self {
            first: 1,
            slots: VecDeque::new(),
            behind: VecDeque::new(),
            acked: VecDeque::new(),
            acked_max,
            messages: 0,
            bytes: 0,
        }
    }

    /// Takes a message in. Tags come in order, without gaps.
    pub(crate) fn received(&mut self, tag: u64, fingerprint: Fingerprint, bytes: usize, now: Instant) {
        if self.slots.is_empty() {
            self.first = tag;
        }
        self.slots.push_back(Slot {
            fingerprint,
            bytes,
            received: now,
            state: State::Waiting,
        });
        self.messages += 1;
        self.bytes += bytes;
    }

    /// Marks a message as begun, if it still waits.
    pub(crate) fn begin(&mut self, tag: u64) -> bool {
        let waits = self.slot(tag).filter(|slot| slot.state == State::Waiting);
        waits.map(|slot| slot.state = State::Begun).is_some()
    }

    /// Marks a message as a redelivery of what is in hand under an earlier subscription.
    pub(crate) fn attach(&mut self, tag: u64) {
        if let Some(slot) = self.slot(tag) {
            slot.state = State::Attached;
        }
    }

    /// Makes an attached message the one that is worked on: the earlier subscription's was given up.
    pub(crate) fn detach(&mut self, tag: u64) {
        if let Some(slot) = self.slot(tag) {
            slot.state = State::Waiting;
        }
    }

    /// Marks a message as one that nobody will settle.
    pub(crate) fn abandon(&mut self, tag: u64) {
        // One that is being moved is let go of by whoever had it before.
        let is_held = |slot: &&mut Slot| !matches!(slot.state, State::Moving | State::Gone);
        if let Some(slot) = self.slot(tag).filter(is_held) {
            slot.state = State::Abandoned;
        }
    }

    /// Marks a message as settled; returns whether anything may be acknowledged by now.
    pub(crate) fn settled(&mut self, tag: u64, now: Instant) -> bool {
        let Some(slot) = self.slot(tag).filter(|slot| slot.state != State::Gone) else {
            return false;
        };
        slot.state = State::Settled;
        if tag == self.first {
            return true;
        }
        self.behind.push_back((tag, now));
        false
    }

    /// The tag up to which everything is settled and can be acknowledged in one go, `max` messages at most, if there is any.
    pub(crate) fn take_run(&mut self, max: usize) -> Option<u64> {
        let mut through = None;
        let mut taken = 0;
        while let Some(slot) = self.slots.front() {
            match slot.state {
                State::Waiting | State::Begun | State::Moving | State::Attached | State::Abandoned => break,
                State::Settled if taken == max => break,
                // The broker knows a tag only once, so the run must end with one that it still waits for.
                State::Settled => {
                    let (fingerprint, bytes) = (slot.fingerprint, slot.bytes);
                    through = Some(self.first);
                    taken += 1;
                    self.remember(fingerprint);
                    self.forget(bytes);
                }
                State::Gone => {}
            }
            self.slots.pop_front();
            self.first += 1;
        }
        through
    }

    /// Whether a run can be taken.
    pub(crate) fn has_run(&self) -> bool {
        let is_settled = |slot: &Slot| slot.state == State::Settled;
        self.slots.front().is_some_and(is_settled)
    }

    /// Tags that waited long enough behind a straggler, to be acknowledged one by one, `max` of them at most. After
    /// [`Self::take_run`].
    pub(crate) fn take_overdue(&mut self, now: Instant, max: usize) -> Vec<u64> {
        let mut overdue = Vec::new();
        while let Some((tag, since)) = self.behind.front().copied() {
            if now.duration_since(since) < ACK_RUN_DELAY || overdue.len() == max {
                break;
            }
            self.behind.pop_front();
            let settled = self.slot(tag).filter(|slot| slot.state == State::Settled);
            if let Some(slot) = settled {
                slot.state = State::Gone;
                let (fingerprint, bytes) = (slot.fingerprint, slot.bytes);
                self.remember(fingerprint);
                self.forget(bytes);
                overdue.push(tag);
            }
        }
        overdue
    }

    /// Takes a message over that nobody works on, to be moved and not given back.
    pub(crate) fn take_over(&mut self, tag: u64) -> Option<Fingerprint> {
        let slot = self.slot(tag).filter(|slot| slot.is_idle())?;
        slot.state = State::Moving;
        Some(slot.fingerprint)
    }

    /// Whether a message is unacknowledged.
    pub(crate) fn holds(&self, tag: u64) -> bool {
        let index = tag
            .checked_sub(self.first)
            .and_then(|index| usize::try_from(index).ok());
        let slot = index.and_then(|index| self.slots.get(index));
        slot.is_some_and(|slot| slot.state != State::Gone)
    }

    /// Everything that nobody works on, to be given back to the queue.
    pub(crate) fn take_waiting(&mut self) -> Vec<u64> {
        let tags = (self.first..).zip(&self.slots);
        let waiting = tags.filter(|(_, slot)| slot.is_idle());
        let waiting = waiting.map(|(tag, _)| tag).collect();
        self.take_some(waiting)
    }

    /// Those of `tags` that nobody works on, to be given back to the queue.
    pub(crate) fn take_some(&mut self, mut tags: Vec<u64>) -> Vec<u64> {
        tags.retain(|tag| {
            let Some(slot) = self.slot(*tag).filter(|slot| slot.is_idle()) else {
                return false;
            };
            slot.state = State::Gone;
            let bytes = slot.bytes;
            self.forget(bytes);
            true
        });
        tags
    }

    /// When [`Self::take_overdue`] will next have something, if nothing else happens.
    pub(crate) fn next_overdue(&self) -> Option<Instant> {
        self.behind.front().map(|(_, since)| *since + ACK_RUN_DELAY)
    }

    /// How many messages are unacknowledged.
    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// What they have in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Since when the oldest message that is not settled is in hand.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        let is_open = |slot: &&Slot| !slot.state.is_over();
        self.slots.iter().find(is_open).map(|slot| slot.received)
    }

    /// Ends the window: the subscription is gone.
    pub(crate) fn close(self) -> Leftovers {
        let mut leftovers = Leftovers {
            open: Vec::new(),
            settled: self.acked.into(),
        };
        for slot in self.slots {
            match slot.state {
                State::Waiting | State::Begun | State::Moving => leftovers.open.push(slot.fingerprint),
                State::Settled => leftovers.settled.push(slot.fingerprint),
                // What an attached one waits for is remembered already; what is abandoned is for somebody else.
                State::Attached | State::Abandoned | State::Gone => {}
            }
        }
        leftovers
    }

    fn slot(&mut self, tag: u64) -> Option<&mut Slot> {
        let index = usize::try_from(tag.checked_sub(self.first)?).ok()?;
        self.slots.get_mut(index)
    }

    fn remember(&mut self, fingerprint: Fingerprint) {
        if self.acked.len() >= self.acked_max {
            self.acked.pop_front();
        }
        self.acked.push_back(fingerprint);
    }

    fn forget(&mut self, bytes: usize) {
        self.messages -= 1;
        self.bytes -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: usize = usize::MAX;

    fn window(messages: u64) -> UnackedWindow {
        let mut window = UnackedWindow::new(2);
        for tag in 1..=messages {
            window.received(tag, tag * 100, 10, Instant::now());
        }
        window
    }

    #[test]
    fn what_is_settled_from_the_oldest_on_goes_in_one_run() {
        let mut window = window(5);
        let now = Instant::now();
        assert!(!window.settled(2, now));
        assert_eq!(window.take_run(ALL), None);
        assert!(window.settled(1, now));
        window.settled(3, now);
        assert_eq!(window.take_run(ALL), Some(3));
        assert_eq!(window.take_run(ALL), None);
        assert_eq!((window.messages(), window.bytes()), (2, 20));
    }

    #[test]
    fn a_long_run_is_taken_in_pieces() {
        let mut window = window(5);
        let now = Instant::now();
        (2..=5).for_each(|tag| assert!(!window.settled(tag, now)));
        assert!(window.settled(1, now));
        assert_eq!(window.take_run(2), Some(2));
        assert!(window.has_run());
        assert_eq!(window.take_run(ALL), Some(5));
        assert!(!window.has_run());
    }

    #[test]
    fn a_straggler_holds_its_neighbours_back_for_a_moment_only() {
        let mut window = window(4);
        let now = Instant::now();
        window.settled(2, now);
        window.settled(4, now + ACK_RUN_DELAY / 2);
        assert_eq!(
            window.take_overdue(now + ACK_RUN_DELAY / 2, ALL),
            Vec::<u64>::new()
        );
        assert_eq!(window.next_overdue(), Some(now + ACK_RUN_DELAY));
        assert_eq!(window.take_overdue(now + ACK_RUN_DELAY, ALL), [2]);
        assert_eq!(window.take_overdue(now + ACK_RUN_DELAY * 2, ALL), [4]);
        window.settled(1, now + ACK_RUN_DELAY * 2);
        assert_eq!(window.take_run(ALL), Some(1));
        window.settled(3, now + ACK_RUN_DELAY * 3);
        // 4 was acknowledged by itself: the run ends with 3, and 4 falls away with it.
        assert_eq!(window.take_run(ALL), Some(3));
        assert_eq!((window.messages(), window.bytes()), (0, 0));
    }

    #[test]
    fn a_run_never_ends_with_a_tag_that_was_acknowledged_already() {
        let mut window = window(2);
        let now = Instant::now();
        window.settled(2, now);
        assert_eq!(window.take_overdue(now + ACK_RUN_DELAY, ALL), [2]);
        window.settled(1, now + ACK_RUN_DELAY);
        assert_eq!(window.take_run(ALL), Some(1));
        window.received(3, 300, 10, now);
        window.settled(3, now + ACK_RUN_DELAY);
        assert_eq!(window.take_run(ALL), Some(3));
    }

    #[test]
    fn only_what_has_not_begun_is_given_back_and_only_once() {
        let mut window = window(4);
        let now = Instant::now();
        assert!(window.begin(2));
        window.settled(4, now);
        assert_eq!(window.take_waiting(), [1, 3]);
        assert_eq!(window.take_waiting(), Vec::<u64>::new());
        assert!(!window.begin(1), "it is somebody else's by now");
        assert!(!window.settled(1, now));
        window.settled(2, now);
        assert_eq!(window.take_run(ALL), Some(4));
        assert_eq!((window.messages(), window.bytes()), (0, 0));
        assert_eq!(window.close().open, Vec::<u64>::new());
    }

    #[test]
    fn a_lost_window_leaves_what_was_open_and_what_was_never_acknowledged() {
        let mut window = window(6);
        let now = Instant::now();
        window.settled(2, now);
        window.settled(3, now);
        window.attach(4);
        window.take_overdue(now + ACK_RUN_DELAY, ALL);
        window.settled(5, now + ACK_RUN_DELAY);
        window.begin(6);
        let leftovers = Leftovers {
            open: vec![100, 600],
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
        assert_eq!(window.take_run(ALL), Some(4));
        assert_eq!(window.close().settled, [300, 400]);
    }

    #[test]
    fn the_oldest_that_is_not_settled_tells_how_long_something_is_stuck() {
        let start = Instant::now();
        let mut window = UnackedWindow::new(2);
        for tag in 1..=3 {
            let seconds = Duration::from_secs(tag);
            window.received(tag, tag, 10, start + seconds);
        }
        assert_eq!(window.oldest(), Some(start + Duration::from_secs(1)));
        window.settled(1, start);
        assert_eq!(window.oldest(), Some(start + Duration::from_secs(2)));
    }
}
