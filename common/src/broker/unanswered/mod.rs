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
/// After a message that was sent and not answered by its deadline: before the next one is sent to the same destination, which is
/// alone then. Whoever waits with deadlines gives up one after the other, and a destination that hangs must not be sent each of
/// what they bring.
pub(super) const DOUBTED_FOR: Duration = Duration::from_secs(1);
/// Between two log lines on the same trouble with the same destination.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// What waits for the broker's answer.
pub(super) struct Unanswered {
    ids: HashMap<String, DestinationId>,
    destinations: Vec<Destination>,
    /// Messages that wait, over all destinations.
    waiting: usize,
    /// When the broker last answered anything, or had nothing to answer.
    answered_at: Instant,
}

/// The number of a destination in its [`Unanswered`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DestinationId(usize);

struct Destination {
    name: String,
    waiting: usize,
    /// Whether it has stored anything on this connection.
    is_proven: bool,
    /// Until when nothing is sent to it, because it did not answer something in time.
    doubted_until: Option<Instant>,
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
    fn must_wait(&self, now: Instant) -> bool {
        let pauses = self.doubted_until.is_some_and(|until| now < until);
        self.set_aside > 0 || !self.is_proven && (self.waiting > 0 || pauses)
    }

    /// Whether something was not answered in time, a moment ago.
    fn is_doubted(&self, now: Instant) -> bool {
        self.doubted_until
            .is_some_and(|until| now < until + CONFIRM_TIMEOUT)
    }
}

impl Unanswered {
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
            doubted_until: None,
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
    pub(super) fn must_wait(&self, id: DestinationId, now: Instant) -> bool {
        let destination = self.destinations.get(id.0);
        destination.is_some_and(|destination| destination.must_wait(now))
    }

    /// When it may be that it need not wait any longer, though nothing was answered.
    pub(super) fn doubted_until(&self, id: DestinationId, now: Instant) -> Option<Instant> {
        let until = self.destinations.get(id.0)?.doubted_until;
        until.filter(|until| now < *until)
    }

    /// There is a new connection.
    pub(super) fn connected(&mut self, now: Instant) {
        self.answered_at = now;
        for destination in &mut self.destinations {
            destination.is_proven = false;
            destination.doubted_until = None;
        }
    }

    /// A destination has a new channel, or will have one.
    pub(super) fn unproven(&mut self, id: DestinationId) {
        if let Some(destination) = self.destinations.get_mut(id.0) {
            destination.is_proven = false;
        }
    }

    /// A destination did not answer a message by its deadline, and may have it all the same.
    pub(super) fn doubted(&mut self, id: DestinationId, now: Instant) {
        if let Some(destination) = self.destinations.get_mut(id.0) {
            destination.is_proven = false;
            destination.doubted_until = Some(now + DOUBTED_FOR);
        }
    }

    /// A message of `bytes` is sent.
    pub(super) fn sent(&mut self, id: DestinationId, bytes: usize, now: Instant) {
        let Some(destination) = self.destinations.get_mut(id.0) else {
            return;
        };
        // One that nobody waits for any more is not answered either.
        let is_doubted = destination.is_doubted(now);
        if self.waiting == 0 && !is_doubted {
            self.answered_at = now;
        }
        if destination.waiting == 0 && !is_doubted {
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
        let had_to_wait = destination.must_wait(now);
        self.waiting = self.waiting.saturating_sub(1);
        destination.waiting = destination.waiting.saturating_sub(1);
        if end == End::Stored {
            destination.is_proven = true;
            destination.doubted_until = None;
        }
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
            is_resumed: had_to_wait && !destination.must_wait(now),
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

    /// The broker has an alarm and said so: that it answers nothing is no news.
    pub(super) fn is_blocked(&mut self, now: Instant) {
        self.answered_at = now;
        for destination in &mut self.destinations {
            destination.answered_at = now;
        }
    }

    /// What messages wait for, by name.
    pub(super) fn awaited(&self) -> Vec<&str> {
        let awaited = self.destinations.iter().filter(|it| it.waiting > 0);
        awaited.map(|it| it.name.as_str()).collect()
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
mod tests;
