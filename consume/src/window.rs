//! Which messages of one subscription are begun and settled, and what can be acknowledged when. Pure; time is a parameter.
//!
//! Delivery tags count up from 1 on each subscription. What is settled from the oldest on is acknowledged in one
//! go; what stands behind a straggler follows one by one after a moment, so that a hanging request never holds
//! back its neighbours.

use std::collections::{BTreeMap, VecDeque};
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
    /// The same, and somebody outside is waited for, who may take long or never answer.
    Asking,
    /// Not begun when the stop came, and being moved to where somebody else finds it.
    Moving,
    /// A redelivery of something that is still in hand under an earlier subscription; whether somebody outside is waited for there.
    Attached { is_asking: bool },
    /// Nobody works on it any more, or ever will while this subscription lasts.
    Abandoned,
    /// Settled, not yet acknowledged.
    Settled,
}

#[derive(Debug)]
struct Slot {
    fingerprint: Fingerprint,
    bytes: usize,
    received: Instant,
    state: State,
}

impl Slot {
    /// Whether somebody outside is waited for, under this subscription or an earlier one.
    fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking | State::Attached { is_asking: true })
    }

    /// Whether nothing is being done about it, so that it can be given back.
    fn is_idle(&self) -> bool {
        matches!(self.state, State::Waiting | State::Abandoned)
    }
}

/// The unacknowledged messages of one subscription.
#[derive(Debug)]
pub(crate) struct UnackedWindow {
    /// By tag, and nothing else: a message that stays for half an hour would keep the place of each that came after it.
    slots: BTreeMap<u64, Slot>,
    /// Settled behind a straggler, in the order in which they were settled.
    behind: VecDeque<(u64, Instant)>,
    /// Acknowledged last: an acknowledgement that is lost with its connection leaves the message to be given out again.
    /// So many at most as the subscription holds unacknowledged.
    acked: VecDeque<Fingerprint>,
    acked_max: usize,
    /// What they have in memory.
    bytes: usize,
}

/// What a lost subscription leaves behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// In hand, begun or not, and nobody outside is waited for.
    pub(crate) open: Vec<Fingerprint>,
    /// In hand, and somebody outside is waited for.
    pub(crate) asking: Vec<Fingerprint>,
    /// Settled, and not acknowledged, or perhaps not: the broker may give them to somebody again.
    pub(crate) settled: Vec<Fingerprint>,
}

impl UnackedWindow {
    /// A window of which the broker may have missed the last `acked_max` acknowledgements.
    pub(crate) fn new(acked_max: usize) -> Self {
        Self {
            slots: BTreeMap::new(),
            behind: VecDeque::new(),
            acked: VecDeque::new(),
            acked_max,
            bytes: 0,
        }
    }

    /// Takes a message in. Tags come in order.
    pub(crate) fn received(&mut self, tag: u64, fingerprint: Fingerprint, bytes: usize, now: Instant) {
        let slot = Slot {
            fingerprint,
            bytes,
            received: now,
            state: State::Waiting,
        };
        self.slots.insert(tag, slot);
        self.bytes += bytes;
    }

    /// Marks a message as begun, if it still waits; `is_asking`: whether somebody outside is asked.
    pub(crate) fn begin(&mut self, tag: u64, is_asking: bool) -> bool {
        let waits = self
            .slots
            .get_mut(&tag)
            .filter(|slot| slot.state == State::Waiting);
        let begun = if is_asking { State::Asking } else { State::Begun };
        waits.map(|slot| slot.state = begun).is_some()
    }

    /// Nobody outside is waited for any more: what is left to be done of it is ours and the broker's.
    pub(crate) fn has_asked(&mut self, tag: u64) {
        if let Some(slot) = self.slots.get_mut(&tag) {
            slot.state = match slot.state {
                State::Asking => State::Begun,
                State::Attached { .. } => State::Attached { is_asking: false },
                other => other,
            };
        }
    }

    /// The broker may miss so many acknowledgements when the subscription ends.
    pub(crate) fn may_miss(&mut self, acknowledgements: usize) {
        self.acked_max = self.acked_max.max(acknowledgements);
    }

    /// Marks a message as a redelivery of what is in hand under an earlier subscription; `is_asking`: whether somebody outside is
    /// waited for there.
    pub(crate) fn attach(&mut self, tag: u64, is_asking: bool) {
        if let Some(slot) = self.slots.get_mut(&tag) {
            slot.state = State::Attached { is_asking };
        }
    }

    /// Makes an attached message the one that is worked on: the earlier subscription's was given up.
    pub(crate) fn detach(&mut self, tag: u64) {
        if let Some(slot) = self.slots.get_mut(&tag) {
            slot.state = State::Waiting;
        }
    }

    /// Marks a message as one that nobody will settle. It takes its place still, but no memory: the message itself is gone.
    pub(crate) fn abandon(&mut self, tag: u64) {
        // One that is being moved is let go of by whoever had it before.
        let is_held = |slot: &&mut Slot| slot.state != State::Moving;
        if let Some(slot) = self.slots.get_mut(&tag).filter(is_held) {
            slot.state = State::Abandoned;
            self.bytes -= std::mem::take(&mut slot.bytes);
        }
    }

    /// Marks a message as settled; returns whether anything may be acknowledged by now.
    pub(crate) fn settled(&mut self, tag: u64, now: Instant) -> bool {
        let Some(slot) = self.slots.get_mut(&tag) else {
            return false;
        };
        slot.state = State::Settled;
        let first = self.slots.first_key_value();
        if first.is_some_and(|(first, _)| *first == tag) {
            return true;
        }
        self.behind.push_back((tag, now));
        false
    }

    /// The tag up to which everything is settled and can be acknowledged in one go, if there is any. The broker knows a tag only
    /// once; this one it still waits for.
    pub(crate) fn take_run(&mut self) -> Option<u64> {
        let mut through = None;
        while let Some(first) = self
            .slots
            .first_entry()
            .filter(|first| first.get().state == State::Settled)
        {
            let (tag, slot) = first.remove_entry();
            through = Some(tag);
            self.acknowledged(slot);
        }
        through
    }

    /// Tags that waited long enough behind a straggler, to be acknowledged one by one. After [`Self::take_run`].
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Vec<u64> {
        let mut overdue = Vec::new();
        while let Some((tag, since)) = self.behind.front().copied() {
            if now.duration_since(since) < ACK_RUN_DELAY {
                break;
            }
            self.behind.pop_front();
            // Unless it went with a run.
            let is_settled = |slot: &Slot| slot.state == State::Settled;
            if self.slots.get(&tag).is_some_and(is_settled)
                && let Some(slot) = self.slots.remove(&tag)
            {
                self.acknowledged(slot);
                overdue.push(tag);
            }
        }
        overdue
    }

    /// Takes a message over that nobody works on, to be moved and not given back.
    pub(crate) fn take_over(&mut self, tag: u64) -> Option<Fingerprint> {
        let slot = self.slots.get_mut(&tag).filter(|slot| slot.is_idle())?;
        slot.state = State::Moving;
        Some(slot.fingerprint)
    }

    /// Whether a message is unacknowledged.
    pub(crate) fn holds(&self, tag: u64) -> bool {
        self.slots.contains_key(&tag)
    }

    /// Everything that nobody works on, to be given back to the queue.
    pub(crate) fn take_waiting(&mut self) -> Vec<u64> {
        let waiting = self.slots.iter().filter(|(_, slot)| slot.is_idle());
        let waiting = waiting.map(|(tag, _)| *tag).collect();
        self.take_some(waiting)
    }

    /// Those of `tags` that nobody works on, to be given back to the queue.
    pub(crate) fn take_some(&mut self, mut tags: Vec<u64>) -> Vec<u64> {
        tags.retain(|tag| {
            let is_idle = self.slots.get(tag).is_some_and(Slot::is_idle);
            let taken = is_idle.then(|| self.slots.remove(tag)).flatten();
            self.bytes -= taken.as_ref().map_or(0, |slot| slot.bytes);
            taken.is_some()
        });
        tags
    }

    /// When [`Self::take_overdue`] will next have something, if nothing else happens.
    pub(crate) fn next_overdue(&self) -> Option<Instant> {
        self.behind.front().map(|(_, since)| *since + ACK_RUN_DELAY)
    }

    /// How many messages are unacknowledged.
    pub(crate) fn messages(&self) -> usize {
        self.slots.len()
    }

    /// For how many of those that came up to tag `last` somebody outside is waited for.
    pub(crate) fn asking_up_to(&self, last: u64) -> usize {
        let earlier = self.slots.range(..=last);
        earlier.filter(|(_, slot)| slot.is_asking()).count()
    }

    /// What they have in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many of those that came after tag `after` nobody will settle, or are in hand since before `before` for somebody outside who
    /// does not answer. Not those that wait for the broker: while that takes nothing, no more must be taken from it.
    pub(crate) fn stuck(&self, after: u64, before: Instant) -> usize {
        let later = self.slots.range(after.saturating_add(1)..);
        let old = later.take_while(|(_, slot)| slot.received <= before);
        let is_stuck = |slot: &Slot| slot.is_asking() || slot.state == State::Abandoned;
        old.filter(|(_, slot)| is_stuck(slot)).count()
    }

    /// Since when the oldest message that is not settled is in hand, also where nobody will settle it.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        let is_open = |slot: &&Slot| slot.state != State::Settled;
        self.slots.values().find(is_open).map(|slot| slot.received)
    }

    /// Ends the window: the subscription is gone.
    pub(crate) fn close(self) -> Leftovers {
        let mut leftovers = Leftovers {
            settled: self.acked.into(),
            ..Leftovers::default()
        };
        for slot in self.slots.into_values() {
            match slot.state {
                State::Waiting | State::Begun | State::Moving => leftovers.open.push(slot.fingerprint),
                State::Asking => leftovers.asking.push(slot.fingerprint),
                State::Settled => leftovers.settled.push(slot.fingerprint),
                // What an attached one waits for is remembered already; what is abandoned is for somebody else.
                State::Attached { .. } | State::Abandoned => {}
            }
        }
        leftovers
    }

    /// The broker is told that one is settled; it may never hear of that.
    fn acknowledged(&mut self, slot: Slot) {
        self.bytes -= slot.bytes;
        if self.acked.len() >= self.acked_max {
            self.acked.pop_front();
        }
        self.acked.push_back(slot.fingerprint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(messages: u64) -> UnackedWindow {
        let mut window = UnackedWindow::new(2);
        for tag in 1..=messages {
            window.received(tag, tag * 100, 10, Instant::now());
        }
        window
    }

    #[test]
    fn what_is_worked_on_for_long_is_stuck_and_what_waits_or_is_settled_is_not() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut window = UnackedWindow::new(2);
        for tag in 1..=10 {
            window.received(tag, tag, 10, start + second * u32::try_from(tag).unwrap());
        }
        for tag in [2, 3, 4, 5, 7, 8] {
            assert!(window.begin(tag, tag != 8));
        }
        window.settled(3, start + second * 9);
        window.has_asked(7);
        window.abandon(6);
        assert_eq!(window.stuck(0, start + second * 9), 4);
        assert_eq!(window.stuck(0, start + second * 5), 3);
        assert_eq!(window.stuck(4, start + second * 9), 2);
        assert_eq!(window.stuck(8, start + second * 9), 0);
        assert_eq!(window.stuck(u64::MAX, start + second * 9), 0);
        assert_eq!([0, 3, 8].map(|last| window.asking_up_to(last)), [0, 1, 3]);
        // What is asked under an earlier subscription takes as long.
        window.attach(9, true);
        window.attach(10, false);
        assert_eq!(
            (window.stuck(8, start + second * 10), window.asking_up_to(10)),
            (1, 4)
        );
        window.has_asked(9);
        assert_eq!(
            (window.stuck(8, start + second * 10), window.asking_up_to(10)),
            (0, 3)
        );
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
        assert_eq!((window.messages(), window.bytes()), (2, 20));
    }

    /// A run that is not taken yet is no reason to forget what stands behind a straggler.
    #[test]
    fn what_is_settled_behind_a_straggler_while_a_run_waits_follows_by_itself() {
        let mut window = window(3);
        let now = Instant::now();
        assert!(window.settled(1, now));
        assert!(!window.settled(3, now));
        assert_eq!(window.take_run(), Some(1));
        assert_eq!(window.take_overdue(now + ACK_RUN_DELAY), [3]);
        assert_eq!(window.messages(), 1);
    }

    #[test]
    fn one_that_stays_keeps_no_place_of_those_that_came_after_it() {
        let mut window = window(1);
        let now = Instant::now();
        for tag in 2..=10_000 {
            window.received(tag, tag, 10, now);
            window.settled(tag, now);
            assert_eq!(window.take_overdue(now + ACK_RUN_DELAY), [tag]);
        }
        assert_eq!((window.slots.len(), window.behind.len()), (1, 0));
    }

    #[test]
    fn what_nobody_will_settle_takes_no_memory_and_is_told_to_be_old() {
        let mut window = window(2);
        let (oldest, now) = (window.oldest(), Instant::now());
        assert!(window.begin(1, false));
        window.abandon(1);
        assert_eq!((window.messages(), window.bytes()), (2, 10));
        assert_eq!(window.stuck(0, Instant::now()), 1);
        window.settled(2, now);
        assert!(oldest.is_some() && window.oldest() == oldest);
        assert_eq!(window.take_waiting(), [1]);
        assert_eq!(window.take_overdue(now + ACK_RUN_DELAY), [2]);
        assert_eq!((window.messages(), window.bytes()), (0, 0));
    }

    #[test]
    fn a_straggler_holds_its_neighbours_back_for_a_moment_only() {
        let mut window = window(4);
        let now = Instant::now();
        window.settled(2, now);
        window.settled(4, now + ACK_RUN_DELAY / 2);
        assert_eq!(window.take_overdue(now + ACK_RUN_DELAY / 2), Vec::<u64>::new());
        assert_eq!(window.next_overdue(), Some(now + ACK_RUN_DELAY));
        assert_eq!(window.take_overdue(now + ACK_RUN_DELAY), [2]);
        assert_eq!(window.take_overdue(now + ACK_RUN_DELAY * 2), [4]);
        window.settled(1, now + ACK_RUN_DELAY * 2);
        assert_eq!(window.take_run(), Some(1));
        window.settled(3, now + ACK_RUN_DELAY * 3);
        // 4 was acknowledged by itself: the run ends with 3, and 4 falls away with it.
        assert_eq!(window.take_run(), Some(3));
        assert_eq!((window.messages(), window.bytes()), (0, 0));
    }

    #[test]
    fn a_run_never_ends_with_a_tag_that_was_acknowledged_already() {
        let mut window = window(2);
        let now = Instant::now();
        window.settled(2, now);
        assert_eq!(window.take_overdue(now + ACK_RUN_DELAY), [2]);
        window.settled(1, now + ACK_RUN_DELAY);
        assert_eq!(window.take_run(), Some(1));
        window.received(3, 300, 10, now);
        window.settled(3, now + ACK_RUN_DELAY);
        assert_eq!(window.take_run(), Some(3));
    }

    #[test]
    fn only_what_has_not_begun_is_given_back_and_only_once() {
        let mut window = window(4);
        let now = Instant::now();
        assert!(window.begin(2, true));
        window.settled(4, now);
        assert_eq!(window.take_waiting(), [1, 3]);
        assert_eq!(window.take_waiting(), Vec::<u64>::new());
        assert!(!window.begin(1, false), "it is somebody else's by now");
        assert!(!window.settled(1, now));
        window.settled(2, now);
        assert_eq!(window.take_run(), Some(4));
        assert_eq!((window.messages(), window.bytes()), (0, 0));
        assert_eq!(window.close().open, Vec::<u64>::new());
    }

    #[test]
    fn a_lost_window_leaves_what_was_open_and_what_was_never_acknowledged() {
        let mut window = window(6);
        let now = Instant::now();
        window.settled(2, now);
        window.settled(3, now);
        window.attach(4, true);
        window.take_overdue(now + ACK_RUN_DELAY);
        window.settled(5, now + ACK_RUN_DELAY);
        window.begin(6, true);
        let leftovers = Leftovers {
            open: vec![100],
            asking: vec![600],
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
