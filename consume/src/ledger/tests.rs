//! The ledger against a broker that loses connections, over many seeded histories: nothing is acknowledged that was not
//! done, nothing is done twice, and nothing is stuck in the end.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::window::ACK_RUN_DELAY;

/// Faults that were once there, to see that the model finds them.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    /// Work is done without asking whether the message is still ours.
    never_asks: bool,
    /// What is dropped is not told to the ledger.
    forgets_what_is_dropped: bool,
    /// A stop takes what has begun along.
    stop_gives_back_what_has_begun: bool,
    /// A stop moves what has begun, too.
    stop_moves_what_has_begun: bool,
    /// That nobody is asked any more is told of this subscription's messages alone.
    forgets_who_was_asked_before: bool,
}

/// A small generator of random numbers, the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap_or(0)
    }

    fn in_a_hundred(&mut self, chances: usize) -> bool {
        self.below(100) < chances
    }
}

/// One message at the broker.
struct Stored {
    fingerprint: Fingerprint,
    was_given_out: bool,
}

/// Work on a message.
#[derive(Clone, Copy)]
struct Work {
    entry: Entry,
    /// Whether somebody outside is waited for.
    is_asking: bool,
}

/// The broker: what is ready, and what is given out on the connection that stands.
#[derive(Default)]
struct Broker {
    ready: VecDeque<Stored>,
    given_out: HashMap<u64, Stored>,
    next_tag: u64,
    acked: HashMap<Fingerprint, usize>,
}

impl Broker {
    fn ack(&mut self, tag: u64) -> Result<(), String> {
        let message = self
            .given_out
            .remove(&tag)
            .ok_or(format!("tag {tag} acknowledged unasked"))?;
        *self.acked.entry(message.fingerprint).or_default() += 1;
        Ok(())
    }

    fn give_back(&mut self, tag: u64) -> Result<(), String> {
        let mut message = self
            .given_out
            .remove(&tag)
            .ok_or(format!("tag {tag} given back unasked"))?;
        message.was_given_out = true;
        self.ready.push_front(message);
        Ok(())
    }

    fn disconnect(&mut self) {
        let mut tags: Vec<u64> = self.given_out.keys().copied().collect();
        tags.sort_unstable();
        for tag in tags.into_iter().rev() {
            if let Some(mut message) = self.given_out.remove(&tag) {
                message.was_given_out = true;
                self.ready.push_front(message);
            }
        }
        self.next_tag = 0;
    }
}

const WINDOW: usize = 8;
const BYTES: usize = 10;

struct Model {
    random: Random,
    faults: Faults,
    ledger: Ledger,
    broker: Broker,
    generation: u64,
    /// Messages of this subscription that nobody has any more, which take no memory.
    dropped: usize,
    now: Instant,
    /// Handles that nothing was done with yet, and such that are worked on.
    waiting: Vec<Entry>,
    begun: Vec<Work>,
    /// Whether messages may be the same: then there is no saying which of them is asked for.
    has_twins: bool,
    published: HashMap<Fingerprint, usize>,
    done: HashMap<Fingerprint, usize>,
}

impl Model {
    fn new(seed: u64, faults: Faults) -> Self {
        let mut model = Self {
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            faults,
            ledger: Ledger::default(),
            broker: Broker::default(),
            generation: 0,
            dropped: 0,
            now: Instant::now(),
            waiting: Vec::new(),
            begun: Vec::new(),
            has_twins: seed.is_multiple_of(2),
            published: HashMap::new(),
            done: HashMap::new(),
        };
        model.connect();
        model
    }

    fn connect(&mut self) {
        self.generation += 1;
        self.dropped = 0;
        self.ledger.subscribed(self.generation, WINDOW);
    }

    fn publish(&mut self) {
        // Now and then two messages are the same.
        let last = self.published.len() as u64;
        let fingerprint = if self.has_twins && last > 0 && self.random.in_a_hundred(5) {
            last
        } else {
            last + 1
        };
        *self.published.entry(fingerprint).or_default() += 1;
        self.broker.ready.push_back(Stored {
            fingerprint,
            was_given_out: false,
        });
    }

    fn deliver(&mut self) {
        if self.broker.given_out.len() >= WINDOW {
            return;
        }
        let Some(message) = self.broker.ready.pop_front() else {
            return;
        };
        self.broker.next_tag += 1;
        let tag = self.broker.next_tag;
        let (fingerprint, may_be_ours) = (message.fingerprint, message.was_given_out);
        self.broker.given_out.insert(tag, message);
        let received = self
            .ledger
            .receive(tag, fingerprint, BYTES, may_be_ours, self.now);
        if let Received::Fresh(entry) = received {
            self.waiting.push(entry);
        }
    }

    fn begin_one(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let index = self.random.below(self.waiting.len());
        let entry = self.waiting.swap_remove(index);
        let is_asking = self.random.below(2) == 0;
        match self.ledger.begin(entry, is_asking) {
            Some(entry) => self.begun.push(Work { entry, is_asking }),
            None if self.faults.never_asks => self.begun.push(Work { entry, is_asking }),
            None => {}
        }
    }

    /// Somebody outside answers, or is given up.
    fn is_answered(&mut self) {
        let mut asking = self.begun.iter_mut().filter(|work| work.is_asking);
        let Some(work) = asking.next() else { return };
        work.is_asking = false;
        if work.entry.generation == self.generation || !self.faults.forgets_who_was_asked_before {
            self.ledger.has_asked(work.entry);
        }
    }

    fn settle_one(&mut self) {
        if self.begun.is_empty() {
            return;
        }
        let index = self.random.below(self.begun.len());
        let Work { entry, .. } = self.begun.swap_remove(index);
        *self.done.entry(entry.fingerprint).or_default() += 1;
        self.ledger.settle(entry, self.now);
    }

    fn drop_one(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let index = self.random.below(self.waiting.len());
        let entry = self.waiting.swap_remove(index);
        if !self.faults.forgets_what_is_dropped {
            self.ledger.give_up(entry);
            self.dropped += usize::from(entry.generation == self.generation);
        }
    }

    /// Tells the broker what it is owed; a connection that is about to be lost may lose the last of it.
    fn tell(&mut self, is_lost_on_the_way: bool) -> Result<(), String> {
        let mut owed = self.ledger.take_owed(self.now);
        if self.faults.stop_gives_back_what_has_begun && self.ledger.is_stopped() {
            owed.back = self.broker.given_out.keys().copied().collect();
        }
        if is_lost_on_the_way {
            return Ok(());
        }
        if let Some(through) = owed.through {
            if !self.broker.given_out.contains_key(&through) {
                return Err(format!(
                    "a run ends with tag {through}, which the broker does not know"
                ));
            }
            let tags: Vec<u64> = self
                .broker
                .given_out
                .keys()
                .copied()
                .filter(|tag| *tag <= through)
                .collect();
            tags.into_iter().try_for_each(|tag| self.broker.ack(tag))?;
        }
        owed.each.into_iter().try_for_each(|tag| self.broker.ack(tag))?;
        owed.back
            .into_iter()
            .try_for_each(|tag| self.broker.give_back(tag))
    }

    fn lose_the_connection(&mut self) {
        self.broker.disconnect();
        self.ledger.lost(self.now);
        self.connect();
    }

    /// A clean stop, and a new process: what has begun is finished, and nothing is done twice.
    ///
    /// Not while something that was done on a lost connection has yet to come back: a new process cannot know of it.
    fn restart(&mut self) -> Result<(), String> {
        let is_known_here_alone =
            |stored: &Stored| stored.was_given_out && self.is_in_doubt(stored.fingerprint);
        if self.broker.ready.iter().any(is_known_here_alone) {
            return Ok(());
        }
        self.ledger.stop();
        self.move_some()?;
        self.tell(false)?;
        self.deliver();
        while !self.waiting.is_empty() {
            self.begin_one();
        }
        self.tell(false)?;
        while !self.begun.is_empty() {
            self.settle_one();
        }
        self.now += ACK_RUN_DELAY;
        self.tell(false)?;
        self.check_acknowledged()?;
        let unsettled = self.ledger.in_hand().0;
        // What an earlier subscription's work stands for may be attached, and nothing else.
        if unsettled > 0 {
            return Err(format!("{unsettled} messages are in hand after a stop"));
        }
        self.broker.disconnect();
        self.ledger = Ledger::default();
        self.connect();
        Ok(())
    }

    /// Takes over some of what no work has begun on. It is settled once it is moved, which is all that is done about it here.
    fn move_some(&mut self) -> Result<(), String> {
        let mut tags: Vec<u64> = self.broker.given_out.keys().copied().collect();
        tags.sort_unstable();
        tags.retain(|_| self.random.in_a_hundred(30));
        for tag in tags {
            let was_begun = |entry: &&Entry| entry.tag == tag && entry.generation == self.generation;
            let was_begun = self.begun.iter().map(|work| &work.entry).find(was_begun).copied();
            let taken_over = match was_begun {
                Some(begun) if self.faults.stop_moves_what_has_begun => Some(begun),
                _ => self.ledger.take_over(tag),
            };
            let Some(entry) = taken_over else { continue };
            if was_begun.is_some_and(|begun| begun == entry) && !self.faults.stop_moves_what_has_begun {
                return Err(format!("tag {tag} is moved while it is worked on"));
            }
            let is_asking = false;
            self.begun.push(Work { entry, is_asking });
        }
        Ok(())
    }

    /// Whether it was done, or is being done.
    fn is_in_doubt(&self, fingerprint: Fingerprint) -> bool {
        self.done.contains_key(&fingerprint)
            || self
                .begun
                .iter()
                .any(|work| work.entry.fingerprint == fingerprint)
    }

    fn step(&mut self) -> Result<(), String> {
        self.now += Duration::from_millis(self.random.below(4) as u64);
        match self.random.below(1000) {
            0..180 => self.publish(),
            180..450 => self.deliver(),
            450..620 => self.begin_one(),
            620..650 => self.is_answered(),
            650..850 => self.settle_one(),
            850..985 => self.tell(false)?,
            985..990 => {
                // Acknowledgements that are lost with their connection.
                self.tell(true)?;
                self.lose_the_connection();
            }
            990..995 => self.lose_the_connection(),
            995..998 => self.drop_one(),
            _ => self.restart()?,
        }
        self.check()
    }

    fn check(&self) -> Result<(), String> {
        let (messages, bytes) = self.ledger.in_hand();
        if bytes != (messages - self.dropped) * BYTES {
            let dropped = self.dropped;
            return Err(format!(
                "{messages} messages in hand, {dropped} of them dropped, have {bytes} bytes"
            ));
        }
        let given_out: HashSet<_> = self
            .broker
            .given_out
            .values()
            .map(|stored| stored.fingerprint)
            .collect();
        let asking = self
            .begun
            .iter()
            .filter(|work| work.is_asking && given_out.contains(&work.entry.fingerprint))
            .count();
        let counted = self.ledger.asking_up_to(u64::MAX);
        if !self.has_twins && counted != asking {
            return Err(format!(
                "somebody is asked for {asking} messages in hand, and for {counted} by the ledger"
            ));
        }
        Ok(())
    }

    /// What was acknowledged was done.
    fn check_acknowledged(&self) -> Result<(), String> {
        for (fingerprint, acked) in &self.broker.acked {
            let done = self.done.get(fingerprint).copied().unwrap_or(0);
            // Messages that are the same in every way are one event: done once, both may be acknowledged.
            let published = self.published.get(fingerprint).copied().unwrap_or(0);
            if done == 0 || published == 1 && *acked > done {
                return Err(format!(
                    "{fingerprint} was acknowledged {acked} times and done {done} times"
                ));
            }
        }
        Ok(())
    }

    /// Lets everything come to its end on a connection that stands.
    fn finish(&mut self) -> Result<(), String> {
        self.lose_the_connection();
        for _ in 0..(self.published.len() + WINDOW) * 40 {
            self.deliver();
            self.begin_one();
            self.settle_one();
            self.now += ACK_RUN_DELAY;
            self.tell(false)?;
            if self.broker.ready.is_empty() && self.broker.given_out.is_empty() {
                break;
            }
        }
        self.check_acknowledged()?;
        for (fingerprint, published) in &self.published {
            let done = self.done.get(fingerprint).copied().unwrap_or(0);
            let acked = self.broker.acked.get(fingerprint).copied().unwrap_or(0);
            if done == 0 || done > *published {
                return Err(format!(
                    "{fingerprint} was published {published} times and done {done} times"
                ));
            }
            if acked != *published {
                return Err(format!(
                    "{fingerprint} is stuck: acknowledged {acked} of {published} times"
                ));
            }
        }
        match (self.ledger.in_hand(), self.ledger.oldest()) {
            ((0, 0), None) => Ok(()),
            rest => Err(format!("in hand in the end: {rest:?}")),
        }
    }
}

fn history(seed: u64, steps: usize, faults: Faults) -> Result<(), String> {
    let mut model = Model::new(seed, faults);
    (0..steps).try_for_each(|_| model.step())?;
    model.finish()
}

#[test]
fn a_million_steps_lose_nothing_double_nothing_and_leave_nothing_behind() {
    for seed in 1..=500 {
        history(seed, 2_000, Faults::default()).unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
    }
}

/// Its redelivery was to be given back, and is nobody's work that goes on.
#[test]
fn what_was_given_up_and_is_lost_once_more_before_it_is_given_back_is_new_when_it_comes() {
    let now = Instant::now();
    let mut ledger = Ledger::default();
    ledger.subscribed(1, WINDOW);
    let Received::Fresh(entry) = ledger.receive(1, 7, BYTES, false, now) else {
        panic!("it is new");
    };
    ledger.lost(now);
    ledger.subscribed(2, WINDOW);
    assert_eq!(ledger.receive(1, 7, BYTES, true, now), Received::Nothing);
    ledger.give_up(entry);
    ledger.lost(now);
    ledger.subscribed(3, WINDOW);
    assert!(matches!(
        ledger.receive(1, 7, BYTES, true, now),
        Received::Fresh(_)
    ));
}

#[test]
fn the_model_finds_each_fault_when_it_is_put_back() {
    let found = |faults: Faults| {
        let seeds: HashSet<u64> = (1..=50)
            .filter(|seed| history(*seed, 2_000, faults).is_err())
            .collect();
        assert!(!seeds.is_empty(), "{faults:?} was not found");
    };
    found(Faults {
        never_asks: true,
        ..Faults::default()
    });
    found(Faults {
        forgets_what_is_dropped: true,
        ..Faults::default()
    });
    found(Faults {
        stop_gives_back_what_has_begun: true,
        ..Faults::default()
    });
    found(Faults {
        stop_moves_what_has_begun: true,
        ..Faults::default()
    });
    found(Faults {
        forgets_who_was_asked_before: true,
        ..Faults::default()
    });
}
