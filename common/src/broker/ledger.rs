//! What was published and not answered, by destination, and what follows from that. Pure: time is a parameter.
//!
//! A destination is a queue, or an exchange. One that answers nothing while others do (a queue without a quorum) is
//! stalled: its bytes stop counting against the common budget, so that the others go on, and what is new for it waits.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long the broker may answer nothing before that is remarkable. Confirms take milliseconds; a broker that fails over
/// to another node takes a few seconds.
pub(super) const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two log lines on the same trouble with the same destination.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// What waits for the broker's answer.
pub(super) struct Ledger {
    ids: HashMap<String, DestinationId>,
    destinations: Vec<Destination>,
    /// Messages that wait, over all destinations.
    waiting: usize,
    /// When the broker last answered anything, or had nothing to answer.
    answered_at: Instant,
}

/// The number of a destination in its [`Ledger`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DestinationId(usize);

struct Destination {
    name: String,
    waiting: usize,
    /// Whether it has stored anything on this connection.
    is_proven: bool,
    /// Bytes that wait and count against the budget.
    budgeted: usize,
    /// Bytes that wait and no longer count against the budget.
    set_aside: usize,
    /// When this destination last answered, or had nothing to answer.
    answered_at: Instant,
    stall_told_at: Option<Instant>,
    refusal_told_at: Option<Instant>,
    refused_since_told: u64,
}

/// How a message's wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// A queue has it.
    Stored,
    /// The broker said something else.
    Answered,
    /// Nobody waits any more.
    Unknown,
}

/// What the end of a message's wait gives back.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Released {
    /// Bytes that return to the budget.
    pub(super) budget: usize,
    /// Whether what is new for its destination had to wait and need not any longer.
    pub(super) is_resumed: bool,
}

/// A destination that answers nothing while the broker does; to be told to people.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stall {
    pub(super) destination: String,
    pub(super) waiting: usize,
    pub(super) for_seconds: u64,
}

impl Destination {
    fn must_wait(&self) -> bool {
        self.set_aside > 0 || !self.is_proven && self.waiting > 0
    }
}

impl Ledger {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ids: HashMap::new(),
            destinations: Vec::new(),
            waiting: 0,
            answered_at: now,
        }
    }

    /// The number of a destination. There are as many as the topology has queues, so none is ever removed.
    pub(super) fn id(&mut self, name: &str, now: Instant) -> DestinationId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = DestinationId(self.destinations.len());
        self.ids.insert(name.to_owned(), id);
        self.destinations.push(Destination {
            name: name.to_owned(),
            waiting: 0,
            is_proven: false,
            budgeted: 0,
            set_aside: 0,
            answered_at: now,
            stall_told_at: None,
            refusal_told_at: None,
            refused_since_told: 0,
        });
        id
    }

    /// Whether what is new for a destination must wait: it is stalled, or its first message on this connection is on its way.
    /// A queue without a quorum answers that one late or never, and hundreds behind it on its channel would stop the
    /// connection for all.
    pub(super) fn must_wait(&self, id: DestinationId) -> bool {
        self.destinations.get(id.0).is_some_and(Destination::must_wait)
    }

    /// There is a new connection.
    pub(super) fn connected(&mut self, now: Instant) {
        self.answered_at = now;
        for destination in &mut self.destinations {
            destination.is_proven = false;
        }
    }

    /// A destination has a new channel, or will have one.
    pub(super) fn unproven(&mut self, id: DestinationId) {
        if let Some(destination) = self.destinations.get_mut(id.0) {
            destination.is_proven = false;
        }
    }

    /// A message of `bytes` is sent.
    pub(super) fn sent(&mut self, id: DestinationId, bytes: usize, now: Instant) {
        let Some(destination) = self.destinations.get_mut(id.0) else {
            return;
        };
        if self.waiting == 0 {
            self.answered_at = now;
        }
        if destination.waiting == 0 {
            destination.answered_at = now;
        }
        self.waiting += 1;
        destination.waiting += 1;
        destination.budgeted += bytes;
    }

    /// The wait for a message of `bytes` is over: the broker answered, or nobody waits any more.
    pub(super) fn ended(&mut self, id: DestinationId, bytes: usize, end: End, now: Instant) -> Released {
        let Some(destination) = self.destinations.get_mut(id.0) else {
            return Released::default();
        };
        let had_to_wait = destination.must_wait();
        self.waiting = self.waiting.saturating_sub(1);
        destination.waiting = destination.waiting.saturating_sub(1);
        destination.is_proven |= end == End::Stored;
        if end != End::Unknown {
            self.answered_at = now;
            destination.answered_at = now;
            destination.stall_told_at = None;
        }
        // What was set aside is paid back first: those bytes are the older ones.
        let from_aside = bytes.min(destination.set_aside);
        destination.set_aside -= from_aside;
        destination.budgeted = destination.budgeted.saturating_sub(bytes - from_aside);
        Released {
            budget: bytes - from_aside,
            is_resumed: had_to_wait && !destination.must_wait(),
        }
    }

    /// The broker refused a message: how many were refused since that was last told, when it is to be told again.
    pub(super) fn refused(&mut self, id: DestinationId, now: Instant) -> Option<u64> {
        let destination = self.destinations.get_mut(id.0)?;
        destination.refused_since_told += 1;
        is_due(destination.refusal_told_at, now).then(|| {
            destination.refusal_told_at = Some(now);
            std::mem::take(&mut destination.refused_since_told)
        })
    }

    /// The broker answered something else.
    pub(super) fn is_alive(&mut self, now: Instant) {
        self.answered_at = now;
    }

    /// Whether messages wait and the broker has answered nothing for [`CONFIRM_TIMEOUT`].
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.waiting > 0 && now.duration_since(self.answered_at) >= CONFIRM_TIMEOUT
    }

    /// Finds destinations that answer nothing: how many bytes leave the budget, and what is to be told.
    pub(super) fn find_stalls(&mut self, now: Instant) -> (usize, Vec<Stall>) {
        let mut freed = 0;
        let mut told = Vec::new();
        for destination in &mut self.destinations {
            let quiet = now.duration_since(destination.answered_at);
            if destination.waiting == 0 || quiet < CONFIRM_TIMEOUT {
                continue;
            }
            let budgeted = std::mem::take(&mut destination.budgeted);
            destination.set_aside += budgeted;
            freed += budgeted;
            if is_due(destination.stall_told_at, now) {
                destination.stall_told_at = Some(now);
                told.push(Stall {
                    destination: destination.name.clone(),
                    waiting: destination.waiting,
                    for_seconds: quiet.as_secs(),
                });
            }
        }
        (freed, told)
    }
}

fn is_due(told_at: Option<Instant>, now: Instant) -> bool {
    told_at.is_none_or(|told_at| now.duration_since(told_at) >= WARN_EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_broker_that_answers_anything_is_not_silent() {
        let start = Instant::now();
        let mut ledger = Ledger::new(start);
        let (a, b) = (ledger.id("a", start), ledger.id("b", start));
        assert!(!ledger.is_silent(after(start, 100)), "nothing waits");
        ledger.sent(a, 1, after(start, 100));
        ledger.sent(b, 1, after(start, 105));
        assert!(!ledger.is_silent(after(start, 109)));
        assert!(ledger.is_silent(after(start, 110)));
        ledger.ended(b, 1, End::Stored, after(start, 109));
        assert!(!ledger.is_silent(after(start, 118)));
        assert!(ledger.is_silent(after(start, 119)));
        ledger.is_alive(after(start, 119));
        assert!(!ledger.is_silent(after(start, 128)));
        ledger.ended(a, 1, End::Unknown, after(start, 128));
        assert!(!ledger.is_silent(after(start, 200)), "nothing waits any more");
    }

    #[test]
    fn a_destination_without_answers_gives_its_bytes_back_and_waits_until_it_answers() {
        let start = Instant::now();
        let mut ledger = Ledger::new(start);
        let (stuck, well) = (ledger.id("stuck", start), ledger.id("well", start));
        ledger.sent(stuck, 30, start);
        ledger.sent(stuck, 12, start);
        ledger.sent(well, 5, after(start, 8));
        let (freed, told) = ledger.find_stalls(after(start, 10));
        let expected = Stall {
            destination: "stuck".into(),
            waiting: 2,
            for_seconds: 10,
        };
        assert_eq!((freed, told), (42, vec![expected]));
        ledger.ended(well, 5, End::Stored, after(start, 10));
        assert!(ledger.must_wait(stuck) && !ledger.must_wait(well));
        ledger.sent(well, 5, after(start, 10));
        // Told again after a minute, and never freed twice.
        assert_eq!(
            ledger.find_stalls(after(start, 69)).1.len(),
            1,
            "the other one, for once"
        );
        let (freed, told) = ledger.find_stalls(after(start, 70));
        assert_eq!((freed, told.len()), (0, 1));
        let ended = ledger.ended(stuck, 30, End::Stored, after(start, 71));
        assert_eq!((ended.budget, ended.is_resumed), (0, false));
        let ended = ledger.ended(stuck, 12, End::Stored, after(start, 71));
        assert_eq!((ended.budget, ended.is_resumed), (0, true));
        assert!(!ledger.must_wait(stuck));
    }

    #[test]
    fn the_first_message_on_a_channel_goes_alone_and_the_others_after_it_is_stored() {
        let start = Instant::now();
        let mut ledger = Ledger::new(start);
        let id = ledger.id("a", start);
        for begins_anew in [Ledger::connected, |ledger: &mut Ledger, _| {
            let id = ledger.id("a", Instant::now());
            ledger.unproven(id);
        }] {
            begins_anew(&mut ledger, start);
            for end in [End::Unknown, End::Answered] {
                assert!(!ledger.must_wait(id), "the first");
                ledger.sent(id, 1, start);
                assert!(ledger.must_wait(id), "the second");
                let ended = ledger.ended(id, 1, end, start);
                assert!(ended.is_resumed, "another may be the first");
            }
            ledger.sent(id, 1, start);
            assert!(ledger.ended(id, 1, End::Stored, start).is_resumed);
            ledger.sent(id, 1, start);
            assert!(!ledger.must_wait(id));
            assert!(!ledger.ended(id, 1, End::Unknown, start).is_resumed);
        }
    }

    #[test]
    fn what_ends_in_time_returns_its_bytes() {
        let start = Instant::now();
        let mut ledger = Ledger::new(start);
        let id = ledger.id("a", start);
        assert_eq!(ledger.id("a", start), id);
        ledger.sent(id, 7, start);
        let ended = ledger.ended(id, 7, End::Stored, start);
        assert_eq!((ended.budget, ended.is_resumed), (7, true));
        assert_eq!(ledger.find_stalls(after(start, 60)), (0, vec![]));
    }

    #[test]
    fn refusals_are_told_at_once_and_then_each_minute() {
        let start = Instant::now();
        let mut ledger = Ledger::new(start);
        let (a, b) = (ledger.id("a", start), ledger.id("b", start));
        assert_eq!(ledger.refused(a, start), Some(1));
        assert_eq!(ledger.refused(a, after(start, 1)), None);
        assert_eq!(ledger.refused(b, after(start, 1)), Some(1), "each for itself");
        assert_eq!(ledger.refused(a, after(start, 59)), None);
        assert_eq!(ledger.refused(a, after(start, 60)), Some(3));
    }
}
