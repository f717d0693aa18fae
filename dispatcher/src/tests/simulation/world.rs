//! What is outside of the processes: the broker, the log and the receivers, with the faults of one seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_cases::Random;
use hookline_cases::broker::{Broker, Published, QueueArguments};
use hookline_common::message::Message;
use hookline_common::schedule::RetrySchedule;
use hookline_common::topology::{Namespace, PARK_DELAYS, Queue};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// When the network works again, in milliseconds.
const HEALS_AT: u64 = 20_000;

/// What a receiver does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Answers 200, soon.
    Good,
    /// Answers 500 every third time.
    Flaky,
    /// Answers 503 and asks for two seconds, every other time.
    Busy,
    /// Answers 500, always.
    Broken,
    /// Takes the request and says nothing.
    Silent,
    /// Takes the request and closes the connection, every other time.
    Cutting,
}

impl Manner {
    pub(super) const ALL: [Self; 6] = [
        Self::Good,
        Self::Flaky,
        Self::Busy,
        Self::Broken,
        Self::Silent,
        Self::Cutting,
    ];
}

/// An attempt, as its receiver saw it.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) event: String,
    pub(super) endpoint: String,
    pub(super) attempt: u32,
    pub(super) body: Vec<u8>,
    pub(super) began: u64,
    /// When the dispatcher had its end, and when it was a success.
    pub(super) ended: Option<u64>,
    pub(super) is_success: bool,
}

/// Where a process that is to be killed is killed: at this thing that it does outside, before or after it has an effect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kill {
    pub(super) at: u64,
    pub(super) is_after: bool,
}

/// How likely faults are, each in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chances {
    pub(super) loses_channel: usize,
    pub(super) loses_publish: usize,
    pub(super) loses_confirm: usize,
}

pub(super) struct State {
    pub(super) random: Random,
    pub(super) broker: Broker<Message>,
    pub(super) posts: Vec<Post>,
    pub(super) trace: Vec<String>,
    pub(super) chances: Chances,
    pub(super) manners: BTreeMap<String, Manner>,
    /// What the processes have done outside by now, and where one of them is killed next.
    pub(super) effects: u64,
    pub(super) kills: Vec<Kill>,
    pub(super) killed: u64,
    pub(super) losses: u64,
    pub(super) lost_confirms: u64,
    pub(super) cancelled: u64,
    pub(super) generation: u64,
    pub(super) faults: Vec<String>,
}

/// The outside. Clones are the same.
#[derive(Clone)]
pub(super) struct World {
    state: Arc<Mutex<State>>,
    /// Something at the broker may be another's turn.
    pub(super) news: Arc<Notify>,
    pub(super) namespace: Namespace,
    began: Instant,
}

impl World {
    pub(super) fn new(seed: u64, schedule: &RetrySchedule) -> Self {
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
        let retries = schedule.delays().iter().map(|delay| Queue::Retry(*delay));
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
            trace: Vec::new(),
            chances: Chances::default(),
            manners: BTreeMap::new(),
            effects: 0,
            kills: Vec::new(),
            killed: 0,
            losses: 0,
            lost_confirms: 0,
            cancelled: 0,
            generation: 0,
            faults: Vec::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            news: Arc::new(Notify::new()),
            namespace,
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
        let now = self.now();
        self.lock().trace.push(format!("{now} {}", step()));
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
