//! Conservation: what went in must be found again, and nothing else. One ledger of what the broker confirmed, of each request
//! that receivers saw and of what stands in queues; what is wrong with it is told by the ids.
//!
//! The rules have numbers, by which the fault suite names them:
//! 1. Nothing is lost. 2. Nothing comes that nobody asked for. 3. What comes twice has the same id and the same bytes, and no more
//!    of it than the faults explain.
//! 4. As many attempts are recorded as were made, without a fault; and never more are made than the schedule and the faults allow.
//! 5. No gap between two attempts is shorter than the schedule's. 6. Each attempt is signed anew, at its own time.
//!
//! That nothing is stuck (7) and no output holds a secret (9) is asked of each world at its end; memory (8) of the programs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use hookline_producer::Event;
use serde_json::Value;
use tokio::time::Instant;

use crate::broker::Stored;
use crate::receiver::{Received, Receiver};
use crate::signature;

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
}

/// What became of everything. All lists are of ids, and empty where all is well; `duplicated` and `recovered` may be otherwise.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Accepted, and found nowhere.
    pub lost: Vec<Key>,
    /// Seen at an endpoint that should not have it.
    pub unexpected: Vec<Key>,
    /// Answered 2xx more than once.
    pub duplicated: Vec<Key>,
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

    /// The broker has confirmed these events, and each of the endpoints should get them.
    pub fn accepted<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>, endpoints: &[&str]) {
        for event in events {
            for endpoint in endpoints {
                self.accepted.insert(key(event.id.as_str(), endpoint));
            }
        }
    }

    /// These events may have been stored, nobody knows: they may come and need not.
    pub fn attempted<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>, endpoints: &[&str]) {
        for event in events {
            for endpoint in endpoints {
                self.attempted.insert(key(event.id.as_str(), endpoint));
            }
        }
    }

    /// What the receiver behind `endpoint` has seen.
    pub fn saw(&mut self, endpoint: &str, receiver: &Receiver) {
        self.saw_signed(endpoint, None, receiver);
    }

    /// The same, whose signatures in the standard's format are by `secret`.
    pub fn saw_signed<'a>(
        &mut self,
        endpoint: &str,
        secret: impl Into<Option<&'a str>>,
        receiver: &Receiver,
    ) {
        let secret = secret.into();
        for request in receiver.requests() {
            let seen = Seen {
                attempt: request.attempt(),
                fault: fault_of(&request, secret),
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

    /// When the first delivery after this moment was made.
    #[must_use]
    pub fn first_after(&self, moment: Instant) -> Option<Instant> {
        let requests = self.seen.values().flatten();
        let after = requests.filter(|seen| seen.is_accepted && seen.arrived >= moment);
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
                    faults.map(|fault| (key.clone(), fault))
                })
                .collect(),
        }
    }

    fn is_hasty(&self, seen: &[Seen]) -> bool {
        seen.iter().any(|one| {
            let Some(before) = one.attempt.checked_sub(1).filter(|before| *before > 0) else {
                return false;
            };
            let Some(delay) = self.schedule.get(before as usize - 1) else {
                return false;
            };
            // Of attempts that were repeated, the first that ended counts: whichever was replaced ended no sooner.
            let ended = seen
                .iter()
                .filter(|other| other.attempt == before)
                .filter_map(|other| other.ended)
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
    /// twice.
    ///
    /// # Panics
    /// When it is not so.
    pub fn nothing_is_lost(&self, most_duplicates: usize) {
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
    }
}

fn times_accepted(seen: &[Seen]) -> usize {
    seen.iter().filter(|one| one.is_accepted).count()
}

/// What is wrong with a request's time or signature.
fn fault_of(request: &Received, secret: Option<&str>) -> Option<String> {
    let timestamp = request.header("webhook-timestamp");
    if timestamp.is_empty() {
        // Meeva's format has none.
        return None;
    }
    let Ok(signed_at) = timestamp.parse::<i64>() else {
        return Some(format!("the timestamp is {timestamp:?}"));
    };
    if (request.arrived_unix - signed_at).abs() > FRESH_S {
        return Some(format!(
            "signed at {signed_at}, arrived at {}",
            request.arrived_unix
        ));
    }
    let expected = signature::standard(secret?, request.id(), timestamp, &request.body);
    let is_signed = request
        .header("webhook-signature")
        .split(' ')
        .any(|one| one == expected);
    (!is_signed).then(|| format!("not signed with {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::new("acme", "booking.created", "{}").unwrap()
    }

    fn seen(attempt: u32, is_accepted: bool) -> Seen {
        let now = Instant::now();
        Seen {
            attempt,
            body: Bytes::from_static(b"{}"),
            arrived: now,
            ended: Some(now),
            is_accepted,
            fault: None,
        }
    }

    fn delivered(judge: &mut Judge, event: &Event, endpoint: &str, times: u32) {
        let requests = (0..times).map(|_| seen(1, true));
        judge
            .seen
            .entry(key(event.id.as_str(), endpoint))
            .or_default()
            .extend(requests);
    }

    #[test]
    fn what_is_found_nowhere_is_lost() {
        let (mut judge, event) = (Judge::default(), event());
        judge.accepted([&event], &["a", "b"]);
        delivered(&mut judge, &event, "a", 1);
        assert_eq!(judge.verdict().lost, [key(event.id.as_str(), "b")]);
    }

    #[test]
    fn what_was_asked_for_and_never_taken_is_lost_too() {
        let (mut judge, event) = (Judge::default(), event());
        judge.accepted([&event], &["a"]);
        judge
            .seen
            .insert(key(event.id.as_str(), "a"), vec![seen(1, false)]);
        assert_eq!(judge.verdict().lost.len(), 1);
    }

    #[test]
    fn what_nobody_asked_for_is_unexpected_and_what_is_in_doubt_is_recovered() {
        let (mut judge, ours, doubtful) = (Judge::default(), event(), event());
        judge.accepted([&ours], &["a"]);
        judge.attempted([&doubtful], &["a"]);
        delivered(&mut judge, &ours, "a", 1);
        delivered(&mut judge, &doubtful, "a", 1);
        let all_well = Verdict {
            recovered: vec![key(doubtful.id.as_str(), "a")],
            ..Verdict::default()
        };
        assert_eq!(judge.verdict(), all_well);
        delivered(&mut judge, &ours, "other", 1);
        assert_eq!(judge.verdict().unexpected, [key(ours.id.as_str(), "other")]);
    }

    #[test]
    fn what_is_answered_twice_is_a_duplicate_and_has_the_same_bytes() {
        let (mut judge, event) = (Judge::default(), event());
        judge.accepted([&event], &["a"]);
        delivered(&mut judge, &event, "a", 2);
        let key = key(event.id.as_str(), "a");
        assert_eq!(judge.verdict().duplicated, std::slice::from_ref(&key));
        assert_eq!(judge.verdict().changed, []);
        judge.seen.get_mut(&key).unwrap()[1].body = Bytes::from_static(b"{ }");
        assert_eq!(judge.verdict().changed, [key]);
    }

    #[test]
    fn an_attempt_before_its_time_is_hasty_and_one_beyond_the_schedule_excessive() {
        let (mut judge, event) = (Judge::with_schedule(&[Duration::from_secs(1)]), event());
        judge.accepted([&event], &["a"]);
        let key = key(event.id.as_str(), "a");
        let (first, mut second) = (seen(1, false), seen(2, true));
        second.arrived = first.arrived + Duration::from_millis(1000);
        judge
            .seen
            .insert(key.clone(), vec![first.clone(), second.clone()]);
        assert_eq!(judge.verdict(), Verdict::default());
        second.arrived = first.arrived + Duration::from_millis(999);
        judge
            .seen
            .insert(key.clone(), vec![first.clone(), second.clone()]);
        assert_eq!(judge.verdict().hasty, std::slice::from_ref(&key));
        let third = Seen { attempt: 3, ..second };
        judge.seen.insert(key.clone(), vec![first, third]);
        assert_eq!(judge.verdict().excessive, [key]);
    }

    #[test]
    fn each_request_has_a_record_and_each_record_a_request() {
        let (mut judge, event) = (Judge::default(), event());
        delivered(&mut judge, &event, "a", 1);
        let record = |endpoint: &str| serde_json::json!({"event": event.id.as_str(), "endpoint": endpoint});
        assert_eq!(judge.misrecorded(), [key(event.id.as_str(), "a")]);
        judge.recorded([&record("a")]);
        assert_eq!(judge.misrecorded(), []);
        judge.recorded([&record("b")]);
        assert_eq!(judge.misrecorded(), [key(event.id.as_str(), "b")]);
    }
}
