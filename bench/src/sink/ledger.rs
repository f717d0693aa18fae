//! What came, by run of publishing: counts, times, and whether anything came twice. Pure.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Endpoints of one company that are told apart.
const MOST_ENDPOINTS: u32 = 4;
/// Attempts that are told apart; all later ones count as the last of them.
const MOST_ATTEMPTS: u32 = 4;

/// One request, as far as the books go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Which run of publishing the event is of.
    pub(super) run: u32,
    /// Which event of that run.
    pub(super) number: u32,
    /// Which of its company's endpoints this is.
    pub(super) nth: u32,
    /// Which attempt.
    pub(super) attempt: u32,
    /// When it was published.
    pub(super) published_ns: u64,
    /// When it was here, to its last byte.
    pub(super) at_ns: u64,
    /// Whether its signature was checked, and found right.
    pub(super) verified: Option<bool>,
}

/// When a delivery was published and when it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arrived {
    /// When its event was published, in nanoseconds since the epoch.
    pub(crate) published_ns: u64,
    /// When its first request was here.
    pub(crate) at_ns: u64,
}

/// The counts of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Requests that had not come before.
    pub(crate) received: u64,
    /// Requests that had: same event, endpoint and attempt.
    pub(crate) duplicated: u64,
    /// Deliveries that were answered 200.
    pub(crate) accepted: u64,
    /// Requests answered 200 whose delivery had been answered so before.
    pub(crate) accepted_again: u64,
    /// Requests that were answered 429 or 503.
    pub(crate) refused: u64,
    /// Signatures checked.
    pub(crate) verified: u64,
    /// Signatures that were wrong.
    pub(crate) forged: u64,
    /// When the first of its events was published.
    pub(crate) first_published_ns: u64,
    /// When the first request came.
    pub(crate) first_ns: u64,
    /// When the last one came.
    pub(crate) last_ns: u64,
    /// When a delivery was last answered 200.
    pub(crate) last_accepted_ns: u64,
}

/// All books.
#[derive(Default)]
pub(super) struct Ledger {
    runs: HashMap<u32, Run>,
}

#[derive(Default)]
struct Run {
    summary: Summary,
    /// For each event a bit for each endpoint and attempt: what has come of it.
    seen: Vec<u16>,
    /// For each event a bit for each endpoint: what was answered 200.
    accepted: Vec<u16>,
    arrivals: Vec<Arrived>,
    failed_at_ns: HashMap<(u32, u32), u64>,
    gaps_ns: Vec<u64>,
}

impl Ledger {
    /// Notes a request.
    pub(super) fn arrived(&mut self, arrival: Arrival) {
        self.runs.entry(arrival.run).or_default().arrived(arrival);
    }

    /// Notes an answer at `at_ns`.
    pub(super) fn answered(&mut self, arrival: Arrival, status: u16, at_ns: u64) {
        let run = self.runs.entry(arrival.run).or_default();
        run.answered(arrival, status, at_ns);
    }

    pub(super) fn summary(&self, run: u32) -> Summary {
        self.runs
            .get(&run)
            .map(|run| run.summary.clone())
            .unwrap_or_default()
    }

    pub(super) fn arrivals(&self, run: u32) -> &[Arrived] {
        self.runs.get(&run).map_or(&[], |run| &run.arrivals)
    }

    /// When the `count`th request of a run came.
    pub(super) fn reached_at(&self, run: u32, count: usize) -> Option<u64> {
        let arrived = self.arrivals(run).get(count.checked_sub(1)?)?;
        Some(arrived.at_ns)
    }

    /// Between the answer to a failed attempt and the next attempt.
    pub(super) fn gaps(&self, run: u32) -> &[u64] {
        self.runs.get(&run).map_or(&[], |run| &run.gaps_ns)
    }
}

impl Run {
    fn arrived(&mut self, arrival: Arrival) {
        let summary = &mut self.summary;
        match arrival.verified {
            Some(true) => summary.verified += 1,
            Some(false) => summary.forged += 1,
            None => {}
        }
        let attempt = arrival.attempt.clamp(1, MOST_ATTEMPTS) - 1;
        if !set(
            &mut self.seen,
            arrival.number,
            nth(arrival) * MOST_ATTEMPTS + attempt,
        ) {
            summary.duplicated += 1;
            return;
        }
        summary.received += 1;
        if summary.received == 1 {
            summary.first_ns = arrival.at_ns;
            summary.first_published_ns = arrival.published_ns;
        }
        summary.first_published_ns = summary.first_published_ns.min(arrival.published_ns);
        summary.last_ns = arrival.at_ns;
        let key = (arrival.number, arrival.nth);
        if let Some(failed_at) = self.failed_at_ns.remove(&key) {
            self.gaps_ns.push(arrival.at_ns.saturating_sub(failed_at));
        }
        self.arrivals.push(Arrived {
            published_ns: arrival.published_ns,
            at_ns: arrival.at_ns,
        });
    }

    fn answered(&mut self, arrival: Arrival, status: u16, at_ns: u64) {
        if status != 200 {
            self.failed_at_ns.insert((arrival.number, arrival.nth), at_ns);
        }
        match status {
            200 if set(&mut self.accepted, arrival.number, nth(arrival)) => {
                self.summary.accepted += 1;
                self.summary.last_accepted_ns = at_ns;
            }
            200 => self.summary.accepted_again += 1,
            429 | 503 => self.summary.refused += 1,
            _ => {}
        }
    }
}

/// The place of an endpoint among those of its company.
fn nth(arrival: Arrival) -> u32 {
    arrival.nth.min(MOST_ENDPOINTS - 1)
}

/// Sets a bit of an event, and says whether it was not set before.
fn set(bits: &mut Vec<u16>, number: u32, bit: u32) -> bool {
    let index = number as usize;
    if index >= bits.len() {
        bits.resize(index + 1, 0);
    }
    let Some(word) = bits.get_mut(index) else {
        return false;
    };
    let was_set = *word & (1 << bit) != 0;
    *word |= 1 << bit;
    !was_set
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Arrival = Arrival {
        run: 1,
        number: 0,
        nth: 0,
        attempt: 1,
        published_ns: 100,
        at_ns: 150,
        verified: None,
    };

    #[test]
    fn what_comes_twice_is_a_duplicate_and_counts_once() {
        let mut ledger = Ledger::default();
        for arrival in [
            FIRST,
            Arrival {
                number: 7,
                at_ns: 170,
                published_ns: 90,
                verified: Some(true),
                ..FIRST
            },
            Arrival { at_ns: 190, ..FIRST },
            Arrival {
                run: 2,
                verified: Some(false),
                ..FIRST
            },
        ] {
            ledger.arrived(arrival);
            ledger.answered(arrival, 200, arrival.at_ns);
        }
        let wanted = Summary {
            received: 2,
            duplicated: 1,
            accepted: 2,
            accepted_again: 1,
            refused: 0,
            verified: 1,
            forged: 0,
            first_published_ns: 90,
            first_ns: 150,
            last_ns: 170,
            last_accepted_ns: 170,
        };
        assert_eq!(ledger.summary(1), wanted);
        assert_eq!(ledger.summary(2).forged, 1);
        assert_eq!(ledger.summary(3), Summary::default());
        assert_eq!(ledger.arrivals(1).len(), 2);
        assert_eq!(
            [0, 1, 2, 3].map(|count| ledger.reached_at(1, count)),
            [None, Some(150), Some(170), None]
        );
    }

    #[test]
    fn endpoints_of_one_event_and_its_retries_are_told_apart() {
        let mut ledger = Ledger::default();
        for nth in 0..MOST_ENDPOINTS {
            for attempt in 1..=MOST_ATTEMPTS {
                ledger.arrived(Arrival {
                    nth,
                    attempt,
                    ..FIRST
                });
            }
        }
        assert_eq!(ledger.summary(1).received, 16);
        assert_eq!(ledger.summary(1).duplicated, 0);
    }

    #[test]
    fn a_delivery_that_was_refused_counts_once_when_it_is_accepted() {
        let mut ledger = Ledger::default();
        for (attempt, status) in [(1, 429), (2, 503), (3, 200), (4, 200)] {
            let arrival = Arrival { attempt, ..FIRST };
            ledger.arrived(arrival);
            ledger.answered(arrival, status, 200 + u64::from(attempt));
        }
        let summary = ledger.summary(1);
        assert_eq!((summary.received, summary.refused), (4, 2));
        assert_eq!((summary.accepted, summary.accepted_again), (1, 1));
        assert_eq!(summary.last_accepted_ns, 203);
    }

    #[test]
    fn the_gap_before_a_retry_begins_with_the_answer_to_the_failed_attempt() {
        let mut ledger = Ledger::default();
        ledger.arrived(FIRST);
        ledger.answered(FIRST, 500, 160);
        ledger.arrived(Arrival {
            attempt: 2,
            at_ns: 1_160,
            ..FIRST
        });
        assert_eq!(ledger.gaps(1), [1_000]);
    }
}
