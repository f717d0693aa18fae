//! How soon an endpoint may be asked again: holds after refusals, the pace that it was seen to bear, and the rate that
//! its owner allows.
//!
//! A receiver that limits its rate answers quickly whether it accepts or refuses, so the number of slots cannot slow it
//! down; attempts a second can. After a refusal nothing begins until the hold is over. Then attempts begin at a little
//! less than what was accepted before, and faster by and by: gently at first, since a refusal costs a whole hold, then
//! more and more, since the refusals may have had a cause that is over. A pace that nothing has had to wait for is forgotten.

use std::time::Duration;

use hookline_common::schedule::Delay;
use tokio::time::Instant;

#[cfg(test)]
use super::faults::{self, Fault};
use super::feedback::Feedback;

/// The longest hold that there can be: the longest delay of any schedule. Whoever asks cuts what a receiver wishes to the
/// longest of its own schedule before (`attempts.rs`), so that the refused delivery and all others wait by one bound.
const MAX_HOLD: Delay = Delay::MAX;
/// The first hold after a refusal that names no time; twice as long for each that follows without an answer between.
const BARE_HOLD: Duration = Duration::from_millis(250);
/// Doublings of it: 4 s at most, so that what is refused for hours still goes the way of its schedule.
const MAX_DOUBLINGS: u32 = 4;
/// A little less than what was borne, or the next refusal would come at once.
const CAUTION: f32 = 0.95;
/// Over how many ends of attempts it is counted how many are refusals.
const SHARE_OVER: f32 = 16.0;
/// Refusals without a word about time mean overload from this share on. Many receivers answer one in fifty with 502 or 503
/// all day, when a process behind them restarts; slowing down for those would only make a queue. One that limits its
/// rate refuses nearly all beyond it, and has refused this many after five in a row.
const OVERLOADED_SHARE: f32 = 0.25;
/// What is kept of a pace at least when it is refused. Receivers that count by the second refuse until theirs is over: a
/// refusal that comes sooner after a hold than that says that the hold was too short, and little of the pace.
const LEAST: f32 = 0.5;
const LEAST_UNSURE: f32 = 0.9;
/// The same where few are taken: that one was accepted and the next refused says only that they were too close to each other.
const LEAST_OF_FEW: f32 = 0.7;
/// Attempts a second at first at least, and as long as none was accepted since the last hold: one that refuses everything is not
/// known to count at all, and is to be seen to take something again soon.
const MIN_PACE_UNSURE: f32 = 2.0;
/// The same of one that takes something between its refusals: some take one in ten seconds, of all replicas together.
const MIN_PACE: f32 = 0.1;
/// More than any endpoint is served with.
const MAX_PACE: f32 = 100_000.0;
/// Attempts a second at least that may begin, whoever limits them: far below one an hour, which is the least that an owner may
/// allow, as one of a thousand replicas has of it.
pub(super) const MIN_PER_SECOND: f32 = 1e-7;
/// Growth in the first second after a hold, by how much more it is each second, and at most.
const GROWTH: (f32, f32, f32) = (0.01, 1.15, 0.5);
/// What was borne is measured over this time: as long as the periods over which receivers usually count.
const PERIOD: Duration = Duration::from_secs(1);
/// Older acceptances count less than half after this time.
const RECENT: Duration = Duration::from_secs(4);
/// A pace is forgotten when nothing waited for it for so long.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// Attempts that were not begun in time may be made up for within this time, or late timers would slow the pace down. Less where they
/// are few: of two that come close upon each other a receiver that takes one a second refuses one.
const CATCH_UP: Duration = Duration::from_millis(100);
const CATCH_UP_OF_FEW: Duration = Duration::from_millis(20);

/// What is remembered of the pace of an endpoint that has nothing in hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    per_second: f32,
    /// When something last waited for it, or for a hold.
    bound: Instant,
}

#[derive(Debug)]
pub(super) struct Pacing {
    held_until: Option<Instant>,
    /// When the last refusal came that was not known when its request began.
    refused: Option<Instant>,
    /// Such refusals without an acceptance between.
    streak: u32,
    /// Which part of the last attempts was refused.
    refused_share: f32,
    pace: Option<Pace>,
    /// Up to when the pace has grown.
    grown: Instant,
    /// What was accepted since when.
    accepted: f32,
    since: Instant,
    /// When the next attempt may begin by the pace.
    next: Instant,
    /// When the last attempt began, and how long the last that was accepted took.
    begun: Option<Instant>,
    took: Duration,
    /// What the endpoint's owner allows this replica.
    rate: Option<f32>,
    /// When the last attempt began or was due that counts for the rate. The next follows by the rate of then, which may be another.
    counted: Option<Instant>,
}

impl Pacing {
    pub(super) fn new(pace: Option<Pace>, now: Instant) -> Self {
        Self {
            held_until: None,
            refused: None,
            streak: 0,
            refused_share: 0.0,
            pace: pace.filter(|pace| now.duration_since(pace.bound) < FORGET_AFTER),
            grown: now,
            accepted: 0.0,
            since: now,
            next: now,
            begun: None,
            took: Duration::ZERO,
            rate: None,
            counted: None,
        }
    }

    /// What to remember.
    pub(super) fn pace(&self) -> Option<Pace> {
        self.pace
    }

    /// Whether forgetting this would let something begin too soon.
    pub(super) fn is_binding(&self, now: Instant) -> bool {
        self.ready_at() > now || self.streak > 0 && self.pace.is_none()
    }

    /// The owner's rate, as far as it is this replica's. Whether it is another than before.
    pub(super) fn allow(&mut self, rate: Option<f32>) -> bool {
        std::mem::replace(&mut self.rate, rate) != rate
    }

    /// Attempts a second that may begin, if anything limits them.
    pub(super) fn per_second(&self) -> Option<f32> {
        let pace = self.pace.map(|pace| pace.per_second);
        match (pace, self.rate) {
            (Some(pace), Some(rate)) => Some(pace.min(rate)),
            (pace, rate) => pace.or(rate),
        }
    }

    /// For how long still nothing may begin because of a refusal.
    pub(super) fn hold(&self, now: Instant) -> Duration {
        self.held_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// When the next attempt may begin.
    pub(super) fn ready_at(&self) -> Instant {
        let paced = self.pace.map(|_| self.next);
        [self.held_until, paced, self.allowed_at()]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or(self.since)
    }

    /// When the owner's rate allows the next attempt, if it has to wait for that.
    fn allowed_at(&self) -> Option<Instant> {
        Some(self.counted? + period(self.rate?))
    }

    /// Whether the owner's rate allows the next attempt later than everything else.
    fn is_limited_by_owner(&self) -> bool {
        let others = self.held_until.max(Some(self.next));
        self.allowed_at() > others
    }

    /// For how long still nothing may begin, for any reason.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.ready_at().saturating_duration_since(now)
    }

    pub(super) fn is_ready(&self, now: Instant) -> bool {
        #[cfg(test)]
        if faults::is_back(Fault::NoHold) {
            return true;
        }
        self.wait(now).is_zero()
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, now: Instant) {
        let is_limited_by_owner = self.is_limited_by_owner();
        if let Some(pace) = &mut self.pace {
            let period = period(pace.per_second);
            let soonest = soonest(period, now);
            // What begins as soon as it may, and could not with the one before, has waited for that.
            let ready = self.held_until.max(Some(self.next));
            if ready >= Some(soonest) && ready > self.begun && !is_limited_by_owner {
                pace.bound = now;
            }
            self.next = self.next.max(soonest) + period;
        }
        self.begun = Some(now);
        if let Some(rate) = self.rate {
            let soonest = soonest(period(rate), now);
            self.counted = Some(self.allowed_at().map_or(now, |allowed| allowed.max(soonest)));
        }
    }

    /// An attempt that was begun asked nothing of the endpoint: the next may take its place.
    pub(super) fn was_not_made(&mut self) {
        if let Some(pace) = self.pace {
            self.next = self
                .next
                .checked_sub(period(pace.per_second))
                .unwrap_or(self.next);
        }
        // One that is younger than its period, as the clock begins with the machine, leaves nothing to wait for.
        self.counted = match (self.counted, self.rate) {
            (Some(counted), Some(rate)) => counted.checked_sub(period(rate)),
            (counted, _) => counted,
        };
    }

    /// Something waits although there is a slot.
    pub(super) fn made_wait(&mut self, now: Instant) {
        // That says nothing of the pace, which would grow and grow.
        if self.is_limited_by_owner() {
            return;
        }
        if let Some(pace) = &mut self.pace {
            // While nothing waited, what was accepted is what there was to do, and not what is borne.
            let is_usual = PERIOD.max(period(pace.per_second)) + self.took;
            if now.saturating_duration_since(pace.bound) > is_usual && self.since < now {
                self.accepted = 0.0;
                self.since = now;
            }
            pace.bound = now;
        }
    }

    /// An attempt ended. Whether it is the first sign of overload that its request could not have known of.
    pub(super) fn learn(&mut self, feedback: Feedback, took: Duration, now: Instant) -> bool {
        let is_refused = matches!(feedback, Feedback::Refused { .. });
        self.refused_share += (f32::from(u8::from(is_refused)) - self.refused_share) / SHARE_OVER;
        if feedback.is_accepted() {
            self.accept(took, now);
            return false;
        }
        let Feedback::Refused { retry_after } = feedback else {
            return false;
        };
        let asked = retry_after.filter(|asked| !asked.is_zero());
        if asked.is_none() && self.pace.is_none() && self.refused_share < OVERLOADED_SHARE {
            return false;
        }
        let is_new = match self.refused {
            Some(refused) => now.checked_sub(took).is_some_and(|began| began > refused),
            None => true,
        };
        if is_new {
            self.streak += 1;
            self.slow_down(now);
            self.refused = Some(now);
        }
        let bare = BARE_HOLD * 2_u32.pow((self.streak.max(1) - 1).min(MAX_DOUBLINGS));
        let hold = match asked {
            Some(asked) => asked.min(MAX_HOLD.as_duration()),
            None if is_new => bare,
            None => Duration::ZERO,
        };
        let until = self.held_until.map_or(now + hold, |until| until.max(now + hold));
        self.held_until = Some(until);
        // What was accepted is counted anew from the end of the hold.
        self.accepted = 0.0;
        self.since = until;
        self.grown = until;
        is_new
    }

    fn slow_down(&mut self, now: Instant) {
        let measured = now.saturating_duration_since(self.since);
        let borne = self.accepted / measured.max(PERIOD).as_secs_f32() * CAUTION;
        let least = if measured < PERIOD { LEAST_UNSURE } else { LEAST };
        let per_second = match self.pace.map(|pace| pace.per_second) {
            None => borne.max(MIN_PACE_UNSURE),
            Some(pace) if self.accepted == 0.0 => (pace * least).max(MIN_PACE_UNSURE.min(pace)),
            Some(pace) if pace <= MIN_PACE_UNSURE && self.accepted < 2.0 => {
                (pace * LEAST_OF_FEW).max(MIN_PACE)
            }
            // It was measured at this pace, so it can be neither much less nor more.
            Some(pace) => borne.clamp(pace * least, pace * CAUTION).max(MIN_PACE),
        };
        self.pace = Some(Pace {
            per_second,
            bound: now,
        });
        self.next = now;
    }

    fn accept(&mut self, took: Duration, now: Instant) {
        self.took = took;
        // Requests that were under way when another was refused are no sign that the hold was too long.
        if self.held_until.is_some_and(|until| until > now) {
            return;
        }
        self.streak = 0;
        self.accepted += 1.0;
        if now.saturating_duration_since(self.since) > RECENT {
            self.accepted /= 2.0;
            self.since += now.saturating_duration_since(self.since) / 2;
        }
        let Some(pace) = &mut self.pace else { return };
        if now.saturating_duration_since(pace.bound) > FORGET_AFTER {
            self.pace = None;
            return;
        }
        let passed = now.saturating_duration_since(self.grown).as_secs_f32();
        let quiet = self.refused.map_or(60.0, |refused| {
            now.saturating_duration_since(refused).as_secs_f32()
        });
        let growth = (GROWTH.0 * GROWTH.1.powf(quiet.min(60.0))).min(GROWTH.2);
        // When it began.
        let began = now.checked_sub(took).unwrap_or(now);
        if began.saturating_duration_since(pace.bound) < PERIOD {
            pace.per_second = (pace.per_second * (1.0 + growth * passed.min(1.0))).min(MAX_PACE);
        }
        self.grown = now;
    }
}

/// When an attempt may have been due that begins now, where one is due in each period.
fn soonest(period: Duration, now: Instant) -> Instant {
    let catch_up = if period < CATCH_UP {
        CATCH_UP
    } else {
        CATCH_UP_OF_FEW
    };
    now.checked_sub(catch_up).unwrap_or(now)
}

/// The time between two attempts.
fn period(per_second: f32) -> Duration {
    Duration::from_secs_f32(1.0 / per_second.max(MIN_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_refusal_sets_no_owners_rate_back() {
        for retry_after in [Some(Duration::from_secs(2)), None] {
            let start = Instant::now();
            let mut pacing = Pacing::new(None, start);
            pacing.allow(Some(1.0 / MINUTE.as_secs_f32()));
            for number in 0..10 {
                let now = start + MINUTE * number;
                assert!(pacing.is_ready(now), "{number}, {retry_after:?}");
                pacing.begin(now);
                let answered = now + Duration::from_millis(20);
                pacing.learn(
                    Feedback::Refused { retry_after },
                    Duration::from_millis(20),
                    answered,
                );
                let left = pacing.wait(answered);
                assert!(left > MINUTE * 9 / 10, "{number}, {retry_after:?}: {left:?}");
            }
        }
    }

    /// Else a single refusal would leave a pace that no later one brings down again.
    #[test]
    fn a_pace_does_not_grow_while_the_owners_rate_is_slower() {
        let start = Instant::now();
        let took = Duration::from_millis(20);
        let mut pacing = Pacing::new(None, start);
        pacing.allow(Some(10.0));
        pacing.learn(
            Feedback::Refused {
                retry_after: Some(Duration::from_secs(1)),
            },
            took,
            start,
        );
        for number in 0..3_000 {
            let now = start + Duration::from_secs(2) + Duration::from_millis(100) * number;
            pacing.begin(now);
            pacing.made_wait(now);
            pacing.learn(Feedback::Success, took, now + took);
        }
        let pace = pacing.pace.map(|pace| pace.per_second);
        assert!(pace.is_none_or(|pace| pace < 100.0), "{pace:?}");
    }

    #[test]
    fn a_rate_that_changes_counts_at_once() {
        let now = Instant::now();
        let mut pacing = Pacing::new(None, now);
        pacing.allow(Some(1.0 / 3600.0));
        pacing.begin(now);
        assert!(pacing.wait(now) > MINUTE * 59);
        pacing.allow(Some(100.0));
        assert!(pacing.wait(now) <= Duration::from_millis(10));
        pacing.allow(Some(1.0 / 60.0));
        assert!(pacing.wait(now) > MINUTE * 9 / 10);
        pacing.allow(None);
        assert!(pacing.is_ready(now));
    }

    /// One request at a time, each of which takes longer than a second: the pace that is too slow for it must not stay.
    #[test]
    fn a_receiver_that_takes_long_and_limits_nothing_any_more_is_found_out() {
        for took in [20, 900, 1_300, 3_000].map(Duration::from_millis) {
            let mut now = Instant::now();
            let mut pacing = Pacing::new(None, now);
            let refused = Feedback::Refused {
                retry_after: Some(Duration::from_secs(1)),
            };
            for feedback in [
                refused,
                refused,
                Feedback::Success,
                refused,
                Feedback::Success,
                refused,
            ] {
                now = pacing.ready_at().max(now);
                pacing.begin(now);
                now += took;
                pacing.learn(feedback, took, now);
            }
            let slow = pacing.per_second().unwrap();
            for _ in 0..600 {
                pacing.made_wait(now);
                now = pacing.ready_at().max(now);
                pacing.begin(now);
                now += took;
                pacing.learn(Feedback::Success, took, now);
            }
            let paced = pacing.per_second();
            assert!(
                paced.is_none_or(|pace| pace > slow * 10.0),
                "{took:?}: {slow} and {paced:?}"
            );
        }
    }

    /// A limit on slots that grows begins several at once, none of which the pace has kept waiting.
    #[test]
    fn what_begins_together_has_not_waited_for_the_pace() {
        const FAST: f32 = 1_000.0;
        let start = Instant::now();
        let took = Duration::from_millis(20);
        let pace = Pace {
            per_second: FAST,
            bound: start,
        };
        let mut pacing = Pacing::new(Some(pace), start);
        for second in 2..50 {
            let now = start + Duration::from_secs(second);
            for _ in 0..10 {
                assert!(pacing.is_ready(now));
                pacing.begin(now);
            }
            for _ in 0..10 {
                pacing.learn(Feedback::Success, took, now + took);
            }
        }
        assert_eq!(pacing.per_second(), Some(FAST));
    }

    /// A shortage of ours at one attempt an hour would cost an hour.
    #[test]
    fn an_attempt_that_was_not_made_is_not_counted() {
        let now = Instant::now();
        let mut pacing = Pacing::new(None, now);
        pacing.allow(Some(1.0 / 3600.0));
        pacing.begin(now);
        pacing.was_not_made();
        assert!(pacing.is_ready(now));
        pacing.begin(now);
        assert!(pacing.wait(now) > MINUTE * 59, "one that is made counts");
        pacing.allow(Some(10.0));
        let later = now + MINUTE;
        for _ in 0..2 {
            pacing.begin(later);
        }
        let wait = pacing.wait(later);
        pacing.begin(later);
        pacing.was_not_made();
        assert_eq!(pacing.wait(later), wait);
    }

    #[test]
    fn what_an_owner_allows_is_kept_however_little_a_replica_has_of_it() {
        const HOUR: Duration = Duration::from_secs(3600);
        for (per_hour, replicas) in [(1.0, 1.0), (1.0, 3.0), (2.0, 3.0), (30.0, 10.0), (1.0, 1000.0)] {
            let now = Instant::now();
            let mut pacing = Pacing::new(None, now);
            pacing.allow(Some(per_hour / 3600.0 / replicas));
            pacing.begin(now);
            let (waits, expected) = (pacing.ready_at() - now, HOUR.mul_f32(replicas / per_hour));
            let part = waits.as_secs_f32() / expected.as_secs_f32();
            assert!(
                (0.99..=1.01).contains(&part),
                "{per_hour}/h among {replicas}: {waits:?}"
            );
        }
    }
}
