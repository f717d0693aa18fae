//! One dispatcher: the parts that are real, put together as `work.rs` does, and intakes that read from the broker that is played.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookline_common::broker::Incoming;
use hookline_common::schedule::RetrySchedule;
use hookline_common::shutdown::{Shutdown, Trigger};
use hookline_consume::{AckLedger, Acknowledges, Handler, Taken};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use super::mistakes::{Mistake, is_back};
use super::outside::{Channel, TIMEOUT, WayOut};
use super::world::World;
use crate::attempts::{Attempts, Terms};
use crate::endpoints::Endpoints;
use crate::fairness::{Bounds, Concurrency, Fairness, Permit, StartLimiter};
use crate::meters::Meters;
use crate::outside::Keeps;
use crate::pipeline::{Pipeline, Reception};
use crate::quarantine::Quarantine;
use crate::queues::Working;
use crate::settings::KeepPayloads;
use crate::settle::{Recorder, Settler};
use crate::suspects::SETTLING_TIME;

const PUSHED: [Working; 3] = [Working::Events, Working::Deliveries, Working::Due];
/// Attempts that begin at once: so few that they are waited for.
const AT_ONCE: usize = 2;
const DUE_AT_ONCE: usize = 1;
/// Before a queue is taken up again, as with the real intake.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A process that lives, or did.
pub(super) struct Process {
    pub(super) out: WayOut,
    pub(super) ledgers: Vec<Arc<AckLedger>>,
    pub(super) limiters: [Arc<StartLimiter>; 3],
    attempts: Arc<Attempts>,
    channels: Arc<Mutex<Vec<u64>>>,
    tasks: Vec<JoinHandle<()>>,
    /// Dropped, it would ask for a stop.
    _trigger: Trigger,
}

/// What one intake needs.
#[derive(Clone)]
struct Intake {
    out: WayOut,
    queue: Working,
    window: usize,
    ledger: Arc<AckLedger>,
    channels: Arc<Mutex<Vec<u64>>>,
}

impl Process {
    pub(super) fn start(
        world: &World,
        number: u64,
        schedule: &RetrySchedule,
        endpoints: Arc<dyn Endpoints>,
        window: usize,
    ) -> Self {
        let out = WayOut::new(world.clone(), number, schedule.clone());
        let ledgers: Vec<_> = Working::ALL.map(|queue| AckLedger::new(queue.label())).into();
        let meters = Meters::unobserved();
        let (running, recording) = (TaskTracker::new(), TaskTracker::new());
        let recorder = Recorder::start(out.clone(), meters.clone(), &recording);
        let (trigger, shutdown) = Shutdown::new();
        let settler = Settler::new(out.clone(), world.namespace.clone(), Some(recorder), shutdown);
        let fairness = Fairness::new(Bounds {
            concurrency: Concurrency::up_to(4),
            windows: vec![window, window, window, 1],
            due: Working::Due.index(),
            connections: 8,
        });
        let terms = Terms {
            schedule: schedule.clone(),
            keep_payloads: KeepPayloads::All,
            trace_receivers: false,
        };
        let attempts = Attempts::new(
            Arc::clone(&endpoints),
            fairness,
            out.clone(),
            settler.clone(),
            terms,
            meters.clone(),
            running.clone(),
        );
        let pipeline = Pipeline::new(
            endpoints,
            Duration::from_secs(120),
            Arc::clone(&attempts),
            settler,
            meters,
            running,
        );
        let (events, deliveries) = (StartLimiter::new(AT_ONCE), StartLimiter::new(AT_ONCE));
        let fresh = vec![Arc::clone(&events), Arc::clone(&deliveries)];
        let limiters = [
            events,
            deliveries,
            StartLimiter::giving_way(AT_ONCE, DUE_AT_ONCE, fresh),
        ];
        let mut process = Self {
            out,
            ledgers,
            limiters,
            attempts,
            channels: Arc::default(),
            tasks: Vec::new(),
            _trigger: trigger,
        };
        process.begin(&pipeline, window);
        process
    }

    fn begin(&mut self, pipeline: &Arc<Pipeline>, window: usize) {
        let keeps: Arc<dyn Keeps> = Arc::new(self.out.clone());
        for ledger in self.ledgers.clone() {
            self.tasks
                .push(tokio::spawn(async move { ledger.acknowledge().await }));
        }
        self.tasks
            .push(tokio::spawn(Arc::clone(&self.attempts).keep_time()));
        self.tasks.push(tokio::spawn(observe(
            self.out.clone(),
            Arc::clone(&self.attempts),
        )));
        for (queue, limiter) in PUSHED.into_iter().zip(self.limiters.clone()) {
            let reception = Reception {
                queue,
                limiter: Arc::clone(&limiter),
                pipeline: Arc::clone(pipeline),
                publisher: Arc::clone(&keeps),
            };
            let intake = self.intake(queue, window);
            self.tasks.push(tokio::spawn(intake.push(reception, limiter)));
        }
        let ledger = Arc::clone(&self.ledgers[Working::Quarantine.index()]);
        let intake = self.intake(Working::Quarantine, 1);
        let pipeline = Arc::clone(pipeline);
        self.tasks.push(tokio::spawn(async move {
            let quarantine = Quarantine::new(pipeline, keeps, ledger, TIMEOUT);
            sleep(SETTLING_TIME).await;
            intake.ask(quarantine).await;
        }));
    }

    fn intake(&self, queue: Working, window: usize) -> Intake {
        Intake {
            out: self.out.clone(),
            queue,
            window,
            ledger: Arc::clone(&self.ledgers[queue.index()]),
            channels: Arc::clone(&self.channels),
        }
    }

    /// The broker notices that the process is gone.
    pub(super) fn end(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        let now = self.out.world.now();
        let channels = std::mem::take(&mut *self.channels.lock().unwrap_or_else(PoisonError::into_inner));
        let mut state = self.out.world.lock();
        for channel in channels {
            state.broker.close(channel, now);
        }
        drop(state);
        self.out.world.news.notify_waiters();
    }

    /// What should be nothing once there is nothing to do.
    pub(super) async fn leftovers(&self) -> Option<String> {
        for ledger in &self.ledgers {
            let load = ledger.load();
            if load.messages > 0 {
                return Some(format!("{load:?} of {} is in hand in the end", ledger.label()));
            }
        }
        let waiting = self.attempts.fairness().overview(Instant::now()).waiting;
        if waiting > 0 {
            return Some(format!("{waiting} wait for their turn in the end"));
        }
        // What gives way is tried first, while nothing fresh begins.
        for limiter in self.limiters.iter().rev() {
            let begun = Instant::now();
            let mut permits: Vec<Permit> = Vec::new();
            for _ in 0..AT_ONCE {
                permits.push(limiter.acquire().await);
            }
            if Instant::now() != begun {
                return Some("a permit was never given back".to_owned());
            }
        }
        None
    }
}

/// Tells the fairness what stands on the broker, as `work.rs` does.
async fn observe(out: WayOut, attempts: Arc<Attempts>) {
    loop {
        sleep(Duration::from_secs(1)).await;
        for queue in PUSHED {
            let name = out.world.namespace.queue(queue.queue());
            let (ready, consumers) = {
                let state = out.world.lock();
                (state.broker.ready(&name).len(), state.broker.consumers(&name))
            };
            let consumers = u32::try_from(consumers).unwrap_or(1);
            attempts
                .fairness()
                .observe(queue.index(), ready as u64, consumers, Instant::now());
        }
    }
}

impl Intake {
    fn open(&self) -> Arc<Channel> {
        let name = self.out.world.namespace.queue(self.queue.queue());
        let mut state = self.out.world.lock();
        state.generation += 1;
        let generation = state.generation;
        let channel = state.broker.consume(&name, self.window);
        drop(state);
        self.channels
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(channel);
        let channel = Arc::new(Channel {
            out: self.out.clone(),
            channel,
            generation,
            is_lost: AtomicBool::new(false),
            loss: Notify::new(),
        });
        let acknowledges = Arc::clone(&channel) as Arc<dyn Acknowledges>;
        self.ledger.subscribed(acknowledges, self.window);
        channel
    }

    /// Takes in what is pushed, as the real intake does: reading and handing on are one task, and a lost subscription cancels
    /// whatever the handler is about.
    async fn push(self, reception: Reception, limiter: Arc<StartLimiter>) {
        loop {
            self.out.pause(10).await;
            let channel = self.open();
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::select! {
                biased;
                () = lost(&channel) => {}
                () = self.read(&channel, sender) => {}
                () = self.hand_on(&channel, receiver, &reception, &limiter) => {}
            }
            self.ledger.lost();
            sleep(TRY_AGAIN_AFTER).await;
        }
    }

    async fn read(&self, channel: &Channel, sender: mpsc::UnboundedSender<Taken>) {
        loop {
            let taken = self.next(channel).await;
            drop(sender.send(taken));
            self.out.pause(2).await;
        }
    }

    /// The next message that is to be worked on.
    async fn next(&self, channel: &Channel) -> Taken {
        loop {
            let mut news = std::pin::pin!(self.out.world.news.notified());
            news.as_mut().enable();
            let (given, breaks) = {
                let chance = self.out.world.chances().loses_channel;
                let mut state = self.out.world.lock();
                let given = state.broker.give(channel.channel);
                let breaks = given.is_some() && state.random.below(1000) < chance;
                (given, breaks)
            };
            if breaks {
                channel.lose();
            }
            let Some(given) = given else {
                news.await;
                continue;
            };
            let incoming = Incoming {
                tag: given.tag,
                redelivered: given.redelivered,
                returned: given.returned,
                message: given.message,
            };
            if let Some(in_hand) = self.ledger.receive(&incoming) {
                return Taken {
                    in_hand,
                    returned: incoming.returned,
                    message: incoming.message,
                };
            }
        }
    }

    async fn hand_on(
        &self,
        channel: &Channel,
        mut receiver: mpsc::UnboundedReceiver<Taken>,
        reception: &Reception,
        limiter: &Arc<StartLimiter>,
    ) {
        while let Some(taken) = receiver.recv().await {
            let mut under_way = UnderWay {
                world: &self.out.world,
                is_over: false,
                permit: None,
            };
            if is_back(Mistake::LeaksPermits) {
                under_way.permit = Some(limiter.acquire().await);
            }
            // Now and then the connection is lost while that waits, at whichever of its waits.
            let (chance, waits) = (self.out.world.chances().loses_channel, {
                let mut state = self.out.world.lock();
                (state.random.below(1000), state.random.below(4))
            });
            tokio::select! {
                biased;
                () = reception.take(taken) => under_way.is_over = true,
                () = after(waits.1), if waits.0 < 10 * chance => {
                    drop(under_way);
                    channel.lose();
                    return;
                }
            }
        }
    }

    /// Takes in what is asked for.
    async fn ask(self, quarantine: Quarantine) {
        loop {
            self.out.pause(10).await;
            let channel = self.open();
            let asking = async {
                loop {
                    let taken = self.next(&channel).await;
                    quarantine.take(taken).await;
                }
            };
            tokio::select! {
                biased;
                () = lost(&channel) => {}
                () = asking => {}
            }
            self.ledger.lost();
            sleep(TRY_AGAIN_AFTER).await;
        }
    }
}

async fn lost(channel: &Channel) {
    while !channel.is_lost() {
        channel.loss.notified().await;
    }
}

/// So many turns of the runtime later.
async fn after(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

/// A message that is being taken in; dropped before that is over, it was cancelled.
struct UnderWay<'a> {
    world: &'a World,
    is_over: bool,
    permit: Option<Permit>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.world.lock().cancelled += 1;
            // The mistake.
            if let Some(permit) = self.permit.take() {
                std::mem::forget(permit);
            }
        }
    }
}
