//! How many requests at once an endpoint bears: more while it answers and takes no longer for it, half as many when it
//! does not answer.
//!
//! Up to [`KNEE`] slots a limit grows with every answer. Beyond, it doubles, and only after half a round of requests at
//! the present level took hardly longer than those at the level before: a receiver that queues what it cannot work on
//! shows it by its latency, long before it fails.

use std::time::Duration;

use tokio::time::Instant;

use super::feedback::Feedback;
use super::terms::Concurrency;

/// So many requests at once nearly every receiver bears.
const KNEE: f32 = 32.0;
/// Twice the slots at this times the latency are 1.6 times the throughput: worth it.
const RISE: f32 = 1.25;
/// At the slots that were found to be good, this times the latency means that they are so no longer.
const OVERLOADED: f32 = 2.0;
/// Less than this is our own scheduling, not the receiver.
const NOISE_S: f32 = 0.002;
/// An answer that takes so long is waited for; what is quicker may be as long in our own hands. Where all answers take as long,
/// [`super::StartLimiter`] alone would allow 16,000 a second for each processor.
const A_WHILE_S: f32 = 0.003;
/// How much of what a longer answer takes more becomes the quickest: a receiver that has become slow is known as such within
/// some four hundred answers. Sooner, a moment in which the processors are busy would make quick ones seem slow.
const QUICKEST_FADES: f32 = 1.0 / 512.0;
/// Throughput is measured over so long at least, and two requests.
const PERIOD: Duration = Duration::from_millis(500);
/// Rounds of requests before an increase that did not pay is tried again; twice as many each time, up to the second.
const PAUSE_ROUNDS: (u16, u16) = (16, 1024);

/// What an endpoint has shown last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing yet.
    Unknown,
    /// It answers, and always did: its limit may grow quickly.
    Always,
    /// It answers again after it did not: its limit grows slowly.
    Again,
    /// It does not answer.
    Failing,
}

/// The limit of one endpoint, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limit {
    slots: f32,
    health: Health,
    /// Seconds that a request takes of late; unknown until one was answered.
    latency: Option<f32>,
    /// Seconds that the quickest of late took: what the receiver takes itself, however busy we are.
    quickest: Option<f32>,
    /// Whether that is only what those took that the endpoint answered after it had hung.
    is_guess: bool,
    /// Answers a second in the last period, which tells more than slots ÷ latency just after the slots were reduced: those
    /// that end then took as long as the slots before made them.
    throughput: f32,
    /// Answers in the present period, and since when.
    answers: f32,
    period: Option<Instant>,
    /// Seconds that a request took at the level before.
    below: Option<f32>,
    /// Requests that began and ended at the present level, and the seconds that they took.
    samples: u16,
    seconds: f32,
    level_since: Option<Instant>,
    /// Rounds to go before the next increase, and how many there were the last time.
    rounds: u16,
    pause: u16,
}

/// What is remembered of a limit while its endpoint has nothing in hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LimitSummary {
    slots: f32,
    latency: Option<f32>,
    quickest: Option<f32>,
    below: Option<f32>,
    health: Health,
}

impl LimitSummary {
    #[cfg(test)]
    pub(super) fn health(self) -> Health {
        self.health
    }
}

impl Limit {
    /// The limit that was remembered so.
    pub(super) fn recalled(summary: LimitSummary) -> Self {
        Self {
            slots: summary.slots,
            latency: summary.latency,
            quickest: summary.quickest,
            below: summary.below,
            health: summary.health,
            ..Self::unknown(1)
        }
    }

    /// What to remember. A guess is not worth it.
    pub(super) fn summary(&self) -> LimitSummary {
        LimitSummary {
            slots: self.slots,
            latency: self.latency.filter(|_| !self.is_guess),
            quickest: self.quickest,
            below: self.below,
            health: self.health,
        }
    }

    pub(super) fn unknown(start: usize) -> Self {
        Self {
            slots: as_f32(start.max(1)),
            health: Health::Unknown,
            latency: None,
            quickest: None,
            is_guess: false,
            throughput: 0.0,
            answers: 0.0,
            period: None,
            below: None,
            samples: 0,
            seconds: 0.0,
            level_since: None,
            rounds: 0,
            pause: PAUSE_ROUNDS.0,
        }
    }

    /// Requests in flight at most.
    pub(super) fn slots(&self, max: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let slots = self.slots as usize;
        slots.clamp(1, max.max(1))
    }

    /// Whether it has shown that it answers, and nothing else since.
    pub(super) fn is_proven(&self) -> bool {
        matches!(self.health, Health::Always | Health::Again)
    }

    pub(super) fn health(&self) -> Health {
        self.health
    }

    /// How long a request takes of late, if any was answered.
    pub(super) fn latency(&self) -> Option<Duration> {
        self.latency
            .map(|seconds| Duration::from_secs_f32(seconds.clamp(0.0, 3_600.0)))
    }

    /// Whether it takes a while for every answer: what waits for it keeps no processor busy.
    pub(super) fn takes_its_time(&self) -> bool {
        self.quickest.is_some_and(|seconds| seconds >= A_WHILE_S)
    }

    /// Requests that end in a second with all slots taken. A limit that grows quickly is judged by what it is about to be.
    pub(super) fn rate(&self, max: usize) -> Option<f32> {
        let mut slots = as_f32(self.slots(max));
        if self.health == Health::Always {
            slots = slots.max(KNEE.min(as_f32(max)));
        }
        self.latency
            .filter(|_| !self.is_guess)
            .map(|latency| (slots / latency.max(0.000_1)).max(self.throughput))
    }

    /// Learns how long a request took that was under way while the endpoint hung: as long as the hang, which says nothing of
    /// how long the next takes, unless nothing else is known.
    pub(super) fn learn_after_hang(&mut self, feedback: Feedback, took: Duration) {
        match feedback {
            Feedback::Success | Feedback::Answered | Feedback::Refused { .. } => {
                self.answered(None);
                if self.latency.is_none() || self.is_guess {
                    self.latency = Some(took.as_secs_f32());
                    self.is_guess = true;
                }
            }
            Feedback::NoAnswer => self.failed(),
            Feedback::NothingAsked => {}
        }
    }

    /// Learns from a request that ended, with so many in flight before (itself among them).
    pub(super) fn learn(
        &mut self,
        feedback: Feedback,
        took: Duration,
        in_flight: usize,
        concurrency: Concurrency,
        now: Instant,
    ) {
        match feedback {
            Feedback::Success => {
                self.answered(Some(took));
                self.count(now);
                self.grow(took, in_flight, concurrency.max, now);
            }
            Feedback::Answered => self.answered(Some(took)),
            // It lives; how quickly it refuses says nothing of how quickly it works.
            Feedback::Refused { .. } => self.answered(None),
            Feedback::NoAnswer => self.failed(),
            Feedback::NothingAsked => {}
        }
    }

    fn failed(&mut self) {
        self.health = Health::Failing;
        self.shrink();
    }

    /// Half as many slots, but one at least.
    pub(super) fn shrink(&mut self) {
        if self.health == Health::Always {
            self.health = Health::Again;
        }
        self.slots = (self.slots / 2.0).max(1.0);
        self.begin_level(None);
    }

    fn count(&mut self, now: Instant) {
        self.answers += 1.0;
        let passed = now.saturating_duration_since(*self.period.get_or_insert(now));
        if passed >= PERIOD.max(self.latency().unwrap_or_default() * 2) {
            self.throughput = self.answers / passed.as_secs_f32();
            self.answers = 0.0;
            self.period = Some(now);
        }
    }

    fn answered(&mut self, took: Option<Duration>) {
        self.health = match self.health {
            Health::Unknown | Health::Always => Health::Always,
            Health::Failing | Health::Again => Health::Again,
        };
        if let Some(took) = took.map(|took| took.as_secs_f32()) {
            let known = self.latency.filter(|_| !self.is_guess);
            self.latency = Some(known.map_or(took, |latency| (latency * 7.0 + took) / 8.0));
            self.is_guess = false;
            let quickest = self.quickest.unwrap_or(took);
            self.quickest = Some((quickest + (took - quickest) * QUICKEST_FADES).min(took));
        }
    }

    fn grow(&mut self, took: Duration, in_flight: usize, max: usize, now: Instant) {
        let max = as_f32(max.max(1));
        if self.slots > max {
            self.slots = max;
        }
        // What is not used up shows nothing of what more would do.
        if as_f32(in_flight) < self.slots.floor() * 0.75 {
            return;
        }
        if self.slots < KNEE.min(max) {
            // One more for each answer doubles the limit in a round trip; after a failure, one more in a round trip.
            let step = if self.health == Health::Again {
                1.0 / self.slots
            } else {
                1.0
            };
            self.slots = (self.slots + step).min(KNEE.min(max));
            self.below = self.latency;
            if self.slots >= KNEE.min(max) {
                self.health = Health::Always;
                self.begin_level(Some(now));
            }
            return;
        }
        let since = *self.level_since.get_or_insert(now);
        if now.checked_sub(took).is_none_or(|began| began < since) {
            return;
        }
        self.samples += 1;
        self.seconds += took.as_secs_f32();
        if f32::from(self.samples) >= (self.slots / 2.0).min(10_000.0) {
            self.end_round(max, now);
        }
    }

    /// Judges a level by a round of requests.
    fn end_round(&mut self, max: f32, now: Instant) {
        let mean = self.seconds / f32::from(self.samples.max(1));
        let below = self.below.unwrap_or(mean);
        self.samples = 0;
        self.seconds = 0.0;
        if self.slots > KNEE && mean > below * OVERLOADED + NOISE_S {
            return self.step_back(now);
        }
        if self.rounds > 0 {
            self.rounds -= 1;
            // After a pause the next level is compared with what this one is by then.
            self.below = Some(mean).filter(|_| self.rounds == 0).or(self.below);
            return;
        }
        let pays = mean <= below * RISE + NOISE_S;
        if !pays {
            return self.step_back(now);
        }
        if self.slots < max {
            self.below = Some(mean);
            self.slots = (self.slots * 2.0).min(max);
            self.begin_level(Some(now));
        }
    }

    fn step_back(&mut self, now: Instant) {
        self.slots = (self.slots / 2.0).max(KNEE.min(self.slots));
        self.rounds = self.pause;
        self.pause = (self.pause * 2).min(PAUSE_ROUNDS.1);
        self.begin_level(Some(now));
    }

    fn begin_level(&mut self, since: Option<Instant>) {
        self.samples = 0;
        self.seconds = 0.0;
        self.level_since = since;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
pub(super) fn as_f32(number: usize) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(100);

    /// An endpoint that is always fully used, with the latency that goes with its slots.
    fn used(limit: &mut Limit, feedback: Feedback, times: usize, latency: impl Fn(usize) -> Duration) {
        let mut now = Instant::now();
        for _ in 0..times {
            let slots = limit.slots(128);
            let took = latency(slots);
            now += took / u32::try_from(slots).expect("few");
            limit.learn(feedback, took, slots, Concurrency { start: 8, max: 128 }, now);
        }
    }

    #[test]
    fn answers_that_take_no_longer_raise_it_to_the_bound_and_it_starts_at_eight() {
        let mut limit = Limit::unknown(8);
        assert_eq!((limit.slots(128), limit.slots(3)), (8, 3));
        used(&mut limit, Feedback::Success, 8, |_| FAST);
        assert_eq!(limit.slots(128), 16);
        used(&mut limit, Feedback::Success, 300, |_| FAST);
        assert_eq!(limit.slots(128), 128);
        let mut idle = Limit::unknown(8);
        for _ in 0..500 {
            idle.learn(
                Feedback::Success,
                FAST,
                1,
                Concurrency { start: 8, max: 128 },
                Instant::now(),
            );
        }
        assert_eq!(idle.slots(128), 8, "what is not used does not grow");
    }

    #[test]
    fn latency_that_rises_with_concurrency_stops_it_at_the_knee() {
        let mut limit = Limit::unknown(8);
        let serial = |slots: usize| Duration::from_millis(5) * u32::try_from(slots).expect("few");
        used(&mut limit, Feedback::Success, 20_000, serial);
        assert!(limit.slots(128) <= 64, "{}", limit.slots(128));
        // 48 workers of 100 ms: 64 requests wait, 32 do not. Most of the time it is at 32, and sometimes tries.
        let mut limit = Limit::unknown(8);
        used(&mut limit, Feedback::Success, 300, |slots| {
            FAST.mul_f64((slots as f64 / 48.0).max(1.0))
        });
        assert!(limit.slots(128) <= 64, "{}", limit.slots(128));
    }

    #[test]
    fn failures_halve_it_down_to_one_and_recovery_is_slow() {
        let mut limit = Limit::unknown(8);
        used(&mut limit, Feedback::NoAnswer, 20, |_| FAST);
        assert_eq!(limit.slots(128), 1);
        assert!(!limit.is_proven());
        used(&mut limit, Feedback::NothingAsked, 5, |_| FAST);
        assert_eq!(limit.health(), Health::Failing, "nothing asked proves nothing");
        used(&mut limit, Feedback::Success, 1, |_| FAST);
        assert!(limit.is_proven());
        assert_eq!(limit.slots(128), 2);
        used(&mut limit, Feedback::Success, 1, |_| FAST);
        assert_eq!(limit.slots(128), 2);
    }

    #[test]
    fn who_takes_a_while_is_known_by_the_quickest_answer_of_late() {
        let mut limit = Limit::unknown(8);
        assert!(!limit.takes_its_time(), "nothing is known yet");
        used(&mut limit, Feedback::Success, 1, |_| FAST);
        assert!(limit.takes_its_time());
        assert!(Limit::recalled(limit.summary()).takes_its_time());
        used(&mut limit, Feedback::Success, 1, |_| Duration::from_millis(1));
        assert!(!limit.takes_its_time(), "it was we who took so long");
        used(&mut limit, Feedback::Answered, 100, |_| Duration::from_millis(5));
        assert!(!limit.takes_its_time(), "we may be busy");
        used(&mut limit, Feedback::Answered, 350, |_| Duration::from_millis(5));
        assert!(limit.takes_its_time(), "it has become slower");
        used(&mut limit, Feedback::Refused { retry_after: None }, 1, |_| {
            Duration::from_millis(1)
        });
        assert!(limit.takes_its_time(), "a refusal is no answer");
    }

    #[test]
    fn another_status_and_a_refusal_are_proof_of_life_and_do_not_raise_it() {
        for feedback in [Feedback::Answered, Feedback::Refused { retry_after: None }] {
            let mut limit = Limit::unknown(8);
            assert!(!limit.is_proven());
            used(&mut limit, feedback, 50, |_| FAST);
            assert!(limit.is_proven());
            assert_eq!(limit.slots(128), 8);
        }
    }
}
