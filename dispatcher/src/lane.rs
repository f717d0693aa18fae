//! Fairness between endpoints: each has a lane of its own, with a few requests in flight and a short queue.
//!
//! What would wait in a lane longer than the shortest park time is set aside on the broker instead, so that an
//! endpoint that hangs holds its own few slots and nothing of anyone else's. Pure but for the lock: what is
//! decided here is carried out in `deliver.rs`.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_common::schedule::Delay;
use hookline_common::topology::PARK_DELAYS;

/// What to do with a job.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission<J> {
    /// There is a slot: start it.
    Start(J),
    /// It waits in the lane and is handed out when a slot is free.
    Waits,
    /// It would wait too long: set it aside on the broker.
    Park(J),
}

/// One lane for each endpoint that has anything in flight; idle ones take no memory.
pub struct Lanes<K, J> {
    slots: usize,
    lanes: Mutex<HashMap<K, Lane<J>>>,
}

struct Lane<J> {
    in_flight: usize,
    waiting: VecDeque<J>,
    /// How long a request takes of late; unknown until one has ended.
    pace: Option<Duration>,
}

impl<K: Eq + Hash + Clone, J> Lanes<K, J> {
    /// Lanes with `slots` requests in flight each at most.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self {
            slots,
            lanes: Mutex::new(HashMap::new()),
        }
    }

    /// Asks for a slot in the lane of `key`.
    pub fn admit(&self, key: &K, job: J) -> Admission<J> {
        let mut lanes = self.lock();
        let Some(lane) = lanes.get_mut(key) else {
            lanes.insert(
                key.clone(),
                Lane {
                    in_flight: 1,
                    waiting: VecDeque::new(),
                    pace: None,
                },
            );
            return Admission::Start(job);
        };
        if lane.in_flight < self.slots {
            lane.in_flight += 1;
            return Admission::Start(job);
        }
        if lane.has_room(self.slots) {
            lane.waiting.push_back(job);
            return Admission::Waits;
        }
        Admission::Park(job)
    }

    /// Gives a slot back after a request that took `took`; the job that gets the slot next, if one waits.
    pub fn release(&self, key: &K, took: Duration) -> Option<J> {
        let mut lanes = self.lock();
        let lane = lanes.get_mut(key)?;
        lane.pace = Some(lane.pace.map_or(took, |pace| (pace * 7 + took) / 8));
        if let Some(job) = lane.waiting.pop_front() {
            return Some(job);
        }
        lane.in_flight -= 1;
        if lane.in_flight == 0 {
            lanes.remove(key);
        }
        None
    }

    /// Drops what waits in every lane.
    pub fn clear_waiting(&self) {
        self.lock().values_mut().for_each(|lane| lane.waiting.clear());
    }

    /// A panic elsewhere leaves counts that are still sound: every change under the lock is whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Lane<J>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Lane<J> {
    /// Whether one more would have its turn before the shortest park time is over.
    fn has_room(&self, slots: usize) -> bool {
        match self.pace {
            // Nothing has come back yet: as many may wait as are in flight, in the hope that they are quick.
            None => self.waiting.len() < slots,
            Some(pace) => {
                let turns = u32::try_from(self.waiting.len() / slots + 1).unwrap_or(u32::MAX);
                pace.saturating_mul(turns) <= PARK_DELAYS[0].as_duration()
            }
        }
    }
}

/// How long to set a delivery aside that was set aside `times` before: a few seconds at first.
#[must_use]
pub fn park_delay(times: u32) -> Delay {
    let step = usize::try_from(times).unwrap_or(usize::MAX);
    PARK_DELAYS[step.min(PARK_DELAYS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(100);
    const HUNG: Duration = Duration::from_secs(30);

    #[test]
    fn a_lane_starts_what_it_has_slots_for_and_hands_them_on_in_order() {
        let lanes = Lanes::new(2);
        assert_eq!(lanes.admit(&"a", 1), Admission::Start(1));
        assert_eq!(lanes.admit(&"a", 2), Admission::Start(2));
        assert_eq!(lanes.admit(&"a", 3), Admission::Waits);
        assert_eq!(lanes.admit(&"b", 4), Admission::Start(4));
        assert_eq!(lanes.release(&"a", FAST), Some(3));
        assert_eq!(lanes.release(&"a", FAST), None);
    }

    #[test]
    fn an_endpoint_that_never_answered_holds_only_its_slots_and_as_many_waiting() {
        let lanes = Lanes::new(4);
        let admitted: Vec<_> = (0..20).map(|job| lanes.admit(&"hung", job)).collect();
        let count = |wanted: fn(&Admission<i32>) -> bool| admitted.iter().filter(|a| wanted(a)).count();
        assert_eq!(count(|a| matches!(a, Admission::Start(_))), 4);
        assert_eq!(count(|a| matches!(a, Admission::Waits)), 4);
        assert_eq!(count(|a| matches!(a, Admission::Park(_))), 12);
    }

    #[test]
    fn an_endpoint_that_answers_in_100_ms_with_200_waiting_is_never_parked() {
        let lanes = Lanes::new(32);
        lanes.admit(&"quick", 0);
        for job in 1..=32 {
            lanes.admit(&"quick", job);
        }
        lanes.release(&"quick", FAST);
        for job in 0..200 {
            assert!(!matches!(lanes.admit(&"quick", job), Admission::Park(_)), "{job}");
        }
    }

    #[test]
    fn an_endpoint_that_times_out_parks_what_comes_next() {
        let lanes = Lanes::new(1);
        lanes.admit(&"hung", 0);
        lanes.admit(&"hung", 1);
        assert_eq!(lanes.release(&"hung", HUNG), Some(1));
        assert_eq!(lanes.admit(&"hung", 2), Admission::Park(2));
    }

    #[test]
    fn idle_lanes_take_no_memory() {
        let lanes = Lanes::new(1);
        for key in 0..1000 {
            lanes.admit(&key, ());
            assert_eq!(lanes.release(&key, FAST), None);
        }
        assert!(lanes.lock().is_empty());
    }

    #[test]
    fn parking_grows_longer_and_stays_bounded() {
        let seconds: Vec<u32> = (0..5).map(|times| park_delay(times).as_seconds()).collect();
        assert_eq!(seconds, [2, 10, 60, 60, 60]);
    }
}
