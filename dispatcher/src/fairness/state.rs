//! The queues of all endpoints and what they hold together: what becomes of a job, of an answer, of the time that passes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use super::endpoint_queue::{Class, EndpointQueue};
#[cfg(test)]
use super::faults::{self, Fault};
use super::feedback::Feedback;
use super::holdings::Holdings;
use super::memory::{Memory, Remembered};
use super::terms::{Admission, Bounds, Due, JobInfo, MAX_QUEUES, Overview};
use super::window::{LATELY, Window};
use super::witnesses::Witnesses;

/// How long new endpoints are given to show whether they answer, before what is for one more is parked.
const GET_TO_KNOW: Duration = Duration::from_millis(100);
/// How often every queue is looked at: for what hangs, and for what can be forgotten.
const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// In tests the same each time, so that what a seed plays can be played again.
#[cfg(not(test))]
type Hashed = std::hash::RandomState;
#[cfg(test)]
type Hashed = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

pub(super) struct State<K, J> {
    pub(super) bounds: Bounds,
    pub(super) queues: HashMap<K, EndpointQueue<J>, Hashed>,
    pub(super) holdings: Holdings,
    pub(super) windows: Vec<Window>,
    memory: Memory,
    /// Who was served of late from any working queue.
    witnesses: Witnesses,
    /// Endpoints that could begin something if there was a connection: proven ones, and those that share half.
    pub(super) lines: [VecDeque<K>; 2],
    /// Whose turn it is where both could begin.
    pub(super) turn: usize,
    /// Endpoints that could begin something at a later time.
    pub(super) wakes: BTreeMap<(Instant, u64), K>,
    pub(super) wake_number: u64,
    next_sweep: Instant,
}

/// What becomes of a job.
enum Verdict {
    Start,
    Wait,
    Park,
    Hold,
    HoldCrowded,
}

impl<K: Eq + Hash + Clone, J> State<K, J> {
    pub(super) fn new(mut bounds: Bounds, now: Instant) -> Self {
        bounds.windows.truncate(MAX_QUEUES);
        Self {
            queues: HashMap::default(),
            holdings: Holdings::default(),
            windows: bounds.windows.iter().map(|size| Window::new(*size)).collect(),
            memory: Memory::default(),
            witnesses: Witnesses::default(),
            lines: [VecDeque::new(), VecDeque::new()],
            turn: 0,
            wakes: BTreeMap::new(),
            wake_number: 0,
            next_sweep: now + SWEEP_EVERY,
            bounds,
        }
    }

    pub(super) fn resized(&mut self, queue: usize, size: usize, beside: usize) {
        if let Some(window) = self.windows.get_mut(queue) {
            window.resized(size, beside);
        }
    }

    pub(super) fn admit(&mut self, key: &K, info: JobInfo, job: J, now: Instant) -> Admission<J> {
        let Some(window) = self.windows.get(info.queue) else {
            return Admission::Start(job);
        };
        let is_first_time = !window.is_holding;
        let rate = self.rate_here(info.rate);
        if is_first_time && let Some(window) = self.windows.get_mut(info.queue) {
            window.came();
        }
        if !self.queues.contains_key(key) {
            let known = self.memory.recall(key);
            let queue = EndpointQueue::new(known, self.bounds.concurrency, now);
            self.queues.insert(key.clone(), queue);
        }
        let is_other_rate = self.update(key, |queue| {
            let is_other_rate = queue.pacing.allow(rate);
            if is_first_time && info.parked > 0 {
                queue.returns.came_back(now);
            }
            queue.refresh(now);
            is_other_rate
        });
        if is_other_rate == Some(true) {
            // What waits may begin sooner than it is to be looked at.
            self.wake(key, now);
        }
        let verdict = self.judge(key, info.queue, now);
        if let Some(window) = self.windows.get_mut(info.queue) {
            match verdict {
                Verdict::Hold => window.hold(now),
                Verdict::HoldCrowded => window.hold_crowded(now),
                _ => window.took(),
            }
        }
        match verdict {
            Verdict::Start => {
                self.update(key, |queue| queue.start(info.queue, now));
                Admission::Start(job)
            }
            Verdict::Wait => {
                self.wait(key, info, job, now);
                Admission::Wait
            }
            Verdict::Park => self.park(key, info, job, now),
            Verdict::Hold | Verdict::HoldCrowded => {
                self.forget_if_idle(key, now);
                Admission::Hold(job)
            }
        }
    }

    /// Decides what becomes of one more job, and changes nothing.
    fn judge(&self, key: &K, from: usize, now: Instant) -> Verdict {
        let (Some(queue), Some(window)) = (self.queues.get(key), self.windows.get(from)) else {
            return Verdict::Start;
        };
        let count = |counts: &[usize; MAX_QUEUES]| counts.get(from).copied().unwrap_or_default();
        let max = self.bounds.concurrency.max;
        let has_share = !queue.is_limited() || count(&self.holdings.limited) < window.limited();
        #[cfg(test)]
        let has_share = has_share || faults::is_back(Fault::NoShare);
        let has_turn = queue.waiting.is_empty() && queue.can_start(max, now);
        if has_share && has_turn && self.has_connection(queue.is_limited()) {
            return Verdict::Start;
        }
        if queue.is_silent() {
            return Verdict::Park;
        }
        if !has_share {
            let is_new = queue.is_unknown() && !queue.is_quiet(now);
            let may_soon = window
                .newcomer
                .is_none_or(|since| now.saturating_duration_since(since) < GET_TO_KNOW);
            let held_by_quiet = || window.held_by_quiet(now, || self.held_by_quiet(from, now));
            let will_show = is_new && may_soon && window.may_show(held_by_quiet());
            return if will_show { Verdict::Hold } else { Verdict::Park };
        }
        if !queue.is_turn_near(max, now) {
            return Verdict::Park;
        }
        let waiting = count(&self.holdings.waiting);
        if window.has_room(waiting, queue.waiting_of(from)) {
            return Verdict::Wait;
        }
        let is_far = queue.is_turn_far(max, now);
        if window.should_park(self.memory.hash(key), waiting, is_far, now) {
            Verdict::Park
        } else {
            Verdict::HoldCrowded
        }
    }

    fn wait(&mut self, key: &K, info: JobInfo, job: J, now: Instant) {
        let is_first = self.queues.get(key).is_some_and(|queue| queue.waiting.is_empty());
        if is_first {
            let hash = self.memory.hash(key);
            self.windows.iter_mut().for_each(|window| window.is_queued(hash));
            self.witnesses.is_queued(hash);
        }
        self.update(key, |queue| queue.wait(info.queue, info.parked, job));
        if let Some(window) = self.windows.get_mut(info.queue) {
            window.waits(self.holdings.waiting.get(info.queue).copied().unwrap_or_default());
        }
        if is_first {
            self.line_up(key, now);
        }
    }

    fn park(&mut self, key: &K, info: JobInfo, job: J, now: Instant) -> Admission<J> {
        let parking = self.holdings.silent_parking;
        let max = self.bounds.concurrency.max;
        let delay = self.update(key, |queue| {
            let others = parking.saturating_sub(queue.holdings().silent_parking);
            queue.park(info.parked, others, max, now)
        });
        if let Some(window) = self.windows.get_mut(info.queue) {
            window.parked();
        }
        match delay {
            Some(delay) => Admission::Park(job, delay),
            None => Admission::Start(job),
        }
    }

    pub(super) fn release(
        &mut self,
        key: &K,
        from: usize,
        feedback: Feedback,
        took: Duration,
        now: Instant,
    ) -> Vec<J> {
        let concurrency = self.bounds.concurrency;
        let is_lone = self.update(key, |queue| {
            queue.end(from, feedback, took, concurrency, now);
            queue.waiting.is_empty() && feedback.is_accepted()
        });
        let lone = is_lone.unwrap_or_default().then(|| self.memory.hash(key));
        if let Some(lone) = lone {
            self.witnesses.saw(lone, now);
        }
        if let Some(window) = self.windows.get_mut(from) {
            window.ended(lone, now);
        }
        let mut start = Vec::new();
        self.advance(key, now, &mut start);
        self.serve_lines(now, &mut start);
        self.forget_if_idle(key, now);
        start
    }

    pub(super) fn tick(&mut self, now: Instant) -> Due<J> {
        let mut due = Due {
            start: Vec::new(),
            park: Vec::new(),
        };
        while let Some(entry) = self.wakes.first_entry()
            && entry.key().0 <= now
        {
            let ((at, _), key) = entry.remove_entry();
            let is_current = self
                .queues
                .get(&key)
                .is_some_and(|queue| queue.wake_at == Some(at));
            #[cfg(test)]
            let is_current = is_current && !faults::is_back(Fault::NoWake);
            if is_current {
                self.update(&key, |queue| queue.wake_at = None);
                self.advance(&key, now, &mut due.start);
            }
        }
        if self.next_sweep <= now {
            self.next_sweep = now + SWEEP_EVERY;
            self.sweep(now, &mut due);
        }
        self.serve_lines(now, &mut due.start);
        due
    }

    /// Looks at every queue: parks what waits for endpoints that hang or have too little time for it, and forgets what is idle.
    fn sweep(&mut self, now: Instant, due: &mut Due<J>) {
        let max = self.bounds.concurrency.max;
        let Self {
            queues,
            holdings,
            memory,
            windows,
            ..
        } = self;
        queues.retain(|key, queue| {
            if queue.is_idle() {
                return is_kept(key, queue, memory, now);
            }
            let before = queue.holdings();
            queue.refresh(now);
            #[cfg(test)]
            let before = if faults::is_back(Fault::NotRecounted) {
                queue.holdings()
            } else {
                before
            };
            queue.returns.expire(now);
            #[cfg(test)]
            if queue.is_silent() && faults::is_back(Fault::DroppedWhenParked) {
                while queue.take_first().is_some() {}
            }
            let others = holdings.silent_parking.saturating_sub(before.silent_parking);
            for (waiting, delay) in queue.give_up_waiting(others, max, now) {
                if let Some(window) = windows.get_mut(waiting.queue) {
                    window.parked();
                }
                due.park.push((waiting.job, delay));
            }
            holdings.replace(&before, &queue.holdings());
            is_kept(key, queue, memory, now)
        });
    }

    /// Counts endpoints by how they fare.
    pub(super) fn overview(&self, now: Instant) -> Overview {
        let max = self.bounds.concurrency.max;
        let mut overview = Overview {
            waiting: self.holdings.waiting.iter().sum(),
            ..Overview::default()
        };
        for queue in self.queues.values() {
            let of_its_kind = match queue.class() {
                Class::Proven => &mut overview.proven,
                Class::Limited => &mut overview.limited,
                Class::Silent => &mut overview.silent,
            };
            *of_its_kind += 1;
            overview.held += usize::from(queue.pacing.hold(now) > Duration::ZERO);
            overview.slots += queue.limit.slots(max);
        }
        overview
    }

    pub(super) fn takes_its_time(&self, key: &K) -> bool {
        self.queues
            .get(key)
            .is_some_and(|queue| queue.limit.takes_its_time())
    }

    pub(super) fn observe(&mut self, from: usize, ready: u64, consumers: u32, now: Instant) {
        let sees_publishing = from != self.bounds.due;
        let others = self.witnesses.last_but(None, LATELY, now);
        if let Some(window) = self.windows.get_mut(from) {
            window.observe(ready, consumers, sees_publishing, others, now);
        }
    }

    pub(super) fn take_waiting(&mut self) -> Vec<J> {
        let mut jobs = Vec::new();
        for queue in self.queues.values_mut() {
            let before = queue.holdings();
            while let Some(waiting) = queue.take_first() {
                jobs.push(waiting.job);
            }
            queue.line = None;
            self.holdings.replace(&before, &queue.holdings());
        }
        self.lines.iter_mut().for_each(VecDeque::clear);
        jobs
    }

    pub(super) fn next_tick(&self) -> Instant {
        let first = self.wakes.first_key_value().map(|((at, _), _)| *at);
        first.map_or(self.next_sweep, |at| at.min(self.next_sweep))
    }

    /// Whether a job that is held may get another answer.
    pub(super) fn is_worth_asking(&self) -> bool {
        let windows = self.windows.iter().zip(self.holdings.waiting);
        windows
            .into_iter()
            .any(|(window, waiting)| window.is_worth_asking(waiting))
    }

    /// What endpoints that hardly answer in the next moment hold of a working queue.
    fn held_by_quiet(&self, from: usize, now: Instant) -> usize {
        let quiet = self.queues.values().filter(|queue| queue.is_quiet(now));
        quiet.map(|queue| queue.held(from)).sum()
    }

    /// This replica's part of an owner's rate: each consumer of a working queue is a replica.
    fn rate_here(&self, rate: Option<f64>) -> Option<f32> {
        let replicas = self.windows.iter().map(|window| window.consumers).max();
        #[expect(clippy::cast_possible_truncation, reason = "a rate needs no more digits")]
        rate.map(|rate| (rate / f64::from(replicas.unwrap_or_default().max(1))) as f32)
    }

    fn forget_if_idle(&mut self, key: &K, now: Instant) {
        if let Some(queue) = self.queues.get(key)
            && queue.is_forgettable(now)
        {
            self.memory.remember(key, remembered(queue));
            self.queues.remove(key);
        }
    }

    /// What is known of an endpoint, in hand or not.
    #[cfg(test)]
    pub(super) fn health_of(&self, key: &K) -> Option<super::limit::Health> {
        let known = self.memory.peek(key).map(|known| known.limit.health());
        self.queues.get(key).map(|queue| queue.limit.health()).or(known)
    }

    /// Changes a queue and what all hold together.
    pub(super) fn update<R>(
        &mut self,
        key: &K,
        change: impl FnOnce(&mut EndpointQueue<J>) -> R,
    ) -> Option<R> {
        let queue = self.queues.get_mut(key)?;
        let before = queue.holdings();
        let result = change(queue);
        self.holdings.replace(&before, &queue.holdings());
        Some(result)
    }
}

/// Whether a queue is to stay; else what is worth knowing of it is remembered.
fn is_kept<K: Hash, J>(key: &K, queue: &EndpointQueue<J>, memory: &mut Memory, now: Instant) -> bool {
    let is_kept = !queue.is_forgettable(now);
    if !is_kept {
        memory.remember(key, remembered(queue));
    }
    is_kept
}

fn remembered<J>(queue: &EndpointQueue<J>) -> Remembered {
    Remembered {
        limit: queue.limit.summary(),
        pace: queue.pacing.pace(),
    }
}
