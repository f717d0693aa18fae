//! Fairness between endpoints: each has a lane of its own, with a few requests in flight and a short queue.
//!
//! Three things keep an endpoint that hangs from being anyone else's problem. Its requests in flight are limited, and
//! the limit follows what it bears. What would wait longer than the shortest park time is set aside on the
//! broker. And all endpoints together that have not shown of late that they answer hold at most half of a window, so
//! that even more hung endpoints than the window is wide leave room for the others.
//!
//! Nothing is skipped: what is set aside comes back, without an attempt spent. Pure but for the lock; what is decided
//! here is carried out in `deliver.rs`.

mod limit;
mod memory;
mod queue;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_common::schedule::Delay;
use tokio::time::Instant;

use self::limit::Limit;
pub use self::limit::Sign;
use self::memory::Memory;
use self::queue::Lane;
use crate::settle::Source;

/// What to do with a job.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission<J> {
    /// There is a slot: start it.
    Start(J),
    /// It waits in the lane and is handed out when a slot is free.
    Waits,
    /// It would wait too long: set it aside on the broker.
    Park(J, Delay),
    /// Endpoints that nothing is known of yet hold all that they may, and are about to show what they are: ask again in
    /// a moment.
    Later(J),
}

/// What the lanes of one dispatcher may hold.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Requests in flight per endpoint at most.
    pub concurrency: usize,
    /// Unacknowledged messages at most, of each working queue.
    pub windows: [usize; 3],
}

impl Bounds {
    /// Messages of one working queue that endpoints without proof hold at most.
    fn unproven(self, source: Source) -> usize {
        (self.windows[source as usize] / 2).max(1)
    }

    /// Deliveries that wait in one lane at most, however quick it is, for another from this queue to join them.
    fn waiting(self, source: Source) -> usize {
        (self.windows[source as usize] * 2 / 5).max(1)
    }
}

/// One lane for each endpoint that has anything in hand. Of idle ones a few bytes are remembered, for so many at most.
pub struct Lanes<K, J> {
    bounds: Bounds,
    state: Mutex<State<K, J>>,
}

struct State<K, J> {
    lanes: HashMap<K, Lane<J>>,
    memory: Memory,
    /// What lanes without proof hold of each working queue.
    unproven: [usize; 3],
}

impl<K: Eq + Hash + Clone, J> Lanes<K, J> {
    /// Lanes within these bounds.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let state = State {
            lanes: HashMap::new(),
            memory: Memory::default(),
            unproven: [0; 3],
        };
        Self {
            bounds,
            state: Mutex::new(state),
        }
    }

    /// Asks for a slot in the lane of `key` for a job that was set aside `parked` times before. [`Admission::Later`] is
    /// an answer only where the job `may_wait`.
    pub fn admit(
        &self,
        key: &K,
        source: Source,
        job: J,
        parked: u32,
        may_wait: bool,
        now: Instant,
    ) -> Admission<J> {
        let mut state = self.lock();
        let State {
            lanes,
            memory,
            unproven,
        } = &mut *state;
        if !lanes.contains_key(key) {
            let limit = memory.recall(key).unwrap_or_else(Limit::unknown);
            lanes.insert(key.clone(), Lane::new(limit, now));
        }
        let Some(lane) = lanes.get_mut(key) else {
            return Admission::Start(job);
        };
        lane.returned(parked);
        lane.refresh(now, unproven);
        let has_share = !lane.is_unproven() || unproven[source as usize] < self.bounds.unproven(source);
        if has_share && lane.has_slot(self.bounds.concurrency) {
            lane.start(source, unproven, now);
            return Admission::Start(job);
        }
        if has_share && lane.has_room(source, self.bounds) {
            lane.wait(source, job, unproven);
            return Admission::Waits;
        }
        let is_new = !has_share && !lane.is_silent(now);
        if is_new && may_wait && self.bounds.unproven(source) > 2 * held_by_silent(lanes, source, now) {
            if lanes.get(key).is_some_and(Lane::is_idle) {
                lanes.remove(key);
            }
            return Admission::Later(job);
        }
        let Some(lane) = lanes.get_mut(key) else {
            return Admission::Start(job);
        };
        let delay = lane.park(parked, self.bounds.concurrency);
        if lane.is_idle() {
            memory.remember(key, lane.limit);
            lanes.remove(key);
        }
        Admission::Park(job, delay)
    }

    /// Gives a slot back after a request that took `took` and showed `sign`; what of the waiting is to start now: two
    /// where the limit has grown, none where it has shrunk.
    pub fn release(&self, key: &K, source: Source, sign: Sign, took: Duration, now: Instant) -> Vec<J> {
        let mut state = self.lock();
        let State {
            lanes,
            memory,
            unproven,
        } = &mut *state;
        let Some(lane) = lanes.get_mut(key) else {
            return Vec::new();
        };
        lane.end(source, sign, took, self.bounds.concurrency, unproven, now);
        let next: Vec<J> = std::iter::from_fn(|| lane.next(self.bounds.concurrency, now)).collect();
        if lane.is_idle() {
            memory.remember(key, lane.limit);
            lanes.remove(key);
        }
        next
    }

    /// What waits behind requests that hang: to be set aside, each for the time that goes with how often it was set
    /// aside before, which `parked` tells.
    pub fn stuck(&self, parked: impl Fn(&J) -> u32, now: Instant) -> Vec<(J, Delay)> {
        let mut state = self.lock();
        let State { lanes, unproven, .. } = &mut *state;
        let mut stuck = Vec::new();
        for lane in lanes.values_mut() {
            lane.refresh(now, unproven);
            if lane.is_stalled(now) {
                for job in lane.take_waiting(unproven) {
                    let delay = lane.park(parked(&job), self.bounds.concurrency);
                    stuck.push((job, delay));
                }
            }
        }
        stuck
    }

    /// Drops what waits in every lane.
    pub fn clear_waiting(&self) {
        let mut state = self.lock();
        let State { lanes, unproven, .. } = &mut *state;
        lanes
            .values_mut()
            .for_each(|lane| drop(lane.take_waiting(unproven)));
    }

    /// A panic elsewhere leaves counts that are still sound: every change under the lock is whole.
    fn lock(&self) -> MutexGuard<'_, State<K, J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What endpoints that do not answer hold of a working queue.
fn held_by_silent<K, J>(lanes: &HashMap<K, Lane<J>>, source: Source, now: Instant) -> usize {
    lanes
        .values()
        .filter(|lane| lane.is_silent(now))
        .map(|lane| lane.held(source))
        .sum()
}

#[cfg(test)]
mod tests;
