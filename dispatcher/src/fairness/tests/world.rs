//! A world in virtual time: working queues with windows, queues for what is parked and retried, receivers, and replicas of
//! the dispatcher that carry out what fairness decides. Everything happens in one order for one input.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hookline_common::schedule::Delay;
use tokio::time::Instant;

use super::super::*;
use super::receiver::Receiver;

pub(super) const EVENTS: usize = 0;
pub(super) const DELIVERIES: usize = 1;
pub(super) const DUE: usize = 2;
/// How quickly one intake takes messages, a slow estimate.
const TAKE: Duration = Duration::from_micros(60);
/// What parking one costs it besides.
const PARK: Duration = Duration::from_micros(40);
/// Until the broker has confirmed a parked message, so that its place in the window is free.
const CONFIRM: Duration = Duration::from_millis(5);
const RETRY_AFTER_S: [u64; 3] = [1, 2, 3];

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) endpoint: usize,
    pub(super) published: Duration,
    pub(super) parked: u32,
    pub(super) attempt: usize,
    pub(super) rate: Option<f64>,
}

enum Event {
    Take(usize, usize),
    Ended {
        replica: usize,
        queue: usize,
        message: Message,
        feedback: Feedback,
        took: Duration,
    },
    Settled(usize, usize),
    Arrive(usize, Message),
    Tick(usize),
    Observe,
}

struct Replica {
    fairness: Fairness<usize, (usize, Message)>,
    unsettled: [usize; 3],
    held: [Option<Message>; 3],
    is_taking: [bool; 3],
    tick_at: Duration,
}

/// What was seen.
#[derive(Default, Debug)]
pub(super) struct Seen {
    /// When each delivery was answered 2xx: endpoint, when published, when answered.
    pub(super) delivered: Vec<(usize, Duration, Duration)>,
    pub(super) begun: Vec<(usize, Duration)>,
    pub(super) parks: usize,
    pub(super) refusals: usize,
    pub(super) dead: usize,
    /// When the last event for the first endpoint was taken from the events queue.
    pub(super) last_taken: Duration,
}

pub(super) struct World {
    start: Instant,
    now: Duration,
    events: BTreeMap<(Duration, u64), Event>,
    number: u64,
    queues: [VecDeque<Message>; 3],
    windows: [usize; 3],
    replicas: Vec<Replica>,
    pub(super) receivers: Vec<Receiver>,
    pub(super) open: usize,
    pub(super) seen: Seen,
}

impl World {
    pub(super) fn new(replicas: usize, max: usize, receivers: Vec<Receiver>) -> Self {
        Self::with_windows(replicas, max, [1_000, 1_000, 1_000], receivers)
    }

    pub(super) fn with_windows(
        replicas: usize,
        max: usize,
        windows: [usize; 3],
        receivers: Vec<Receiver>,
    ) -> Self {
        let start = Instant::now();
        let replica = |_| Replica {
            fairness: Fairness::new(Bounds {
                concurrency: Concurrency::up_to(max),
                windows: windows.to_vec(),
                due: DUE,
                connections: 10_000,
            }),
            unsettled: [0; 3],
            held: [const { None }; 3],
            is_taking: [false; 3],
            tick_at: Duration::ZERO,
        };
        let mut world = Self {
            start,
            now: Duration::ZERO,
            events: BTreeMap::new(),
            number: 0,
            queues: Default::default(),
            windows,
            replicas: (0..replicas).map(replica).collect(),
            receivers,
            open: 0,
            seen: Seen::default(),
        };
        world.observe();
        for replica in 0..replicas {
            world.at(Duration::ZERO, Event::Tick(replica));
        }
        world
    }

    /// A message that is on a working queue from `at` on.
    pub(super) fn publish(&mut self, queue: usize, endpoint: usize, at: Duration, rate: Option<f64>) {
        self.open += 1;
        let message = Message {
            endpoint,
            published: at,
            parked: 0,
            attempt: 0,
            rate,
        };
        self.at(at, Event::Arrive(queue, message));
    }

    /// Runs until everything is delivered or dead, or until `end`.
    pub(super) fn run(&mut self, end: Duration) -> &Seen {
        while self.open > 0
            && let Some(next) = self.events.first_entry()
            && next.key().0 <= end
        {
            self.now = next.key().0;
            let event = next.remove();
            self.happen(event);
        }
        &self.seen
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.number += 1;
        self.events.insert((at, self.number), event);
    }

    fn instant(&self) -> Instant {
        self.start + self.now
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Take(replica, queue) => self.take(replica, queue),
            Event::Arrive(queue, message) => {
                self.queues[queue].push_back(message);
                self.wake_intakes();
            }
            Event::Settled(replica, queue) => {
                self.replicas[replica].unsettled[queue] -= 1;
                self.wake_intakes();
            }
            Event::Ended {
                replica,
                queue,
                message,
                feedback,
                took,
            } => {
                self.ended(replica, queue, message, feedback, took);
            }
            Event::Tick(replica) => self.tick(replica),
            Event::Observe => self.observe(),
        }
    }

    fn observe(&mut self) {
        let consumers = u32::try_from(self.replicas.len()).expect("few");
        for replica in &self.replicas {
            for (queue, ready) in self.queues.iter().enumerate() {
                replica
                    .fairness
                    .observe(queue, ready.len() as u64, consumers, self.instant());
            }
        }
        self.at(self.now + Duration::from_secs(1), Event::Observe);
    }

    fn wake_intakes(&mut self) {
        for replica in 0..self.replicas.len() {
            for queue in 0..3 {
                let it = &mut self.replicas[replica];
                let has_work = it.held[queue].is_none()
                    && it.unsettled[queue] < self.windows[queue]
                    && !self.queues[queue].is_empty();
                if has_work && !it.is_taking[queue] {
                    it.is_taking[queue] = true;
                    self.at(self.now + TAKE, Event::Take(replica, queue));
                }
            }
        }
    }

    /// What is held is asked for again when fairness says so.
    fn wake_held(&mut self, replica: usize) {
        if !self.replicas[replica].fairness.lock().is_worth_asking() {
            return;
        }
        for queue in 0..3 {
            let it = &mut self.replicas[replica];
            if it.held[queue].is_some() && !it.is_taking[queue] {
                it.is_taking[queue] = true;
                self.at(self.now, Event::Take(replica, queue));
            }
        }
    }

    fn take(&mut self, replica: usize, queue: usize) {
        let it = &mut self.replicas[replica];
        it.is_taking[queue] = false;
        let held = it.held[queue].take();
        let is_held = held.is_some();
        let Some(message) = held.or_else(|| self.queues[queue].pop_front()) else {
            return;
        };
        if !is_held {
            it.unsettled[queue] += 1;
            if message.endpoint == 0 && queue == EVENTS {
                self.seen.last_taken = self.now;
            }
        }
        let info = JobInfo {
            queue,
            parked: message.parked,
            rate: message.rate,
        };
        let now = self.start + self.now;
        let mut busy = TAKE;
        match it
            .fairness
            .admit(&message.endpoint, info, (queue, message.clone()), now)
        {
            Admission::Start((queue, message)) => self.begin(replica, queue, message),
            Admission::Wait => {}
            Admission::Park((queue, message), delay) => {
                busy += PARK;
                self.park(replica, queue, message, delay);
            }
            Admission::Hold((_, message)) => {
                let it = &mut self.replicas[replica];
                it.held[queue] = Some(message);
                it.is_taking[queue] = true;
                self.at(self.now + Duration::from_millis(20), Event::Take(replica, queue));
                return;
            }
        }
        self.tick_sooner(replica);
        let it = &mut self.replicas[replica];
        if it.unsettled[queue] < self.windows[queue] && !self.queues[queue].is_empty() {
            it.is_taking[queue] = true;
            self.at(self.now + busy, Event::Take(replica, queue));
        }
    }

    fn park(&mut self, replica: usize, queue: usize, mut message: Message, delay: Delay) {
        self.seen.parks += 1;
        message.parked += 1;
        self.at(self.now + CONFIRM, Event::Settled(replica, queue));
        self.at(
            self.now + CONFIRM + delay.as_duration(),
            Event::Arrive(DUE, message),
        );
    }

    fn begin(&mut self, replica: usize, queue: usize, message: Message) {
        self.seen.begun.push((message.endpoint, self.now));
        let (took, feedback) = self.receivers[message.endpoint].answer(self.now);
        self.at(
            self.now + took,
            Event::Ended {
                replica,
                queue,
                message,
                feedback,
                took,
            },
        );
    }

    fn ended(
        &mut self,
        replica: usize,
        queue: usize,
        mut message: Message,
        feedback: Feedback,
        took: Duration,
    ) {
        let endpoint = message.endpoint;
        self.at(self.now, Event::Settled(replica, queue));
        match feedback {
            Feedback::Success => {
                self.open -= 1;
                self.seen.delivered.push((endpoint, message.published, self.now));
            }
            _ => {
                self.seen.refusals += 1;
                match RETRY_AFTER_S.get(message.attempt) {
                    Some(seconds) => {
                        message.attempt += 1;
                        message.parked = 0;
                        self.at(
                            self.now + Duration::from_secs(*seconds),
                            Event::Arrive(DUE, message),
                        );
                    }
                    None => {
                        self.open -= 1;
                        self.seen.dead += 1;
                    }
                }
            }
        }
        let now = self.instant();
        let start = self.replicas[replica]
            .fairness
            .release(&endpoint, queue, feedback, took, now);
        for (queue, message) in start {
            self.begin(replica, queue, message);
        }
        self.wake_held(replica);
        self.tick_sooner(replica);
    }

    fn tick(&mut self, replica: usize) {
        let now = self.instant();
        if self.replicas[replica].tick_at != self.now {
            return;
        }
        let due = self.replicas[replica].fairness.tick(now);
        for (queue, message) in due.start {
            self.begin(replica, queue, message);
        }
        for ((queue, message), delay) in due.park {
            self.park(replica, queue, message, delay);
        }
        self.wake_held(replica);
        self.replicas[replica].tick_at = Duration::MAX;
        self.tick_sooner(replica);
    }

    fn tick_sooner(&mut self, replica: usize) {
        let next = self.replicas[replica].fairness.next_tick();
        // Timers are exact to a millisecond, and late rather than early.
        let at = next.saturating_duration_since(self.start).max(self.now) + Duration::from_millis(1);
        if at < self.replicas[replica].tick_at {
            self.replicas[replica].tick_at = at;
            self.at(at, Event::Tick(replica));
        }
    }
}
