//! One lane: what its endpoint has in flight, what waits, and how long more would have to.

use std::collections::VecDeque;
use std::time::Duration;

use hookline_common::schedule::Delay;
use hookline_common::topology::PARK_DELAYS;
use tokio::time::Instant;

use super::Bounds;
use super::limit::{Limit, Sign};
use crate::settle::Source;

/// Requests in flight without an answer for so long mean that the endpoint hangs.
const STALLED_AFTER: Duration = Duration::from_secs(1);
/// Most endpoints answer within this time; one that has not shows nothing of itself in the next moment either.
const SOON: Duration = Duration::from_millis(100);
/// What is set aside for an endpoint that does not answer comes back no faster than one in this time.
const RETURN_EVERY: Duration = Duration::from_millis(5);

pub(super) struct Lane<J> {
    pub(super) limit: Limit,
    in_flight: usize,
    waiting: VecDeque<(Source, J)>,
    /// What is in flight or waits, by the working queue that it came from.
    held: [usize; 3],
    /// When a request last ended, or began while none was in flight.
    progress: Instant,
    /// How many are set aside on the broker, as far as this replica knows.
    parked: usize,
    /// Whether what is held counts among the unproven.
    counted_unproven: bool,
}

impl<J> Lane<J> {
    pub(super) fn new(limit: Limit, now: Instant) -> Self {
        Self {
            limit,
            in_flight: 0,
            waiting: VecDeque::new(),
            held: [0; 3],
            progress: now,
            parked: 0,
            counted_unproven: !limit.is_proven(),
        }
    }

    /// Whether the endpoint has yet to show that it answers, or to show it again.
    pub(super) fn is_unproven(&self) -> bool {
        self.counted_unproven
    }

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.waiting.is_empty()
    }

    /// Whether requests are in flight and none has ended for a while.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        self.in_flight > 0 && now.duration_since(self.progress) > STALLED_AFTER
    }

    /// Whether the endpoint is known not to answer, or has not for so long that it will hardly do so in the next moment.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.limit.is_failing() || self.in_flight > 0 && now.duration_since(self.progress) > SOON
    }

    /// What it holds of a working queue.
    pub(super) fn held(&self, source: Source) -> usize {
        self.held[source as usize]
    }

    /// Moves what is held to the right side of the books when the endpoint has begun or ceased to answer.
    pub(super) fn refresh(&mut self, now: Instant, unproven: &mut [usize; 3]) {
        let is_unproven = !self.limit.is_proven() || self.is_stalled(now);
        if is_unproven == self.counted_unproven {
            return;
        }
        self.counted_unproven = is_unproven;
        for (all, held) in unproven.iter_mut().zip(self.held) {
            *all = if is_unproven {
                *all + held
            } else {
                all.saturating_sub(held)
            };
        }
    }

    /// A job asks for a slot that was set aside before, so it is not any more.
    pub(super) fn returned(&mut self, times: u32) {
        if times > 0 {
            self.parked = self.parked.saturating_sub(1);
        }
    }

    pub(super) fn has_slot(&self, most: usize) -> bool {
        self.waiting.is_empty() && self.in_flight < self.limit.slots(most)
    }

    /// Whether one more would have its turn before the shortest park time is over.
    pub(super) fn has_room(&self, source: Source, bounds: Bounds) -> bool {
        if self.waiting.len() >= bounds.waiting(source) {
            return false;
        }
        match self.limit.time_for(self.waiting.len() + 1, bounds.concurrency) {
            // Nothing has ended yet: it may wait until the lane is found to stall.
            None => true,
            Some(wait) => !self.counted_unproven && wait <= PARK_DELAYS[0].as_duration(),
        }
    }

    pub(super) fn start(&mut self, source: Source, unproven: &mut [usize; 3], now: Instant) {
        if self.in_flight == 0 {
            self.progress = now;
        }
        self.in_flight += 1;
        self.hold(source, unproven);
    }

    pub(super) fn wait(&mut self, source: Source, job: J, unproven: &mut [usize; 3]) {
        self.waiting.push_back((source, job));
        self.hold(source, unproven);
    }

    /// A request has ended.
    pub(super) fn end(
        &mut self,
        source: Source,
        sign: Sign,
        took: Duration,
        most: usize,
        unproven: &mut [usize; 3],
        now: Instant,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.let_go(source, unproven);
        self.limit.learn(sign, took, most);
        self.progress = now;
        self.refresh(now, unproven);
    }

    /// The next to start, if there is a slot for it. What it holds is in the books already.
    pub(super) fn next(&mut self, most: usize, now: Instant) -> Option<J> {
        if self.in_flight >= self.limit.slots(most) {
            return None;
        }
        let (_, job) = self.waiting.pop_front()?;
        if self.in_flight == 0 {
            self.progress = now;
        }
        self.in_flight += 1;
        Some(job)
    }

    /// Takes out what waits.
    pub(super) fn take_waiting(&mut self, unproven: &mut [usize; 3]) -> Vec<J> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut jobs = Vec::with_capacity(waiting.len());
        for (source, job) in waiting {
            self.let_go(source, unproven);
            jobs.push(job);
        }
        jobs
    }

    /// For how long to set a job aside that was set aside `times` before.
    pub(super) fn park(&mut self, times: u32, most: usize) -> Delay {
        self.parked += 1;
        let [shortest, .., longest] = PARK_DELAYS;
        match self.limit.time_for(self.parked, most) {
            // It answers: no longer than it needs for those ahead, or it would stand idle meanwhile.
            Some(ahead) if !self.counted_unproven => {
                let fits = |delay: &&Delay| delay.as_duration() <= ahead;
                PARK_DELAYS.iter().rev().find(fits).copied().unwrap_or(shortest)
            }
            // It does not: longer each time, and so long that a mountain of them is not moved to and fro all the time.
            _ => {
                let ahead = RETURN_EVERY.saturating_mul(u32::try_from(self.parked).unwrap_or(u32::MAX));
                let lasts = |delay: &&Delay| delay.as_duration() >= ahead;
                let times = usize::try_from(times).unwrap_or(usize::MAX);
                let next = PARK_DELAYS.iter().skip(times).find(lasts);
                next.copied().unwrap_or(longest)
            }
        }
    }

    fn hold(&mut self, source: Source, unproven: &mut [usize; 3]) {
        self.held[source as usize] += 1;
        if self.counted_unproven {
            unproven[source as usize] += 1;
        }
    }

    fn let_go(&mut self, source: Source, unproven: &mut [usize; 3]) {
        let held = &mut self.held[source as usize];
        *held = held.saturating_sub(1);
        if self.counted_unproven {
            let all = &mut unproven[source as usize];
            *all = all.saturating_sub(1);
        }
    }
}
