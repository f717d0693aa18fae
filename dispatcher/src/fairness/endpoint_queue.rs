//! One endpoint: what it has in flight, what waits, and how long one more would have to.

use std::collections::VecDeque;
use std::time::Duration;

use hookline_common::schedule::Delay;
use hookline_common::topology::PARK_DELAYS;
use tokio::time::Instant;

#[cfg(test)]
use super::faults::{self, Fault};
use super::feedback::Feedback;
use super::holdings::Holdings;
use super::limit::{Health, Limit, as_f32};
use super::memory::Remembered;
use super::pace::{MIN_PER_SECOND, Pacing};
use super::returns::Returns;
use super::terms::{Concurrency, MAX_QUEUES};

/// Requests in flight without an answer for so long mean that the endpoint hangs, unless it always takes its time.
const STALLED_AFTER: Duration = Duration::from_secs(1);
/// Even for one that takes its time.
const STALLED_AT_LAST: Duration = Duration::from_secs(10);
/// Most endpoints answer within this time; one that has not shows nothing of itself in the next moment either.
const SOON: Duration = Duration::from_millis(100);
/// An endpoint is kept for so long after its last request: as long as the periods over which receivers count, since what
/// one has accepted of late is the pace that it bears. One that answers sooner than its next event comes would be new to us
/// with each event otherwise, which also costs more than keeping it: with ten thousand endpoints each has one in a second.
const KEPT: Duration = Duration::from_secs(5);
/// Requests at once to one that does not answer: enough to see that it does again, and its slots are not halved before one has timed out.
/// What it has beyond would hold the share of those that nothing is known of.
const SLOTS_OF_SILENT: usize = 2;
/// Slower than this, a few endpoints with all slots taken would fill a window.
const SLOW: Duration = Duration::from_secs(1);
/// What would wait in memory for longer is parked: a window full of such jobs would move on too slowly.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(10);
/// What is parked for endpoints that do not answer comes back hardly faster than one in this time, over all of them: a mountain that is
/// moved to and fro must not show in the machine's throughput.
const RETURN_EVERY: Duration = Duration::from_millis(5);
/// Times that a job of a silent endpoint may be parked longer than before although few are: up to 4 s, so that an
/// endpoint that answers again soon gets what was set aside.
const MAX_STEPS: usize = 2;

/// How long so many jobs take.
fn lasts(jobs: usize, per_second: f32) -> Duration {
    Duration::from_secs_f32((as_f32(jobs) / per_second.max(MIN_PER_SECOND)).min(1e6))
}

/// How an endpoint is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It answers, and quickly.
    Proven,
    /// Nothing is known of it yet, or it takes long: all of these and the silent ones share half of a window.
    Limited,
    /// It does not answer.
    Silent,
}

pub(super) struct Waiting<J> {
    pub(super) queue: usize,
    pub(super) parked: u32,
    pub(super) job: J,
}

pub(super) struct EndpointQueue<J> {
    pub(super) limit: Limit,
    pub(super) pacing: Pacing,
    pub(super) returns: Returns,
    pub(super) in_flight: usize,
    pub(super) waiting: VecDeque<Waiting<J>>,
    /// What is in flight, by the working queue that it came from.
    flying: [usize; MAX_QUEUES],
    waiting_of: [usize; MAX_QUEUES],
    class: Class,
    /// When a request last ended, or began while none was in flight.
    progress: Instant,
    /// When it last answered after it had hung.
    recovered: Option<Instant>,
    /// In which of the two lines it stands for a connection.
    pub(super) line: Option<usize>,
    /// When it is to be looked at again because of a hold or pace.
    pub(super) wake_at: Option<Instant>,
}

impl<J> EndpointQueue<J> {
    pub(super) fn new(remembered: Option<Remembered>, concurrency: Concurrency, now: Instant) -> Self {
        let mut queue = Self {
            limit: remembered.map_or_else(
                || Limit::unknown(concurrency.start),
                |known| Limit::recalled(known.limit),
            ),
            pacing: Pacing::new(remembered.and_then(|known| known.pace), now),
            returns: Returns::default(),
            in_flight: 0,
            waiting: VecDeque::new(),
            flying: [0; MAX_QUEUES],
            waiting_of: [0; MAX_QUEUES],
            class: Class::Limited,
            progress: now,
            recovered: None,
            line: None,
            wake_at: None,
        };
        queue.refresh(now);
        queue
    }

    /// Its part of the holdings.
    pub(super) fn holdings(&self) -> Holdings {
        let mut holdings = Holdings {
            waiting: self.waiting_of,
            in_flight: self.in_flight,
            ..Holdings::default()
        };
        if self.is_limited() {
            for (limited, (flying, waiting)) in holdings
                .limited
                .iter_mut()
                .zip(self.flying.iter().zip(&self.waiting_of))
            {
                *limited = flying + waiting;
            }
            holdings.limited_in_flight = self.in_flight;
        }
        if self.is_silent() || self.is_unknown() {
            holdings.silent_parking = usize::from(self.returns.count() > 0);
        }
        holdings
    }

    /// Sees what the endpoint is by now.
    pub(super) fn refresh(&mut self, now: Instant) {
        self.class = if self.limit.health() == Health::Failing || self.is_stalled(now) {
            Class::Silent
        } else if !self.limit.is_proven() || self.limit.latency().is_some_and(|latency| latency > SLOW) {
            Class::Limited
        } else {
            Class::Proven
        };
    }

    pub(super) fn class(&self) -> Class {
        self.class
    }

    pub(super) fn is_limited(&self) -> bool {
        self.class != Class::Proven
    }

    pub(super) fn is_silent(&self) -> bool {
        self.class == Class::Silent
    }

    /// Whether nothing is known of it.
    pub(super) fn is_unknown(&self) -> bool {
        self.limit.health() == Health::Unknown
    }

    /// Whether it will hardly show in the next moment what it is.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        self.is_silent() || self.in_flight > 0 && now.duration_since(self.progress) > SOON
    }

    /// Whether requests are in flight and none has ended for a while.
    fn is_stalled(&self, now: Instant) -> bool {
        let usual = self.limit.latency().unwrap_or_default() * 2;
        let after = usual.clamp(STALLED_AFTER, STALLED_AT_LAST);
        self.in_flight > 0 && now.duration_since(self.progress) > after
    }

    /// What it holds of a working queue.
    pub(super) fn held(&self, queue: usize) -> usize {
        let of = |counts: &[usize; MAX_QUEUES]| counts.get(queue).copied().unwrap_or_default();
        of(&self.flying) + of(&self.waiting_of)
    }

    /// Jobs of a working queue that wait here.
    pub(super) fn waiting_of(&self, queue: usize) -> usize {
        self.waiting_of.get(queue).copied().unwrap_or_default()
    }

    /// Whether it has nothing in hand and expects nothing back, so that time changes nothing of it.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.waiting.is_empty() && self.returns.count() == 0
    }

    /// Whether nothing would be lost by forgetting it.
    pub(super) fn is_forgettable(&self, now: Instant) -> bool {
        self.is_idle() && now.saturating_duration_since(self.progress) >= KEPT && !self.pacing.is_binding(now)
    }

    pub(super) fn has_slot(&self, max: usize) -> bool {
        let slots = self.limit.slots(max);
        let slots = if self.is_silent() {
            slots.min(SLOTS_OF_SILENT)
        } else {
            slots
        };
        self.in_flight < slots
    }

    pub(super) fn can_start(&self, max: usize, now: Instant) -> bool {
        self.has_slot(max) && self.pacing.is_ready(now)
    }

    /// How long it takes until so many jobs more have begun, if anything is known of that.
    fn time_for(&self, jobs: usize, max: usize, now: Instant) -> Option<Duration> {
        // The first begins as soon as it may, and the others after it.
        let wait = self.pacing.wait(now);
        let paced = self.pacing.per_second();
        let paced = paced.map(|pace| wait + lasts(jobs.saturating_sub(1), pace));
        let slots = self.limit.rate(max);
        let slots = slots.map(|rate| self.pacing.hold(now) + lasts(jobs, rate));
        paced
            .max(slots)
            .or_else(|| Some(wait).filter(|wait| !wait.is_zero()))
    }

    /// Whether what waits would have to for so long that it is better parked, from its end: an owner has lowered the rate, or the
    /// endpoint has become slow. Twice what may wait, as what is estimated moves.
    fn waits_too_long(&self, max: usize, now: Instant) -> bool {
        let time = self.time_for(self.waiting.len(), max, now);
        time.is_some_and(|time| time > MAX_WAIT * 2)
    }

    /// Takes out what is to wait in no window any more, each with how long to park it.
    pub(super) fn give_up_waiting(
        &mut self,
        others_parking: usize,
        max: usize,
        now: Instant,
    ) -> Vec<(Waiting<J>, Delay)> {
        let mut parked = Vec::new();
        if self.is_silent() || self.pacing.wait(now) > MAX_WAIT {
            while let Some(first) = self.take_first() {
                parked.push(first);
            }
        } else if self.waits_too_long(max, now) {
            while !self.is_turn_near(max, now)
                && let Some(last) = self.take_last()
            {
                parked.push(last);
            }
            parked.reverse();
        }
        let park = |waiting: Waiting<J>| {
            let delay = self.park(waiting.parked, others_parking, max, now);
            (waiting, delay)
        };
        parked.into_iter().map(park).collect()
    }

    /// Whether one more would have its turn so soon that it may wait in memory. Unknown as long as nothing was answered:
    /// it may wait until the endpoint is found to be silent.
    pub(super) fn is_turn_near(&self, max: usize, now: Instant) -> bool {
        self.time_for(self.waiting.len() + 1, max, now)
            .is_none_or(|turn| turn <= MAX_WAIT)
    }

    /// Whether one more would have its turn only after the shortest park time, so that parking it loses nothing.
    pub(super) fn is_turn_far(&self, max: usize, now: Instant) -> bool {
        let [shortest, ..] = PARK_DELAYS;
        self.busy_for(max, now) >= shortest.as_duration()
    }

    /// For how long it has something to begin without a gap, if one more waits: what waits, and what comes back before that is done.
    fn busy_for(&self, max: usize, now: Instant) -> Duration {
        let Some(mut busy) = self.time_for(self.waiting.len() + 1, max, now) else {
            return Duration::ZERO;
        };
        let rates = [self.pacing.per_second(), self.limit.rate(max)];
        let Some(rate) = rates.into_iter().flatten().reduce(f32::min) else {
            return busy;
        };
        for (back, count) in self.returns.after(now) {
            if back > busy {
                break;
            }
            busy += lasts(count, rate);
        }
        busy
    }

    pub(super) fn start(&mut self, queue: usize, now: Instant) {
        if self.in_flight == 0 {
            self.progress = now;
        }
        self.in_flight += 1;
        if let Some(flying) = self.flying.get_mut(queue) {
            *flying += 1;
        }
        self.pacing.begin(now);
    }

    pub(super) fn wait(&mut self, queue: usize, parked: u32, job: J) {
        self.waiting.push_back(Waiting { queue, parked, job });
        if let Some(waiting) = self.waiting_of.get_mut(queue) {
            *waiting += 1;
        }
    }

    /// Takes out the job whose turn it is, and begins it.
    pub(super) fn start_next(&mut self, now: Instant) -> Option<J> {
        let next = self.take_first()?;
        self.start(next.queue, now);
        Some(next.job)
    }

    pub(super) fn take_first(&mut self) -> Option<Waiting<J>> {
        let first = self.waiting.pop_front()?;
        if let Some(waiting) = self.waiting_of.get_mut(first.queue) {
            *waiting -= 1;
        }
        Some(first)
    }

    fn take_last(&mut self) -> Option<Waiting<J>> {
        let last = self.waiting.pop_back()?;
        if let Some(waiting) = self.waiting_of.get_mut(last.queue) {
            *waiting -= 1;
        }
        Some(last)
    }

    /// A request has ended.
    pub(super) fn end(
        &mut self,
        queue: usize,
        feedback: Feedback,
        took: Duration,
        concurrency: Concurrency,
        now: Instant,
    ) {
        #[cfg(test)]
        let feedback = match feedback {
            Feedback::NothingAsked if faults::is_back(Fault::NothingAskedProves) => Feedback::Answered,
            other => other,
        };
        let in_flight = self.in_flight;
        let was_stalled = self.is_stalled(now);
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(flying) = self.flying.get_mut(queue) {
            *flying = flying.saturating_sub(1);
        }
        if feedback != Feedback::NothingAsked {
            if was_stalled {
                self.recovered = Some(now);
            }
            let began = now.checked_sub(took).unwrap_or(now);
            if self.recovered.is_some_and(|recovered| began < recovered) {
                self.limit.learn_after_hang(feedback, took);
            } else {
                self.limit.learn(feedback, took, in_flight, concurrency, now);
            }
            self.progress = now;
            if self.pacing.learn(feedback, took, now) {
                self.limit.shrink();
            }
        } else {
            self.pacing.was_not_made();
        }
        self.refresh(now);
    }

    /// For how long to park a job that was parked `times` before, where so many other silent endpoints have something parked.
    pub(super) fn park(&mut self, times: u32, others_parking: usize, max: usize, now: Instant) -> Delay {
        let [shortest, .., longest] = PARK_DELAYS;
        let is_known = self.time_for(1, max, now).is_some();
        let delay = match is_known && !self.is_silent() {
            // It answers: back while it is still busy, or it would stand idle meanwhile; but no sooner than it must, or
            // what has come back in vain is parked again.
            true => {
                let busy = self.busy_for(max, now);
                let keeps_busy = |delay: &&Delay| delay.as_duration() <= busy;
                PARK_DELAYS
                    .iter()
                    .rev()
                    .find(keeps_busy)
                    .copied()
                    .unwrap_or(shortest)
            }
            // It does not: longer each time, and so long that a mountain of them is not moved to and fro all the time.
            false => {
                // Each has its part of what may come back: one with few must not wait for another's mountain.
                let ahead = (self.returns.count() + 1).saturating_mul(others_parking + 1);
                let ahead = RETURN_EVERY.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX));
                let lasts = |delay: &&Delay| delay.as_duration() >= ahead;
                let steps = usize::try_from(times).unwrap_or(usize::MAX).min(MAX_STEPS);
                PARK_DELAYS
                    .iter()
                    .skip(steps)
                    .find(lasts)
                    .copied()
                    .unwrap_or(longest)
            }
        };
        self.returns.expect(now + delay.as_duration());
        delay
    }
}
