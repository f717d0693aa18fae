//! Conservation: what went in must be found again. Tells what was lost, what nobody asked for, and what came twice.

use std::collections::{BTreeMap, BTreeSet};

use hookline_producer::Event;

use crate::broker::Stored;
use crate::receiver::Receiver;

/// One event at one endpoint.
type Key = (String, String);

/// Gathers what was asked for and what was found.
#[derive(Debug, Default)]
pub struct Judge {
    accepted: BTreeSet<Key>,
    attempted: BTreeSet<Key>,
    delivered: BTreeMap<Key, u32>,
    requested: BTreeSet<Key>,
    kept: BTreeSet<Key>,
}

/// What became of everything.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Accepted, and found nowhere.
    pub lost: Vec<Key>,
    /// Seen at an endpoint that should not have it.
    pub unexpected: Vec<Key>,
    /// Answered 2xx more than once.
    pub duplicated: Vec<Key>,
}

fn key(event: &str, endpoint: &str) -> Key {
    (event.to_owned(), endpoint.to_owned())
}

impl Judge {
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
        for request in receiver.requests() {
            let key = key(request.id(), endpoint);
            if request.is_accepted() {
                *self.delivered.entry(key.clone()).or_default() += 1;
            }
            self.requested.insert(key);
        }
    }

    /// Deliveries that lie in a queue where they may stay: `failed`, or one that waits.
    pub fn kept<'a>(&mut self, messages: impl IntoIterator<Item = &'a Stored>) {
        for message in messages {
            self.kept.insert(key(message.id(), message.text("endpoint")));
        }
    }

    /// How many deliveries have been answered 2xx.
    #[must_use]
    pub fn delivered(&self) -> usize {
        self.delivered.len()
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let is_found = |key: &&Key| self.delivered.contains_key(*key) || self.kept.contains(*key);
        let is_asked_for = |key: &&Key| self.accepted.contains(*key) || self.attempted.contains(*key);
        let seen = self.requested.union(&self.kept);
        Verdict {
            lost: self
                .accepted
                .iter()
                .filter(|key| !is_found(key))
                .cloned()
                .collect(),
            unexpected: seen.filter(|key| !is_asked_for(key)).cloned().collect(),
            duplicated: self
                .delivered
                .iter()
                .filter(|(_, times)| **times > 1)
                .map(|(key, _)| key.clone())
                .collect(),
        }
    }

    /// The verdict of a run with faults: nothing lost, nothing unexpected, and at most this many twice.
    ///
    /// # Panics
    /// When it is not so.
    pub fn nothing_is_lost(&self, most_duplicates: usize) {
        let verdict = self.verdict();
        assert!(
            verdict.lost.is_empty() && verdict.unexpected.is_empty(),
            "{} of {} lost, {} unexpected: {verdict:#?}",
            verdict.lost.len(),
            self.accepted.len(),
            verdict.unexpected.len()
        );
        let duplicates = verdict.duplicated.len();
        assert!(
            duplicates <= most_duplicates,
            "{duplicates} deliveries came twice, at most {most_duplicates} may"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::new("acme", "booking.created", "{}").unwrap()
    }

    fn delivered(judge: &mut Judge, event: &Event, endpoint: &str, times: u32) {
        let key = key(event.id.as_str(), endpoint);
        judge.requested.insert(key.clone());
        judge.delivered.insert(key, times);
    }

    #[test]
    fn what_is_found_nowhere_is_lost() {
        let (mut judge, event) = (Judge::default(), event());
        judge.accepted([&event], &["a", "b"]);
        delivered(&mut judge, &event, "a", 1);
        assert_eq!(judge.verdict().lost, [key(event.id.as_str(), "b")]);
    }

    #[test]
    fn what_nobody_asked_for_is_unexpected_and_what_is_in_doubt_is_not() {
        let (mut judge, ours, doubtful) = (Judge::default(), event(), event());
        judge.accepted([&ours], &["a"]);
        judge.attempted([&doubtful], &["a"]);
        delivered(&mut judge, &ours, "a", 1);
        delivered(&mut judge, &doubtful, "a", 1);
        assert_eq!(judge.verdict(), Verdict::default());
        delivered(&mut judge, &ours, "other", 1);
        assert_eq!(judge.verdict().unexpected, [key(ours.id.as_str(), "other")]);
    }

    #[test]
    fn what_is_answered_twice_is_a_duplicate() {
        let (mut judge, event) = (Judge::default(), event());
        judge.accepted([&event], &["a"]);
        delivered(&mut judge, &event, "a", 2);
        assert_eq!(judge.verdict().duplicated, [key(event.id.as_str(), "a")]);
    }
}
