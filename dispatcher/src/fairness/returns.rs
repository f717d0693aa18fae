//! When what was set aside is expected back.
//!
//! A bare count would drift: another replica may take what this one parked, and a restart forgets it. So each parked
//! job is an expected return, which ends when the job comes back here, or some time after it was due.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

#[cfg(test)]
use super::faults::{self, Fault};

/// Returns within this time are kept as one entry: far finer than the shortest park time, and few entries for the longest.
const GRAIN: Duration = Duration::from_millis(250);
/// What has not come back so long after it was due was taken by someone else. The broker hands on thousands a second, so
/// even a mountain that falls due at once has passed by then.
const LATE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Returns {
    /// When so many are expected, the soonest first.
    expected: VecDeque<(Instant, u32)>,
    count: usize,
}

impl Returns {
    /// How many are expected.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// In how long how many are expected. Without what is due already, which comes behind whoever asks: of many that fall due at
    /// once, each would be set aside again for the sake of the others.
    pub(super) fn after(&self, now: Instant) -> impl Iterator<Item = (Duration, usize)> {
        let later = self.expected.iter().skip_while(move |(time, _)| *time <= now);
        later.map(move |(time, count)| {
            (
                time.saturating_duration_since(now),
                usize::try_from(*count).unwrap_or_default(),
            )
        })
    }

    /// One more is expected at `at`.
    pub(super) fn expect(&mut self, at: Instant) {
        self.count += 1;
        let after = self.expected.iter().rposition(|(time, _)| *time <= at);
        if let Some((time, count)) = after.and_then(|index| self.expected.get_mut(index))
            && at.duration_since(*time) < GRAIN
        {
            *count += 1;
            return;
        }
        self.expected.insert(after.map_or(0, |index| index + 1), (at, 1));
    }

    /// One came back. One that is not expected yet is someone else's.
    pub(super) fn came_back(&mut self, now: Instant) {
        let Some((time, count)) = self.expected.front_mut() else {
            return;
        };
        if *time > now + GRAIN {
            return;
        }
        *count -= 1;
        self.count -= 1;
        if *count == 0 {
            self.expected.pop_front();
        }
    }

    /// Forgets those that are overdue.
    pub(super) fn expire(&mut self, now: Instant) {
        #[cfg(test)]
        if faults::is_back(Fault::ParkedForEver) {
            return;
        }
        while let Some((time, count)) = self.expected.front()
            && *time + LATE <= now
        {
            self.count -= usize::try_from(*count).unwrap_or_default();
            self.expected.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_took_is_forgotten_and_what_others_parked_is_not_counted() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut returns = Returns::default();
        returns.came_back(start);
        assert_eq!(returns.count(), 0);
        for delay in [4, 1, 60, 4, 1] {
            returns.expect(start + second * delay);
        }
        assert_eq!((returns.count(), returns.expected.len()), (5, 3));
        let after = |now: Instant| returns.after(now).collect::<Vec<_>>();
        assert_eq!(after(start), [(second, 2), (second * 4, 2), (second * 60, 1)]);
        assert_eq!(
            after(start + second),
            [(second * 3, 2), (second * 59, 1)],
            "two are due"
        );
        returns.came_back(start);
        assert_eq!(returns.count(), 5, "none is due");
        returns.came_back(start + second);
        assert_eq!(returns.count(), 4);
        returns.expire(start + second * 12);
        assert_eq!(returns.count(), 3);
        returns.expire(start + second * 71);
        assert_eq!((returns.count(), returns.expected.len()), (0, 0));
    }
}
