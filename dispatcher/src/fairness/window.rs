//! One working queue's window: how much of it may wait, and what to do with a job when no more may.
//!
//! Two wishes meet here. An endpoint that has a mountain on the broker is served best when nothing of it is moved: it
//! waits where it is, and the queue is read at the endpoint's pace. Those whose events stand behind the mountain are
//! served best when it is parked as fast as the broker takes it. So the mountain is parked only where someone is known to
//! wait behind it:
//!
//! - an endpoint that had no queue of its own was served from this working queue within the last two seconds, and has
//!   none still: others are in the stream, and the mountain is parked at intake speed while they keep being found;
//! - or the working queue has been growing for some seconds: somebody publishes, whoever it is for. When such a sprint
//!   finds nobody else, the next has to wait longer.
//!
//! Where nothing is known, a fifth of the mountain is parked to look for others behind it: few enough that hardly any
//! delivery costs more for it, and only what has its turn so late that it is back in time.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// How long an endpoint without a queue is evidence after it was served.
const EVIDENCE: Duration = Duration::from_secs(2);
/// Endpoints that are remembered as evidence: more than one, since the latest may be the next to have a queue.
const WITNESSES: usize = 4;
/// A queue that grows for so long is no burst that is being published, for that would have passed.
const GROWING: Duration = Duration::from_secs(5);
/// A sprint lasts as long as the queue's depth takes at this many jobs a second, which is a slow intake.
const SPRINT_RATE: u64 = 5_000;
/// Before the next sprint after one that found nobody, at first and at most.
const SPRINT_PAUSE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));
/// So long a count of what quiet endpoints hold is used again: it goes through all of them, and in the next moment hardly one more
/// is quiet.
const COUNTED_FOR: Duration = Duration::from_millis(10);
/// One in so many may be parked to look who is behind.
const EXPLORE: u64 = 5;

pub(super) struct Window {
    size: usize,
    /// Whether the last answer was to hold, and a job is held outside.
    pub(super) is_holding: bool,
    /// Whether that was because no more may wait: then it is asked for again when a good part of it is free.
    is_crowded: bool,
    /// Since when a job of an endpoint that nothing is known of is held.
    pub(super) newcomer: Option<Instant>,
    /// What quiet endpoints held of it, and when they were counted.
    quiet: Cell<Option<(Instant, usize)>>,
    witnesses: [Option<(u64, Instant)>; WITNESSES],
    /// Jobs that ended and that were parked since the window was first crowded.
    served: u64,
    parked: u64,
    depth: u64,
    pub(super) consumers: u32,
    taken: u64,
    growing: Option<Instant>,
    sprint: Option<Instant>,
    sprint_found: bool,
    next_sprint: Option<Instant>,
    pause: Duration,
}

impl Window {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size: size.max(1),
            is_holding: false,
            is_crowded: false,
            newcomer: None,
            quiet: Cell::new(None),
            witnesses: [None; WITNESSES],
            served: 0,
            parked: 0,
            depth: 0,
            consumers: 0,
            taken: 0,
            growing: None,
            sprint: None,
            sprint_found: false,
            next_sprint: None,
            pause: SPRINT_PAUSE.0,
        }
    }

    /// The window has another size now.
    pub(super) fn resized(&mut self, size: usize) {
        self.size = size.max(1);
    }

    /// Messages that endpoints without proof, slow and silent ones hold at most.
    pub(super) fn limited(&self) -> usize {
        (self.size / 2).max(1)
    }

    /// Jobs that may wait, half of the window: what is in flight needs the rest. Once crowded, a sixteenth has to be free
    /// before more is taken, since waking the intake costs about as much as a request.
    fn max_waiting(&self) -> usize {
        let max = (self.size / 2).max(1);
        if self.is_crowded {
            max - self.size / 16
        } else {
            max
        }
    }

    /// Whether one more may wait, with so many waiting, `own` of them for the same endpoint. One with few gets a
    /// little more room: it is not its fault that others have many.
    pub(super) fn has_room(&self, waiting: usize, own: usize) -> bool {
        waiting < self.max_waiting().max(1) || own < self.size / 32 && waiting < self.size / 2 + self.size / 4
    }

    /// What quiet endpoints hold of it, by a `count` that was made a moment ago at most.
    pub(super) fn held_by_quiet(&self, now: Instant, count: impl FnOnce() -> usize) -> usize {
        let is_recent = |(at, _): &(Instant, usize)| now.saturating_duration_since(*at) < COUNTED_FOR;
        let (at, held) = self
            .quiet
            .get()
            .filter(is_recent)
            .unwrap_or_else(|| (now, count()));
        self.quiet.set(Some((at, held)));
        held
    }

    /// A job came from the broker.
    pub(super) fn came(&mut self) {
        self.taken += 1;
    }

    /// A job was taken in, whatever becomes of it.
    pub(super) fn took(&mut self) {
        self.is_holding = false;
        self.newcomer = None;
    }

    /// A job waits now: with so few waiting, the crowd is over.
    pub(super) fn waits(&mut self, waiting: usize) {
        self.is_crowded = false;
        if waiting < self.size / 4 {
            self.served = 0;
            self.parked = 0;
        }
    }

    /// A job of an endpoint that nothing is known of is held.
    pub(super) fn hold(&mut self, now: Instant) {
        self.is_holding = true;
        self.is_crowded = false;
        self.newcomer.get_or_insert(now);
    }

    /// A job is held for which there is no room.
    pub(super) fn hold_crowded(&mut self) {
        self.is_holding = true;
        self.newcomer = None;
        self.is_crowded = true;
    }

    /// Whether whoever holds a job should ask again, with so many waiting.
    pub(super) fn is_worth_asking(&self, waiting: usize) -> bool {
        self.is_holding && (!self.is_crowded || waiting < self.max_waiting())
    }

    /// A job ended; `lone` stands for its endpoint if that has no queue.
    pub(super) fn ended(&mut self, lone: Option<u64>, now: Instant) {
        self.served += 1;
        let Some(key) = lone else { return };
        self.sprint_found = true;
        let oldest_first = |witness: &Option<(u64, Instant)>| witness.map(|(_, at)| at);
        let same = self
            .witnesses
            .iter_mut()
            .find(|w| w.is_some_and(|(other, _)| other == key));
        let place = match same {
            Some(same) => Some(same),
            None => self.witnesses.iter_mut().min_by_key(|w| oldest_first(w)),
        };
        if let Some(place) = place {
            *place = Some((key, now));
        }
    }

    /// An endpoint has a queue now: it is one of the many, and no evidence of others.
    pub(super) fn is_queued(&mut self, key: u64) {
        for witness in &mut self.witnesses {
            *witness = witness.filter(|(other, _)| *other != key);
        }
    }

    /// Whether to park a job of endpoint `key` for which there is no room, with so many waiting: because others are
    /// behind, or to find out, if its turn `is_far`.
    pub(super) fn should_park(&self, key: u64, waiting: usize, is_far: bool, now: Instant) -> bool {
        let is_other =
            |(other, at): &(u64, Instant)| *other != key && now.saturating_duration_since(*at) < EVIDENCE;
        self.witnesses.iter().flatten().any(is_other)
            || self.sprint.is_some_and(|until| now < until)
            || is_far
                && (self.parked + 1) * EXPLORE
                    <= self.served + self.parked + self.depth.saturating_sub(self.taken) + waiting as u64
    }

    pub(super) fn parked(&mut self) {
        self.parked += 1;
    }

    /// Takes note of what the broker says of the queue.
    pub(super) fn observe(&mut self, ready: u64, consumers: u32, sees_publishing: bool, now: Instant) {
        // Other replicas take from it, too: it may have grown by more, not by less.
        let has_grown = ready + self.taken > self.depth && ready > 0;
        self.depth = ready;
        self.consumers = consumers;
        self.taken = 0;
        self.growing = has_grown.then(|| self.growing.unwrap_or(now));
        if let Some(until) = self.sprint {
            if now < until {
                return;
            }
            self.sprint = None;
            self.pause = if self.sprint_found {
                SPRINT_PAUSE.0
            } else {
                (self.pause * 2).min(SPRINT_PAUSE.1)
            };
            self.next_sprint = Some(
                now + if self.sprint_found {
                    Duration::ZERO
                } else {
                    self.pause
                },
            );
        }
        let long_enough = self
            .growing
            .is_some_and(|since| now.duration_since(since) >= GROWING);
        if sees_publishing && self.is_crowded && long_enough && self.next_sprint.is_none_or(|at| at <= now) {
            self.sprint = Some(now + Duration::from_secs(1) + Duration::from_secs(ready / SPRINT_RATE));
            self.sprint_found = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_endpoints_are_counted_once_in_a_moment_however_often_it_is_asked() {
        let (window, start) = (Window::new(100), Instant::now());
        let mut counts = 0;
        let mut ask = |at: Duration| {
            window.held_by_quiet(start + at, || {
                counts += 1;
                counts
            })
        };
        let held: Vec<_> = (0..20).map(|ms| ask(Duration::from_millis(ms))).collect();
        assert_eq!(held, [[1; 10], [2; 10]].concat());
    }
}
