//! How long the oldest message of a queue has stood there, at most. The broker does not tell; its depth does, looked at again and
//! again: where as many messages have left since a look as stood there then, all of those are gone, and whatever stands there now
//! came later. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Looks that are remembered: an hour of them. Beyond that it is counted from the oldest that still holds.
const MAX_LOOKS: usize = 720;

/// What is known of one queue.
#[derive(Debug)]
pub(crate) struct QueueAge {
    /// Everything that stands there came after this.
    since: Instant,
    depth: u64,
    /// Messages that were seen to leave, all in all: at least as many did.
    left: u64,
    /// Looks, the oldest first, and how many must have left for all that stood there then to be gone.
    looks: VecDeque<(Instant, u64)>,
}

impl QueueAge {
    /// The first look. Nothing is known of what stands there but that it was there before.
    pub(crate) fn new(depth: u64, now: Instant) -> Self {
        Self {
            since: now,
            depth,
            left: 0,
            looks: VecDeque::from([(now, depth)]),
        }
    }

    /// Another look.
    pub(crate) fn look(&mut self, depth: u64, now: Instant) {
        self.left += self.depth.saturating_sub(depth);
        self.depth = depth;
        if depth == 0 {
            self.looks.clear();
            self.since = now;
            return;
        }
        // A later look may be through before an earlier one is seen to be: the latest counts.
        if let Some(through) = self.looks.iter().rposition(|(_, gone)| *gone <= self.left) {
            let passed = self.looks.drain(..=through).next_back();
            self.since = passed.map_or(self.since, |(at, _)| at);
        }
        if self.looks.len() < MAX_LOOKS {
            self.looks.push_back((now, self.left + depth));
        }
    }

    /// How many stand there.
    pub(crate) fn depth(&self) -> u64 {
        self.depth
    }

    /// How long the oldest has stood there at most, or since the first look.
    pub(crate) fn oldest(&self, now: Instant) -> Duration {
        if self.depth == 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue, looked at every five seconds.
    struct Watched {
        age: QueueAge,
        now: Instant,
    }

    impl Watched {
        fn of(depth: u64) -> Self {
            let now = Instant::now();
            let age = QueueAge::new(depth, now);
            Self { age, now }
        }

        fn look(&mut self, depth: u64) -> u64 {
            self.now += Duration::from_secs(5);
            self.age.look(depth, self.now);
            self.age.oldest(self.now).as_secs()
        }
    }

    #[test]
    fn an_empty_queue_has_no_oldest_and_a_filling_one_grows_old() {
        let mut queue = Watched::of(0);
        assert_eq!(queue.look(0), 0);
        assert_eq!(queue.look(10), 5, "it came after the last look");
        assert_eq!((queue.look(10), queue.look(20)), (10, 15));
        assert_eq!(queue.look(0), 0);
        assert_eq!(queue.look(1), 5);
    }

    #[test]
    fn what_stood_there_is_gone_when_as_many_have_left() {
        let mut queue = Watched::of(0);
        queue.look(100);
        queue.look(60);
        assert_eq!(queue.look(90), 15, "40 of the first 100 have left");
        queue.look(20);
        // 110 have left, 70 of them since the third look: the 60 that stood there then are gone as well.
        assert_eq!(queue.age.oldest(queue.now).as_secs(), 10);
    }

    #[test]
    fn messages_that_nobody_sees_come_and_go_make_it_look_older_and_never_younger() {
        // A model: messages with their times, of which some come and some leave between two looks.
        let mut queue = Watched::of(0);
        let mut standing: VecDeque<Instant> = VecDeque::new();
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..5000 {
            for _ in 0..random(40) {
                standing.push_back(queue.now + Duration::from_secs(1));
            }
            for _ in 0..random(41) {
                standing.pop_front();
            }
            let told = queue.look(standing.len() as u64);
            let real = standing
                .front()
                .map_or(0, |came| queue.now.duration_since(*came).as_secs());
            assert!(told >= real, "{told} s, and it is {real} s");
        }
    }
}
