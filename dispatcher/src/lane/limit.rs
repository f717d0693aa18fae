//! How many requests at once an endpoint bears: more while it answers, half as many when it does not.

use std::time::Duration;

/// What a request showed of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It answered well.
    Success,
    /// It answered, or nothing was asked of it: neither more nor less than before.
    Neutral,
    /// It did not answer in time, or could not be reached.
    Overload,
}

/// The limit of one endpoint, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limit {
    slots: f32,
    proof: Proof,
    /// How long a request takes of late; unknown until one has ended.
    pace: Option<Duration>,
}

/// What an endpoint has shown last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// Nothing yet.
    None,
    /// It answers, and always did: its limit may grow quickly.
    Always,
    /// It answers again after it did not: its limit grows slowly.
    Again,
    /// It does not answer.
    Failing,
}

impl Limit {
    /// Enough for an endpoint that nothing is known of, and little enough to lose.
    const START: f32 = 8.0;

    pub(super) fn unknown() -> Self {
        Self {
            slots: Self::START,
            proof: Proof::None,
            pace: None,
        }
    }

    /// Requests in flight at most, within the operator's own bound.
    pub(super) fn slots(self, most: usize) -> usize {
        // At least 1 and at most a few thousand by construction.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let slots = self.slots as usize;
        slots.clamp(1, most)
    }

    /// Whether it has shown that it answers, and nothing else since.
    pub(super) fn is_proven(self) -> bool {
        matches!(self.proof, Proof::Always | Proof::Again)
    }

    /// Whether it was seen not to answer, and nothing else since.
    pub(super) fn is_failing(self) -> bool {
        self.proof == Proof::Failing
    }

    /// How long it takes for so many requests at its recent pace, if that is known. An endpoint that has always
    /// answered is judged by what its limit is about to grow to.
    pub(super) fn time_for(self, requests: usize, most: usize) -> Option<Duration> {
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        let slots = if self.proof == Proof::Always {
            most
        } else {
            self.slots(most)
        };
        self.pace
            .map(|pace| pace.saturating_mul(requests) / u32::try_from(slots).unwrap_or(u32::MAX))
    }

    /// Additive increase, multiplicative decrease.
    pub(super) fn learn(&mut self, sign: Sign, took: Duration, most: usize) {
        self.pace = Some(self.pace.map_or(took, |pace| (pace * 7 + took) / 8));
        match sign {
            Sign::Success => {
                // One more for each answer doubles the limit in a round trip; after a failure, one more in a round trip.
                let step = if self.proof == Proof::Again {
                    1.0 / self.slots
                } else {
                    1.0
                };
                #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
                let most = most as f32;
                self.slots = (self.slots + step).min(most.max(1.0));
                self.answered();
            }
            Sign::Neutral => self.answered(),
            Sign::Overload => {
                self.slots = (self.slots / 2.0).max(1.0);
                self.proof = Proof::Failing;
            }
        }
    }

    fn answered(&mut self) {
        self.proof = match self.proof {
            Proof::None | Proof::Always => Proof::Always,
            Proof::Failing | Proof::Again => Proof::Again,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 64;
    const FAST: Duration = Duration::from_millis(100);

    fn after(signs: &[Sign]) -> Limit {
        let mut limit = Limit::unknown();
        signs.iter().for_each(|sign| limit.learn(*sign, FAST, MOST));
        limit
    }

    #[test]
    fn answers_raise_it_quickly_to_the_operators_bound() {
        assert_eq!(after(&[]).slots(MOST), 8);
        assert_eq!(after(&[Sign::Success; 8]).slots(MOST), 16);
        assert_eq!(after(&[Sign::Success; 500]).slots(MOST), MOST);
        assert_eq!(after(&[]).slots(3), 3);
    }

    #[test]
    fn failures_halve_it_down_to_one_and_recovery_is_slow() {
        assert_eq!(after(&[Sign::Overload]).slots(MOST), 4);
        let mut limit = after(&[Sign::Overload; 20]);
        assert_eq!(limit.slots(MOST), 1);
        assert!(!limit.is_proven());
        limit.learn(Sign::Success, FAST, MOST);
        assert!(limit.is_proven());
        assert_eq!(limit.slots(MOST), 2);
        limit.learn(Sign::Success, FAST, MOST);
        assert_eq!(limit.slots(MOST), 2);
    }

    #[test]
    fn an_answer_that_is_no_success_is_proof_all_the_same() {
        assert!(!after(&[]).is_proven());
        assert!(after(&[Sign::Neutral]).is_proven());
        assert_eq!(after(&[Sign::Neutral; 50]).slots(MOST), 8);
    }
}
