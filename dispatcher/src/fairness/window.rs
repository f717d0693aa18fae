//! One working queue's window: how much of it may wait, and what to do with a job when no more may.
//!
//! Two wishes meet here. An endpoint that has a mountain on the broker is served best when nothing of it is moved: it
//! waits where it is, and the queue is read at the endpoint's pace. Those whose events stand behind the mountain are
//! served best when it is parked as fast as the broker takes it. So the mountain is parked only where someone is known to
//! wait behind it:
//!
//! - an endpoint that had no queue of its own was served from this working queue within the last two seconds, and has
//!   none still: others are in the stream, and the mountain is parked at intake speed while they keep being found;
//! - or the working queue has been growing for some seconds: somebody publishes, whoever it is for;
//! - or it has been crowded for some seconds, and others were served within the last ten minutes, from whatever queue: an event or a
//!   retry of theirs may stand behind. When such a sprint finds nobody else, the next has to wait longer.
//!
//! Where nothing is known, a fifth of the mountain is parked to look for others behind it: few enough that hardly any
//! delivery costs more for it, and only what has its turn so late that it is back in time.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use super::witnesses::Witnesses;

/// How long an endpoint without a queue is evidence after it was served.
const EVIDENCE: Duration = Duration::from_secs(2);
/// A queue that grows for so long is no burst that is being published, for that would have passed.
const GROWING: Duration = Duration::from_secs(5);
/// A window that was crowded for so long is no short burst.
const CROWDED: Duration = Duration::from_secs(2);
/// A window is crowded at one moment and has room at the next: so long after it was the last time, it is no more.
const CROWD_LASTS: Duration = Duration::from_millis(500);
/// How long whoever was served may be behind a crowd, as far as a sprint is worth it: that costs a park a delivery at most.
pub(super) const LATELY: Duration = Duration::from_secs(600);
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
    /// In hand beside it, from before it was taken up again.
    beside: usize,
    /// Whether the last answer was to hold, and a job is held outside.
    pub(super) is_holding: bool,
    /// Whether that was because no more may wait: then it is asked for again when a good part of it is free.
    is_crowded: bool,
    /// Since when it was crowded again and again, and when it was last.
    crowd: Option<(Instant, Instant)>,
    /// Since when a job of an endpoint that nothing is known of is held.
    pub(super) newcomer: Option<Instant>,
    /// What quiet endpoints held of it, and when they were counted.
    quiet: Cell<Option<(Instant, usize)>>,
    witnesses: Witnesses,
    /// Jobs that ended and that were parked since the window was first crowded.
    served: u64,
    parked: u64,
    depth: u64,
    pub(super) consumers: u32,
    taken: u64,
    growing: Option<Instant>,
    sprint: Option<Instant>,
    /// When the last one began and ended, and whether it found anybody.
    sprint_began: Option<Instant>,
    sprint_ended: Option<Instant>,
    sprint_found: bool,
    pause: Duration,
}

impl Window {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size: size.max(1),
            beside: 0,
            is_holding: false,
            is_crowded: false,
            crowd: None,
            newcomer: None,
            quiet: Cell::new(None),
            witnesses: Witnesses::default(),
            served: 0,
            parked: 0,
            depth: 0,
            consumers: 0,
            taken: 0,
            growing: None,
            sprint: None,
            sprint_began: None,
            sprint_ended: None,
            sprint_found: false,
            pause: SPRINT_PAUSE.0,
        }
    }

    /// The window has another size now, and so many are in hand beside it.
    pub(super) fn resized(&mut self, size: usize, beside: usize) {
        self.size = size.max(1);
        self.beside = beside;
    }

    /// Messages that endpoints without proof, slow and silent ones hold at most: half of the window, beside what has left it.
    pub(super) fn limited(&self) -> usize {
        (self.size / 2).max(1) + self.beside
    }

    /// Whether endpoints that nothing is known of may show themselves soon, where quiet ones hold so many.
    pub(super) fn may_show(&self, held_by_quiet: usize) -> bool {
        self.limited() - self.beside > 2 * held_by_quiet.saturating_sub(self.beside)
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
    pub(super) fn hold_crowded(&mut self, now: Instant) {
        self.is_holding = true;
        let goes_on = |(_, last): &(Instant, Instant)| now.saturating_duration_since(*last) < CROWD_LASTS;
        let since = self.crowd.filter(goes_on).map_or(now, |(since, _)| since);
        self.crowd = Some((since, now));
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
        self.witnesses.saw(key, now);
    }

    /// An endpoint has a queue now: it is one of the many, and no evidence of others.
    pub(super) fn is_queued(&mut self, key: u64) {
        self.witnesses.is_queued(key);
    }

    /// Whether to park a job of endpoint `key` for which there is no room, with so many waiting: because others are
    /// behind, or to find out, if its turn `is_far`.
    pub(super) fn should_park(&self, key: u64, waiting: usize, is_far: bool, now: Instant) -> bool {
        self.witnesses.last_but(Some(key), EVIDENCE, now).is_some()
            || self.sprint.is_some_and(|until| now < until)
            || is_far
                && (self.parked + 1) * EXPLORE
                    <= self.served + self.parked + self.depth.saturating_sub(self.taken) + waiting as u64
    }

    pub(super) fn parked(&mut self) {
        self.parked += 1;
    }

    /// Takes note of what the broker says of the queue. `others`: when one was last served lately that has no queue.
    pub(super) fn observe(
        &mut self,
        ready: u64,
        consumers: u32,
        sees_publishing: bool,
        others: Option<Instant>,
        now: Instant,
    ) {
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
            self.sprint_ended = Some(now);
            self.pause = if self.sprint_found {
                SPRINT_PAUSE.0
            } else {
                (self.pause * 2).min(SPRINT_PAUSE.1)
            };
        }
        if self.is_sprint_due(sees_publishing, others, now) {
            self.sprint = Some(now + Duration::from_secs(1) + Duration::from_secs(ready / SPRINT_RATE));
            self.sprint_began = Some(now);
            self.sprint_found = false;
        }
    }

    fn is_sprint_due(&self, sees_publishing: bool, others: Option<Instant>, now: Instant) -> bool {
        let has_paused = self.sprint_ended.is_none_or(|ended| ended + self.pause <= now);
        let grows = self
            .growing
            .is_some_and(|since| now.duration_since(since) >= GROWING);
        if sees_publishing && self.is_crowded && grows && (has_paused || self.sprint_found) {
            return true;
        }
        let is_crowd = self.crowd.is_some_and(|(since, last)| {
            now.saturating_duration_since(last) < CROWD_LASTS && last.duration_since(since) >= CROWDED
        });
        // Whoever was served before the last sprint has been looked for.
        is_crowd && has_paused && self.depth > 0 && others.is_some_and(|seen| self.sprint_began < Some(seen))
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
