//! What is outside of the processes: the broker, the log and the receivers, with the faults of one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_cases::Random;
use hookline_cases::broker::{Broker, Published, QueueArguments};
use hookline_common::message::Message;
use hookline_common::outcome::Outcome;
use hookline_common::signature::SigningKeys;
use hookline_common::topology::{Namespace, PARK_DELAYS, Queue};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::plan::{Chances, Kill, Manner, Plan, new_keys, old_keys};
use super::reasons::{Key, Reasons};

/// When the network works again, in milliseconds.
const HEALS_AT: u64 = 20_000;

/// An attempt, as its receiver saw it.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) key: Key,
    pub(super) body: Vec<u8>,
    /// When it was made, when it arrived, and when the dispatcher had its end.
    pub(super) made: u64,
    pub(super) began: u64,
    pub(super) ended: Option<u64>,
    pub(super) is_success: bool,
    /// Whether it is signed with the secret before a rotation, and with the one after it.
    pub(super) is_signed: (bool, bool),
}

/// A line of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded {
    pub(super) event: u32,
    pub(super) endpoint: u16,
    pub(super) outcome: Outcome,
    pub(super) at: u64,
}

pub(super) struct State {
    pub(super) random: Random,
    pub(super) broker: Broker<Message>,
    pub(super) posts: Vec<Post>,
    pub(super) recorded: Vec<Recorded>,
    pub(super) trace: Vec<String>,
    pub(super) chances: Chances,
    /// The endpoints, each in its place in the plan.
    pub(super) manners: Vec<Manner>,
    pub(super) places: BTreeMap<String, u16>,
    /// Deliveries that there are: an attempt or a message was made for them.
    pub(super) deliveries: BTreeSet<(u32, u16)>,
    pub(super) reasons: Reasons,
    /// Processes that were asked to stop, and when.
    pub(super) stopping: BTreeMap<u64, u64>,
    /// What the processes have done outside by now, and where one of them is killed next.
    pub(super) effects: u64,
    pub(super) kills: Vec<Kill>,
    pub(super) killed: u64,
    pub(super) losses: u64,
    pub(super) lost_confirms: u64,
    pub(super) cancelled: u64,
    pub(super) stops: u64,
    pub(super) generation: u64,
    pub(super) faults: Vec<String>,
}

/// The outside. Clones are the same.
#[derive(Clone)]
pub(super) struct World {
    state: Arc<Mutex<State>>,
    /// Whether each step is told.
    is_traced: bool,
    /// Something at the broker may be another's turn.
    pub(super) news: Arc<Notify>,
    pub(super) namespace: Namespace,
    /// What signs before a rotation, and after it.
    pub(super) keys: Arc<(SigningKeys, SigningKeys)>,
    began: Instant,
}

impl World {
    pub(super) fn new(seed: u64, plan: &Plan, is_traced: bool) -> Self {
        let namespace = Namespace::default();
        let mut broker = Broker::default();
        let name = |queue| namespace.queue(queue);
        for queue in [Queue::Events, Queue::Deliveries, Queue::Due] {
            let arguments = QueueArguments {
                dead_letters_to: Some(name(Queue::Rejected)),
                delivery_limit: Some(100),
                ..QueueArguments::default()
            };
            broker.declare(&name(queue), arguments);
        }
        for queue in [Queue::Quarantine, Queue::Failed, Queue::Rejected] {
            broker.declare(&name(queue), QueueArguments::default());
        }
        let retries = plan.schedule.delays().iter().map(|delay| Queue::Retry(*delay));
        for queue in retries.chain(PARK_DELAYS.map(Queue::Park)) {
            let (Queue::Retry(delay) | Queue::Park(delay)) = queue else {
                continue;
            };
            let arguments = QueueArguments {
                ttl: Some(u64::from(delay.as_seconds()) * 1000),
                dead_letters_to: Some(name(Queue::Due)),
                ..QueueArguments::default()
            };
            broker.declare(&name(queue), arguments);
        }
        let state = State {
            random: Random::new(seed),
            broker,
            posts: Vec::new(),
            recorded: Vec::new(),
            trace: Vec::new(),
            chances: plan.chances,
            manners: plan.endpoints.iter().map(|endpoint| endpoint.manner).collect(),
            places: plan
                .endpoints
                .iter()
                .map(|endpoint| endpoint.id.clone())
                .zip(0..)
                .collect(),
            deliveries: BTreeSet::new(),
            reasons: Reasons::default(),
            stopping: BTreeMap::new(),
            effects: 0,
            kills: plan.kills.clone(),
            killed: 0,
            losses: 0,
            lost_confirms: 0,
            cancelled: 0,
            stops: 0,
            generation: 0,
            faults: Vec::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            is_traced,
            news: Arc::new(Notify::new()),
            namespace,
            keys: Arc::new((old_keys(), new_keys())),
            began: Instant::now(),
        }
    }

    /// How likely faults are now. They end after a while: where each copy of a message may be doubled for ever, so are those that
    /// wait for a receiver that hangs.
    pub(super) fn chances(&self) -> Chances {
        if self.now() < HEALS_AT {
            self.lock().chances
        } else {
            Chances::default()
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn tell(&self, step: impl FnOnce() -> String) {
        if !self.is_traced {
            return;
        }
        let now = self.now();
        self.lock().trace.push(format!("{now} {}", step()));
    }

    /// Something is not as it was promised.
    pub(super) fn accuse(&self, fault: impl FnOnce() -> String) {
        let now = self.now();
        let fault = format!("{} at {now} ms", fault());
        self.tell(|| fault.clone());
        self.lock().faults.push(fault);
    }

    /// What takes a while, of which nobody knows how long.
    pub(super) async fn pause(&self, most: usize) {
        let length = self.lock().random.below(most + 1);
        if length == 0 {
            tokio::task::yield_now().await;
        } else {
            sleep(Duration::from_millis(length as u64)).await;
        }
    }

    /// Publishes to the broker, and wakes whoever consumes.
    pub(super) fn store(&self, queue: &str, message: Message) -> Published {
        let now = self.now();
        let published = self.lock().broker.publish(queue, message, now);
        self.news.notify_waiters();
        published
    }

    /// Which message this is, as far as the judge tells them apart.
    pub(super) fn key(&self, message: &Message) -> Key {
        let id = message.message_id.as_deref().unwrap_or_default();
        let endpoint = message.headers.text("endpoint").ok().flatten();
        let attempt = message.headers.integer("attempt").ok().flatten();
        Key {
            event: number_of(id),
            endpoint: endpoint.and_then(|endpoint| self.lock().places.get(endpoint).copied()),
            attempt: attempt
                .and_then(|attempt| u32::try_from(attempt).ok())
                .unwrap_or(1),
        }
    }

    /// A process's channel is closed, which it did not ask for: what it held comes back.
    pub(super) fn taken_away(&self, process: u64, channel: u64, is_recognised: bool) {
        let held: Vec<Key> = {
            let state = self.lock();
            let held: Vec<Message> = state.broker.held(channel).into_iter().cloned().collect();
            drop(state);
            held.iter().map(|message| self.key(message)).collect()
        };
        let now = self.now();
        let mut state = self.lock();
        state.reasons.taken_away(process, channel, held, is_recognised);
        state.broker.close(channel, now);
        drop(state);
        self.news.notify_waiters();
    }

    /// Moves on what falls due at the broker, for ever.
    pub(super) async fn keep_time(self) {
        loop {
            let mut news = std::pin::pin!(self.news.notified());
            news.as_mut().enable();
            let now = self.now();
            let next = {
                let mut state = self.lock();
                let before = state.broker.next_due();
                if before.is_some_and(|due| due <= now) {
                    state.broker.tick(now);
                    self.news.notify_waiters();
                    continue;
                }
                before
            };
            match next {
                None => news.await,
                Some(due) => tokio::select! {
                    biased;
                    () = news => {}
                    () = sleep(Duration::from_millis(due - now)) => {}
                },
            }
        }
    }
}

/// The id of an event, by its number.
pub(super) fn event_id(number: u32) -> String {
    format!("evt_{number}")
}

/// And the other way.
pub(super) fn number_of(event: &str) -> u32 {
    let number = event.strip_prefix("evt_").and_then(|number| number.parse().ok());
    number.unwrap_or(u32::MAX)
}
