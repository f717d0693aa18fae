//! The steps of a time axis: all of them, those in which nothing happened included. Pure.

use hookline_store::{Counts, CountsAt};
use jiff::{SignedDuration, Timestamp};

/// Steps of the same length, up to the one that has only begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pages) struct Steps {
    /// When each begins, and what was counted in it.
    pub(in crate::pages) all: Vec<CountsAt>,
    /// How long each is.
    pub(in crate::pages) step_s: u32,
}

impl Steps {
    /// When the first of so many steps begins, of which the last one holds `now`. Steps of an hour begin with one.
    pub(in crate::pages) fn begin(now: Timestamp, step_s: u32, number: u32) -> Timestamp {
        let step_s = i64::from(step_s).max(1);
        let last = now.as_second().div_euclid(step_s) * step_s;
        Timestamp::from_second(last - step_s * i64::from(number.saturating_sub(1)))
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// So many steps from there, filled with what was counted.
    pub(in crate::pages) fn fill(begin: Timestamp, step_s: u32, number: u32, counted: &[CountsAt]) -> Self {
        let at = |step: u32| {
            let after = SignedDuration::from_secs(i64::from(step) * i64::from(step_s));
            begin.checked_add(after).unwrap_or(begin)
        };
        let mut all: Vec<CountsAt> = (0..number)
            .map(|step| CountsAt {
                at: at(step),
                counts: Counts::default(),
            })
            .collect();
        for one in counted {
            let seconds = one.at.as_second() - begin.as_second();
            let step = usize::try_from(seconds.div_euclid(i64::from(step_s).max(1))).ok();
            if let Some(step) = step.and_then(|step| all.get_mut(step)) {
                step.counts.add_all(&one.counts);
            }
        }
        Self { all, step_s }
    }

    /// All of it together.
    pub(in crate::pages) fn total(&self) -> Counts {
        self.all.iter().fold(Counts::default(), |mut total, step| {
            total.add_all(&step.counts);
            total
        })
    }

    /// The time of a step, as exact as its length.
    pub(in crate::pages) fn tell(&self, at: Timestamp) -> String {
        let has_days = self.all.first().is_some_and(|first| {
            at.as_second().div_euclid(86_400) != first.at.as_second().div_euclid(86_400)
                || self.step_s >= 3_600
        });
        let format = if has_days { "%b %-d, %H:%M" } else { "%H:%M" };
        at.strftime(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn counted(when: &str, attempts: u64) -> CountsAt {
        CountsAt {
            at: at(when),
            counts: Counts {
                attempts,
                ..Counts::default()
            },
        }
    }

    #[test]
    fn the_last_step_holds_this_moment() {
        let now = at("2030-01-15T14:37:12Z");
        for (step_s, number, begin) in [
            (60, 60, "2030-01-15T13:38:00Z"),
            (1_800, 48, "2030-01-14T15:00:00Z"),
            (10_800, 56, "2030-01-08T15:00:00Z"),
            (60, 1, "2030-01-15T14:37:00Z"),
        ] {
            assert_eq!(Steps::begin(now, step_s, number), at(begin), "{step_s}");
        }
    }

    #[test]
    fn steps_without_attempts_are_there_and_what_is_outside_is_not() {
        let begin = at("2030-01-15T14:00:00Z");
        let counted = [
            counted("2030-01-15T13:59:00Z", 9),
            counted("2030-01-15T14:01:00Z", 2),
            counted("2030-01-15T14:01:30Z", 3),
            counted("2030-01-15T14:03:00Z", 9),
        ];
        let steps = Steps::fill(begin, 60, 3, &counted);
        let attempts: Vec<u64> = steps.all.iter().map(|step| step.counts.attempts).collect();
        assert_eq!(attempts, [0, 5, 0]);
        assert_eq!(steps.total().attempts, 5);
        assert_eq!(steps.all[2].at, at("2030-01-15T14:02:00Z"));
    }

    #[test]
    fn a_time_has_its_day_where_there_are_several() {
        let hour = Steps::fill(at("2030-01-15T13:38:00Z"), 60, 60, &[]);
        assert_eq!(hour.tell(at("2030-01-15T14:00:00Z")), "14:00");
        let midnight = Steps::fill(at("2030-01-15T23:38:00Z"), 60, 60, &[]);
        assert_eq!(midnight.tell(at("2030-01-16T00:10:00Z")), "Jan 16, 00:10");
        let week = Steps::fill(at("2030-01-08T15:00:00Z"), 10_800, 56, &[]);
        assert_eq!(week.tell(at("2030-01-08T15:00:00Z")), "Jan 8, 15:00");
    }
}
