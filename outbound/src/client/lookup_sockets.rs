//! The sockets with which name servers are asked: a place for each, and no more of them than were set aside. At times nobody
//! answers for hundreds of names, and each is waited for as long as a request may take. So all that takes long shares half of the
//! places; the other half is for names that have their answer within moments, as nearly all do.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_resolver::net::NetError;
use hickory_resolver::proto::op::Query;
use tokio::time::{Instant, timeout};

use super::Shortage;
use super::room::{Places, Room};

/// How long a question waits for a place at most: after a start very many names are asked for at once, and a socket that is
/// answered is free within milliseconds.
const PLACE_WITHIN: Duration = Duration::from_millis(500);
/// What has no answer by then takes long. The caches of name servers answer within milliseconds, and those that have to ask
/// elsewhere first within a second.
const LONG: Duration = Duration::from_secs(2);
/// How long it counts that nobody answered a question: longer than the first two delays of the usual schedule. Until then it is asked from
/// among those that take long, so that retries for dead names are in nobody else's way; an answer ends it.
const SILENCE_COUNTS: Duration = Duration::from_secs(400);
/// The same of a question that was answered before: a moment in which its name servers are slow may cost its endpoint an attempt, and
/// not the next one, a minute later.
const SILENCE_OF_ANSWERED_COUNTS: Duration = Duration::from_secs(30);
/// So many questions that were answered are remembered; then all are forgotten, and remembered again with their next answers.
const MAX_ANSWERED: usize = 10_000;
/// So many silent questions are remembered at most.
const MAX_SILENT: usize = 10_000;
/// How often those are forgotten whose silence counts no more. Names are many where somebody makes them up.
const FORGOTTEN_EVERY: Duration = Duration::from_secs(1);

/// Said of a name that nobody answers for, where as many are waited for as may be. Of errors that are words hickory takes the first for the
/// answer; what goes wrong with a socket it forgets.
const STAYS_SILENT: NetError = NetError::Message("nobody answers for this name, as for many others");

/// What of ours a question lacked, as an error that comes through hickory.
pub(super) fn want_of(shortage: Shortage) -> NetError {
    NetError::Message(shortage.as_str())
}

/// What of ours has run out, where that is why nobody could be asked.
pub(super) fn lacking(error: &NetError) -> Option<Shortage> {
    let NetError::Message(name) = error else {
        return None;
    };
    Shortage::ALL
        .into_iter()
        .find(|shortage| shortage.as_str() == *name)
}

/// The places of all sockets for name lookups. Clones are the same.
#[derive(Clone)]
pub(super) struct LookupSockets(Arc<Shared>);

struct Shared {
    all: Room,
    /// Half as many, held beside those by all that takes long.
    long: Room,
    known: Mutex<Known>,
}

struct Known {
    /// Questions that nobody answered for too long, and when that was.
    silent: HashMap<Query, Instant>,
    /// Questions that were answered.
    answered: HashSet<Query>,
    forgotten: Option<Instant>,
    place_within: Duration,
    long: Duration,
}

/// What a question holds for one socket. Dropped, its places are free again.
pub(super) struct Allowance {
    /// Where it may take long.
    long: Option<Places>,
    _socket: Places,
}

impl LookupSockets {
    /// None, until some are added.
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            all: Room::new(0),
            long: Room::new(0),
            known: Mutex::new(Known {
                silent: HashMap::new(),
                answered: HashSet::new(),
                forgotten: None,
                place_within: PLACE_WITHIN,
                long: LONG,
            }),
        }))
    }

    /// So many more, for requests that may take so long.
    pub(super) fn add(&self, count: usize, request_timeout: Duration) {
        self.0.all.add(count);
        self.0.long.add(count / 2);
        // Whoever waits in vain must have the time to say so, and what takes long be told from the rest before its time is up.
        let mut known = self.known();
        known.place_within = PLACE_WITHIN.min(request_timeout / 4);
        known.long = LONG.min(request_timeout / 2);
    }

    /// After how long a question takes long.
    pub(super) fn long(&self) -> Duration {
        self.known().long
    }

    /// What the first socket of a question needs. One that nobody answered lately has to be among those that take long.
    ///
    /// # Errors
    /// [`Shortage::Connections`] where there is no place. Where that question was silent lately its silence counts on, which is no
    /// want of ours. Otherwise dead names would have no attempt fail, and ask again every two seconds.
    pub(super) async fn begin(&self, question: &Query) -> Result<Allowance, NetError> {
        let long = if self.was_silent(question) {
            let place = self.place(&self.0.long).await;
            Some(place.ok_or(STAYS_SILENT)?)
        } else {
            None
        };
        match self.place(&self.0.all).await {
            Some(place) => Ok(Allowance { long, _socket: place }),
            None if long.is_some() => Err(STAYS_SILENT),
            None => Err(want_of(Shortage::Connections)),
        }
    }

    /// `question` takes long by now, and would be waited for on.
    ///
    /// # Errors
    /// Where too many others are waited for already.
    pub(super) fn wait_on(&self, question: &Query, allowance: &mut Allowance) -> Result<(), NetError> {
        self.note_silence(question);
        if allowance.long.is_none() {
            let place = self.0.long.ask(1).ok();
            allowance.long = Some(place.ok_or(STAYS_SILENT)?);
        }
        Ok(())
    }

    /// The same as `first` once more, if nobody waits for it: for a socket that is good to have and need not be.
    pub(super) fn another(&self, first: &Allowance) -> Option<Allowance> {
        let long = match first.long {
            Some(_) => Some(self.0.long.ask(1).ok()?),
            None => None,
        };
        let socket = self.0.all.ask(1).ok()?;
        Some(Allowance {
            long,
            _socket: socket,
        })
    }

    /// There is an answer to `question`.
    pub(super) fn has_answer(&self, question: &Query) {
        let mut known = self.known();
        known.silent.remove(question);
        if !known.answered.contains(question) {
            if known.answered.len() >= MAX_ANSWERED {
                known.answered.clear();
            }
            known.answered.insert(question.clone());
        }
    }

    fn note_silence(&self, question: &Query) {
        let now = Instant::now();
        let mut known = self.known();
        let is_due = |at| now.saturating_duration_since(at) >= FORGOTTEN_EVERY;
        if known.forgotten.is_none_or(is_due) {
            known
                .silent
                .retain(|_, since| now.saturating_duration_since(*since) < SILENCE_COUNTS);
            known.forgotten = Some(now);
        }
        if known.silent.len() < MAX_SILENT {
            known.silent.insert(question.clone(), now);
        }
    }

    fn was_silent(&self, question: &Query) -> bool {
        let now = Instant::now();
        let known = self.known();
        let counts_for = if known.answered.contains(question) {
            SILENCE_OF_ANSWERED_COUNTS
        } else {
            SILENCE_COUNTS
        };
        let since = known.silent.get(question);
        since.is_some_and(|since| now.saturating_duration_since(*since) < counts_for)
    }

    async fn place(&self, room: &Room) -> Option<Places> {
        let in_line = match room.ask(1) {
            Ok(place) => return Some(place),
            Err(in_line) => in_line,
        };
        let within = self.known().place_within;
        timeout(within, in_line.granted()).await.ok().flatten()
    }

    /// How many more sockets there could be now.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.0.all.free()
    }

    /// Every change under the lock is whole.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::{Name, RecordType};
    use tokio::time::advance;

    use super::*;

    const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

    fn question(name: &str) -> Query {
        Query::query(Name::from_ascii(name).unwrap(), RecordType::A)
    }

    fn sockets(count: usize) -> LookupSockets {
        let sockets = LookupSockets::new();
        sockets.add(count, REQUEST_TIMEOUT);
        sockets
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_takes_long_shares_half_of_the_places() {
        let sockets = sockets(8);
        let mut held = Vec::new();
        for number in 0..8 {
            let question = question(&format!("{number}.example."));
            let allowance = sockets.begin(&question).await.unwrap();
            held.push((question, allowance));
        }
        assert_eq!(sockets.free(), 0);
        held.retain_mut(|(question, allowance)| sockets.wait_on(question, allowance).is_ok());
        assert_eq!((held.len(), sockets.free()), (4, 4));
        for (question, allowance) in &mut held {
            assert!(sockets.wait_on(question, allowance).is_ok(), "it has its place");
            assert!(sockets.another(allowance).is_none(), "no more of them");
        }
        // One that was silent has none of the others, also when it is asked once more.
        let silent = sockets.begin(&question("7.example.")).await;
        assert!(matches!(silent, Err(NetError::Message(_))));
        let fresh = sockets.begin(&question("8.example.")).await.unwrap();
        assert!(sockets.another(&fresh).is_some());
        drop(held.pop());
        assert!(sockets.begin(&question("7.example.")).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_counts_until_there_is_an_answer_and_for_longer_where_there_never_was_one() {
        let sockets = sockets(2);
        let mut one = sockets.begin(&question("one.example.")).await.unwrap();
        let mut two = sockets.begin(&question("two.example.")).await.unwrap();
        assert!(sockets.wait_on(&question("one.example."), &mut one).is_ok());
        assert!(sockets.wait_on(&question("two.example."), &mut two).is_err());
        drop(two);
        assert!(sockets.begin(&question("Two.example.")).await.is_err());
        advance(SILENCE_OF_ANSWERED_COUNTS).await;
        assert!(sockets.begin(&question("two.example.")).await.is_err());
        advance(SILENCE_COUNTS - SILENCE_OF_ANSWERED_COUNTS).await;
        let mut two = sockets.begin(&question("two.example.")).await.unwrap();
        assert!(sockets.wait_on(&question("two.example."), &mut two).is_err());
        drop(two);
        sockets.has_answer(&question("two.example."));
        assert!(sockets.begin(&question("two.example.")).await.is_ok());

        let mut two = sockets.begin(&question("two.example.")).await.unwrap();
        assert!(sockets.wait_on(&question("two.example."), &mut two).is_err());
        drop(two);
        assert!(sockets.begin(&question("two.example.")).await.is_err());
        advance(SILENCE_OF_ANSWERED_COUNTS).await;
        assert!(sockets.begin(&question("two.example.")).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_waited_for_but_for_a_moment_and_then_the_want_is_ours() {
        let sockets = sockets(1);
        let held = sockets.begin(&question("one.example.")).await.unwrap();
        let begun = Instant::now();
        let Err(error) = sockets.begin(&question("two.example.")).await else {
            panic!("there is one place");
        };
        assert_eq!(lacking(&error), Some(Shortage::Connections));
        assert_eq!(begun.elapsed(), PLACE_WITHIN);
        let waiting = question("two.example.");
        let (granted, ()) = tokio::join!(sockets.begin(&waiting), async { drop(held) });
        assert!(granted.is_ok());

        // Who has less time is told sooner.
        let sockets = LookupSockets::new();
        sockets.add(0, Duration::from_millis(100));
        let begun = Instant::now();
        assert!(sockets.begin(&waiting).await.is_err());
        assert!(begun.elapsed() < Duration::from_millis(100));
    }
}
