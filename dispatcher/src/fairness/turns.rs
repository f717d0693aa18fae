//! Whose turn it is: endpoints stand in line for a connection, or are looked at again when a hold or a pace is over.
//!
//! There are two lines, since endpoints without proof get half of the connections at most: what stands in their line must
//! not hold up the others, nor the other way round.

use std::collections::VecDeque;
use std::hash::Hash;

use tokio::time::Instant;

#[cfg(test)]
use super::faults::{self, Fault};
use super::state::State;

/// The line of endpoints that answer, and the line of those that share half.
const PROVEN: usize = 0;
const LIMITED: usize = 1;

impl<K: Eq + Hash + Clone, J> State<K, J> {
    /// Begins what this endpoint may begin, or puts it in line for that.
    pub(super) fn advance(&mut self, key: &K, now: Instant, start: &mut Vec<J>) {
        let max = self.bounds.concurrency.max;
        while self.lines.iter().all(VecDeque::is_empty) {
            let Some(queue) = self.queues.get(key) else { return };
            let may_start = queue.can_start(max, now) && self.has_connection(queue.is_limited());
            let next = may_start
                .then(|| self.update(key, |queue| queue.start_next(now)).flatten())
                .flatten();
            let Some(job) = next else { break };
            start.push(job);
            #[cfg(test)]
            if faults::is_back(Fault::OneForOne) {
                return;
            }
        }
        self.line_up(key, now);
    }

    /// Puts an endpoint in line for a connection, or sees to it that it is looked at when its hold or pace allows.
    pub(super) fn line_up(&mut self, key: &K, now: Instant) {
        let max = self.bounds.concurrency.max;
        let Some(queue) = self.queues.get_mut(key) else {
            return;
        };
        let right = if queue.is_limited() { LIMITED } else { PROVEN };
        // One that was proven, or no longer is, while it stood in line changes to the other, which may be served sooner.
        if let Some(line) = queue.line
            && line != right
            && let Some(keys) = self.lines.get_mut(line)
        {
            keys.retain(|other| other != key);
            queue.line = None;
        }
        if queue.waiting.is_empty() || queue.line.is_some() || !queue.has_slot(max) {
            return;
        }
        if queue.pacing.is_ready(now) {
            queue.line = Some(right);
            if let Some(keys) = self.lines.get_mut(right) {
                keys.push_back(key.clone());
            }
            return;
        }
        queue.pacing.made_wait(now);
        let at = queue.pacing.ready_at();
        self.wake(key, at);
    }

    /// Sees to it that an endpoint is looked at by the first tick from `at` on.
    pub(super) fn wake(&mut self, key: &K, at: Instant) {
        let Some(queue) = self.queues.get_mut(key) else {
            return;
        };
        if queue.wake_at.is_none_or(|wake_at| at < wake_at) {
            queue.wake_at = Some(at);
            self.wake_number += 1;
            self.wakes.insert((at, self.wake_number), key.clone());
        }
    }

    /// Hands out connections in turn: each endpoint in line begins one job, and stands in line again for the next.
    pub(super) fn serve_lines(&mut self, now: Instant, start: &mut Vec<J>) {
        #[cfg(test)]
        if faults::is_back(Fault::NoLine) {
            return;
        }
        let max = self.bounds.concurrency.max;
        while let Some(line) = self.line_to_serve() {
            let Some(key) = self.lines.get_mut(line).and_then(VecDeque::pop_front) else {
                return;
            };
            self.turn = 1 - line;
            let job = self.update(&key, |queue| {
                queue.line = None;
                // A hang that was noticed since makes it another's kind.
                let is_right = queue.is_limited() == (line == LIMITED);
                (is_right && queue.can_start(max, now))
                    .then(|| queue.start_next(now))
                    .flatten()
            });
            start.extend(job.flatten());
            self.line_up(&key, now);
        }
    }

    fn line_to_serve(&self) -> Option<usize> {
        let can_serve = |line: usize| {
            self.lines.get(line).is_some_and(|line| !line.is_empty()) && self.has_connection(line == LIMITED)
        };
        [self.turn, 1 - self.turn]
            .into_iter()
            .find(|line| can_serve(*line))
    }

    pub(super) fn has_connection(&self, is_limited: bool) -> bool {
        let connections = self.bounds.connections.max(1);
        #[cfg(test)]
        if faults::is_back(Fault::NoConnections) {
            return true;
        }
        self.holdings.in_flight < connections
            && (!is_limited || self.holdings.limited_in_flight < (connections / 2).max(1))
    }
}
