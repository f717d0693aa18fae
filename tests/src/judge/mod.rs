//! Conservation: what went in must be found again, and nothing else. One ledger of what the broker confirmed, of each request
//! that receivers saw and of what stands in queues; what is wrong with it is told by the ids.
//!
//! The rules have numbers, by which the fault suite names them:
//! 1. Nothing is lost. 2. Nothing comes that nobody asked for. 3. What comes twice has the same id and the same bytes, and no more
//!    of it than the faults explain: of requests, whatever they were answered, as of deliveries.
//! 4. As many attempts are recorded as were made, without a fault; and never more are made than the schedule and the faults allow.
//! 5. No gap between two attempts is shorter than the schedule's. 6. Each attempt is signed anew, at its own time.
//!
//! That nothing is stuck (7) and no output holds a secret (9) is asked of each world at its end; memory (8) of the programs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use hookline_common::schedule::RetrySchedule;
use hookline_producer::Event;
use serde_json::Value;
use tokio::time::Instant;

use crate::broker::Stored;
use crate::dispatcher::RETRY_SCHEDULE;
use crate::endpoint::SECRET;
use crate::moment::{Moment, made_at_ms};
use crate::receiver::{Received, Receiver};
use crate::signature;

#[cfg(test)]
mod tests;

/// One event at one endpoint.
type Key = (String, String);

/// How far a timestamp may be from the arrival of the request that it stands in: a machine may be busy in between.
const FRESH_S: i64 = 60;

/// A request of one delivery.
#[derive(Debug, Clone)]
struct Seen {
    attempt: u32,
    body: Bytes,
    arrived: Instant,
    ended: Option<Instant>,
    is_accepted: bool,
    /// The time that it is signed with, in seconds since the epoch.
    signed_at: Option<i64>,
    /// What is wrong with its time or its signature.
    fault: Option<String>,
}

/// Gathers what was asked for and what was found.
#[derive(Debug, Default)]
pub struct Judge {
    accepted: BTreeSet<Key>,
    attempted: BTreeSet<Key>,
    seen: BTreeMap<Key, Vec<Seen>>,
    kept: BTreeSet<Key>,
    recorded: BTreeMap<Key, usize>,
    schedule: Vec<Duration>,
    /// By how much the clocks of those who sign are off, in seconds; none is the same as 0.
    clocks_s: Vec<i64>,
}

/// What became of everything. All lists are of ids, and empty where all is well; `duplicated`, `copies` and
/// `recovered` may be otherwise.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Accepted, and found nowhere.
    pub lost: Vec<Key>,
    /// Seen at an endpoint that should not have it.
    pub unexpected: Vec<Key>,
    /// Answered 2xx more than once.
    pub duplicated: Vec<Key>,
    /// Attempts that were made before under the same number, whatever they were answered: each request too many is here once.
    pub copies: Vec<(Key, u32)>,
    /// In doubt when it was published, and delivered.
    pub recovered: Vec<Key>,
    /// Sent with different bodies.
    pub changed: Vec<Key>,
    /// Attempted again sooner than the schedule says.
    pub hasty: Vec<Key>,
    /// Attempted under a number that the schedule has not.
    pub excessive: Vec<Key>,
    /// With a signature or a time that is not of that attempt.
    pub stale: Vec<(Key, String)>,
}

fn key(event: &str, endpoint: &str) -> Key {
    (event.to_owned(), endpoint.to_owned())
}

impl Judge {
    /// One that also holds attempts to a schedule.
    #[must_use]
    pub fn with_schedule(delays: &[Duration]) -> Self {
        Self {
            schedule: delays.into(),
            ..Self::default()
        }
    }

    /// One that holds attempts to the schedule that dispatchers have in scenarios, where nothing else is said.
    ///
    /// # Panics
    /// Never: it is a schedule.
    #[must_use]
    pub fn with_usual_schedule() -> Self {
        let schedule: RetrySchedule = RETRY_SCHEDULE.parse().expect("a schedule");
        let delays = schedule.delays().iter().map(|delay| delay.as_duration());
        Self::with_schedule(&delays.collect::<Vec<_>>())
    }

    /// Those who sign have clocks that are off by one of these, in seconds.
    #[must_use]
    pub fn with_clocks(mut self, offsets_s: &[i64]) -> Self {
        self.clocks_s = offsets_s.into();
        self
    }

    /// The broker has confirmed these events, and each of the endpoints should get them.
    pub fn accepted<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>, endpoints: &[&str]) {
        for event in events {
            for endpoint in endpoints {
                self.accepted.insert(key(event.id.as_str(), endpoint));
            }
        }
    }

    /// The same of events that were made by hand.
    pub fn accepted_ids(&mut self, ids: impl IntoIterator<Item = String>, endpoint: &str) {
        let keys = ids.into_iter().map(|id| key(&id, endpoint));
        self.accepted.extend(keys);
    }

    /// These events may have been stored, nobody knows: they may come and need not.
    pub fn attempted<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>, endpoints: &[&str]) {
        for event in events {
            for endpoint in endpoints {
                self.attempted.insert(key(event.id.as_str(), endpoint));
            }
        }
    }

    /// What the receiver behind `endpoint` has seen, signed with the secret that endpoints have in scenarios.
    pub fn saw(&mut self, endpoint: &str, receiver: &Receiver) {
        self.saw_signed(endpoint, &[SECRET], receiver);
    }

    /// The same, signed with one of these secrets.
    pub fn saw_signed(&mut self, endpoint: &str, secrets: &[&str], receiver: &Receiver) {
        self.saw_requests(endpoint, secrets, &receiver.requests());
    }

    /// The same of some requests.
    pub fn saw_requests<'a>(
        &mut self,
        endpoint: &str,
        secrets: &[&str],
        requests: impl IntoIterator<Item = &'a Received>,
    ) {
        for request in requests {
            let seen = Seen {
                attempt: request.attempt(),
                fault: self.fault_of(request, secrets),
                signed_at: request.header("webhook-timestamp").parse().ok(),
                is_accepted: request.is_accepted(),
                arrived: request.arrived,
                ended: request.ended,
                body: request.body.clone(),
            };
            self.seen
                .entry(key(request.id(), endpoint))
                .or_default()
                .push(seen);
        }
    }

    /// Deliveries that lie in a queue where they may stay: `failed`, or one that waits.
    pub fn kept<'a>(&mut self, messages: impl IntoIterator<Item = &'a Stored>) {
        for message in messages {
            self.kept.insert(key(message.id(), message.text("endpoint")));
        }
    }

    /// Events that lie in a queue whole, before they became deliveries or because nobody can make any of them.
    pub fn kept_whole<'a>(&mut self, messages: impl IntoIterator<Item = &'a Stored>, endpoints: &[&str]) {
        for message in messages {
            for endpoint in endpoints {
                self.kept.insert(key(message.id(), endpoint));
            }
        }
    }

    /// Deliveries whose record says that they were discarded, because their endpoint is gone.
    pub fn discarded<'a>(&mut self, records: impl IntoIterator<Item = &'a Value>) {
        for record in records {
            let text = |name: &str| record[name].as_str().unwrap_or_default();
            if text("outcome") == "discarded" {
                self.kept.insert(key(text("event"), text("endpoint")));
            }
        }
    }

    /// What the log says, each record once.
    pub fn recorded<'a>(&mut self, records: impl IntoIterator<Item = &'a Value>) {
        for record in records {
            let text = |name: &str| record[name].as_str().unwrap_or_default();
            *self
                .recorded
                .entry(key(text("event"), text("endpoint")))
                .or_default() += 1;
        }
    }

    /// How many requests have come.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.seen.values().map(Vec::len).sum()
    }

    /// How many deliveries have been answered 2xx.
    #[must_use]
    pub fn delivered(&self) -> usize {
        self.seen.values().filter(|seen| times_accepted(seen) > 0).count()
    }

    /// How many deliveries should be found.
    #[must_use]
    pub fn expected(&self) -> usize {
        self.accepted.len()
    }

    /// When the first delivery was made of an event that was made after this moment itself: any other may have been in hand by then.
    /// Where no such event was accepted, the first delivery of any.
    #[must_use]
    pub fn first_after(&self, moment: Moment) -> Option<Instant> {
        let is_made_since = |(event, _): &Key| made_at_ms(event).is_some_and(|made| made > moment.unix_ms());
        let is_told_by_its_events = self.accepted.iter().any(is_made_since);
        let telling = self
            .seen
            .iter()
            .filter(|(key, _)| !is_told_by_its_events || is_made_since(key));
        let after = telling
            .flat_map(|(_, seen)| seen)
            .filter(|seen| seen.is_accepted && seen.arrived >= moment.at());
        after.map(|seen| seen.arrived).min()
    }

    /// Deliveries whose records are not as many as their requests: rule 4, where there was no fault.
    #[must_use]
    pub fn misrecorded(&self) -> Vec<Key> {
        let keys: BTreeSet<_> = self.seen.keys().chain(self.recorded.keys()).collect();
        let requests = |key: &Key| self.seen.get(key).map_or(0, Vec::len);
        keys.into_iter()
            .filter(|key| self.recorded.get(*key).copied().unwrap_or(0) != requests(key))
            .cloned()
            .collect()
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let is_delivered = |key: &Key| self.seen.get(key).is_some_and(|seen| times_accepted(seen) > 0);
        let is_asked_for = |key: &&Key| self.accepted.contains(*key) || self.attempted.contains(*key);
        let found: BTreeSet<&Key> = self.seen.keys().chain(&self.kept).collect();
        let of_requests = |is_wrong: &dyn Fn(&[Seen]) -> bool| {
            let wrong = self.seen.iter().filter(|(_, seen)| is_wrong(seen));
            wrong.map(|(key, _)| key.clone()).collect::<Vec<_>>()
        };
        Verdict {
            lost: self
                .accepted
                .iter()
                .filter(|key| !is_delivered(key) && !self.kept.contains(*key))
                .cloned()
                .collect(),
            unexpected: found
                .into_iter()
                .filter(|key| !is_asked_for(key))
                .cloned()
                .collect(),
            duplicated: of_requests(&|seen| times_accepted(seen) > 1),
            copies: self
                .seen
                .iter()
                .flat_map(|(key, seen)| copies(seen).into_iter().map(|attempt| (key.clone(), attempt)))
                .collect(),
            recovered: self
                .attempted
                .iter()
                .filter(|key| !self.accepted.contains(*key) && is_delivered(key))
                .cloned()
                .collect(),
            changed: of_requests(&|seen| seen.iter().any(|one| one.body != seen[0].body)),
            hasty: of_requests(&|seen| self.is_hasty(seen)),
            excessive: of_requests(&|seen| self.is_excessive(seen)),
            stale: self
                .seen
                .iter()
                .flat_map(|(key, seen)| {
                    let faults = seen.iter().filter_map(|one| one.fault.clone());
                    let faults = faults.chain(self.not_signed_anew(seen));
                    faults.map(|fault| (key.clone(), fault))
                })
                .collect(),
        }
    }

    /// What is wrong with a request's time or signature.
    fn fault_of(&self, request: &Received, secrets: &[&str]) -> Option<String> {
        let timestamp = request.header("webhook-timestamp");
        if timestamp.is_empty() {
            // Meeva's signature is of no time.
            let is_meeva = !request.header("meeva-signature").is_empty();
            return (!is_meeva).then(|| "neither a time nor a signature of Meeva's".to_owned());
        }
        let Ok(signed_at) = timestamp.parse::<i64>() else {
            return Some(format!("the timestamp is {timestamp:?}"));
        };
        let clocks: &[i64] = if self.clocks_s.is_empty() {
            &[0]
        } else {
            &self.clocks_s
        };
        let is_fresh = |off: &i64| (request.arrived_unix + off - signed_at).abs() <= FRESH_S;
        if !clocks.iter().any(is_fresh) {
            return Some(format!(
                "signed at {signed_at}, arrived at {}",
                request.arrived_unix
            ));
        }
        let signed = request.header("webhook-signature");
        let is_by = |secret: &&str| {
            let expected = signature::standard(secret, request.id(), timestamp, &request.body);
            signed.split(' ').any(|one| one == expected)
        };
        (!secrets.iter().any(is_by)).then(|| format!("the signature is {signed:?}, by none of its secrets"))
    }

    /// Attempts whose time of signing is not later than that of the attempt before: timestamps are of whole seconds, so that a delay
    /// of a second or more must show. Where clocks jump nothing is known.
    fn not_signed_anew(&self, seen: &[Seen]) -> Vec<String> {
        if !self.clocks_s.is_empty() {
            return Vec::new();
        }
        let stale = seen.iter().filter_map(|one| {
            let before = one.attempt.checked_sub(1).filter(|before| *before > 0)?;
            let delay = self.schedule.get(before as usize - 1)?;
            if *delay < Duration::from_secs(1) {
                return None;
            }
            let earliest = seen.iter().filter(|other| other.attempt == before);
            let (earliest, signed_at) = (earliest.filter_map(|it| it.signed_at).min()?, one.signed_at?);
            let attempt = one.attempt;
            (signed_at <= earliest)
                .then(|| format!("attempt {attempt} is signed at {signed_at}, the one before at {earliest}"))
        });
        stale.collect()
    }

    fn is_hasty(&self, seen: &[Seen]) -> bool {
        seen.iter().any(|one| {
            let Some(before) = one.attempt.checked_sub(1).filter(|before| *before > 0) else {
                return false;
            };
            let Some(delay) = self.schedule.get(before as usize - 1) else {
                return false;
            };
            // Of attempts that were repeated, the first that ended counts: whichever was replaced ended no sooner. One that had
            // no answer ended when its sender gave it up, of which no more is known here than that it had begun.
            let ended = seen
                .iter()
                .filter(|other| other.attempt == before)
                .map(|other| other.ended.unwrap_or(other.arrived))
                .min();
            ended.is_some_and(|ended| one.arrived.saturating_duration_since(ended) < *delay)
        })
    }

    fn is_excessive(&self, seen: &[Seen]) -> bool {
        !self.schedule.is_empty()
            && seen
                .iter()
                .any(|one| one.attempt as usize > self.schedule.len() + 1)
    }

    /// The verdict of a run with faults: nothing lost, nothing unexpected, nothing changed, hasty or stale, and at most this many
    /// deliveries twice, by as many requests.
    ///
    /// # Panics
    /// When it is not so.
    pub fn nothing_is_lost(&self, most: usize) {
        self.nothing_is_lost_and_few_come_again(most, most);
    }

    /// The same with at most this many deliveries twice, and this many requests of attempts that were made before.
    ///
    /// # Panics
    /// When it is not so.
    pub fn nothing_is_lost_and_few_come_again(&self, most_duplicates: usize, most_copies: usize) {
        let verdict = self.verdict();
        let what_may_not_be = [
            verdict.lost.len(),
            verdict.unexpected.len(),
            verdict.changed.len(),
            verdict.hasty.len(),
            verdict.excessive.len(),
            verdict.stale.len(),
        ];
        assert!(
            what_may_not_be == [0; 6],
            "{} of {} lost, {} unexpected: {verdict:#?}",
            verdict.lost.len(),
            self.accepted.len(),
            verdict.unexpected.len()
        );
        let duplicates = verdict.duplicated.len();
        assert!(
            duplicates <= most_duplicates,
            "{duplicates} deliveries came twice, at most {most_duplicates} may: {:?}",
            verdict.duplicated
        );
        let copies = verdict.copies.len();
        assert!(
            copies <= most_copies,
            "{copies} requests repeat an attempt, at most {most_copies} may: {:?}",
            verdict.copies
        );
    }
}

fn times_accepted(seen: &[Seen]) -> usize {
    seen.iter().filter(|one| one.is_accepted).count()
}

/// The numbers of the attempts that were made before, each as often as it was made again.
fn copies(seen: &[Seen]) -> Vec<u32> {
    let mut made = BTreeSet::new();
    let numbers = seen.iter().map(|one| one.attempt);
    numbers.filter(|attempt| !made.insert(*attempt)).collect()
}
