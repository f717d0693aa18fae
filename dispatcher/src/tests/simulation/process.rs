//! One dispatcher: the parts that are real, put together as `dispatch.rs` does, and intakes that read from the broker that is played.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookline_common::broker::Incoming;
use hookline_common::shutdown::{Shutdown, Trigger};
use hookline_consume::{AckLedger, Acknowledges, Handler, Supply, Taken};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use super::known::Known;
use super::mistakes::{Mistake, is_back};
use super::outside::{Channel, TIMEOUT, WayOut};
use super::plan::{Plan, UNKNOWN_GRACE};
use super::world::World;
use crate::attempts::{Attempts, Terms};
use crate::endpoints::Endpoints;
use crate::fairness::{Bounds, Concurrency, Fairness, Permit, StartLimiter};
use crate::in_flight::InFlight;
use crate::meters::Meters;
use crate::outside::Keeps;
use crate::pipeline::{Pipeline, Reception};
use crate::quarantine::Quarantine;
use crate::queues::Working;
use crate::settings::KeepPayloads;
use crate::settle::{Recorder, Settler};
use crate::stop::{CLOSE_WITHIN, DRAIN_MARGIN};
use crate::suspects::SETTLING_TIME;

const PUSHED: [Working; 3] = [Working::Events, Working::Deliveries, Working::Due];
/// Attempts of what falls due that begin at once beside others.
const DUE_AT_ONCE: usize = 1;
/// Before a queue is taken up again, as with the real intake.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A process that lives, or did.
pub(super) struct Process {
    pub(super) out: WayOut,
    limiters: [Arc<StartLimiter>; 3],
    /// None once it is stopped.
    in_flight: Option<InFlight>,
    intakes: JoinSet<()>,
    channels: Arc<Mutex<Vec<Arc<Channel>>>>,
    /// Dropped, it would ask for a stop.
    trigger: Trigger,
}

/// What one intake needs.
#[derive(Clone)]
struct Intake {
    out: WayOut,
    queue: Working,
    window: usize,
    is_alone: bool,
    ledger: Arc<AckLedger>,
    channels: Arc<Mutex<Vec<Arc<Channel>>>>,
    shutdown: Shutdown,
}

impl Process {
    pub(super) fn start(world: &World, number: u64, plan: &Arc<Plan>) -> Self {
        let out = WayOut::new(world.clone(), number, plan.schedule.clone());
        let endpoints: Arc<dyn Endpoints> = Arc::new(Known::new(world, plan));
        let ledgers: Vec<_> = Working::ALL.map(|queue| AckLedger::new(queue.label())).into();
        let meters = Meters::unobserved();
        let (tasks, recording) = (TaskTracker::new(), TaskTracker::new());
        let recorder = Recorder::start(out.clone(), meters.clone(), &recording);
        let (trigger, shutdown) = Shutdown::new();
        let settler = Settler::new(
            out.clone(),
            world.namespace.clone(),
            Some(recorder),
            shutdown.clone(),
        );
        let fairness = Fairness::new(Bounds {
            concurrency: Concurrency::up_to(4),
            windows: vec![plan.window, plan.window, plan.window, 1],
            due: Working::Due.index(),
            connections: 8,
        });
        let terms = Terms {
            schedule: plan.schedule.clone(),
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
            tasks.clone(),
        );
        let unknown_grace = if is_back(Mistake::ForgetsNewcomers) {
            Duration::ZERO
        } else {
            Duration::from_millis(UNKNOWN_GRACE)
        };
        let pipeline = Pipeline::new(
            endpoints,
            unknown_grace,
            Arc::clone(&attempts),
            settler,
            meters,
            tasks.clone(),
        );
        let mut acknowledging = JoinSet::new();
        for ledger in ledgers.clone() {
            acknowledging.spawn(async move { ledger.acknowledge().await });
        }
        let keeping_time = [
            tokio::spawn(Arc::clone(&attempts).keep_time()),
            tokio::spawn(observe(out.clone(), Arc::clone(&attempts))),
        ];
        let at_once = plan.at_once;
        let (events, deliveries) = (StartLimiter::new(at_once), StartLimiter::new(at_once));
        let fresh = vec![Arc::clone(&events), Arc::clone(&deliveries)];
        let limiters = [
            events,
            deliveries,
            StartLimiter::giving_way(at_once, DUE_AT_ONCE, fresh),
        ];
        let mut process = Self {
            out,
            limiters,
            in_flight: Some(InFlight {
                ledgers,
                acknowledging,
                pipeline: Arc::clone(&pipeline),
                attempts,
                tasks,
                recording,
                keeping_time,
            }),
            intakes: JoinSet::new(),
            channels: Arc::default(),
            trigger,
        };
        process.take_in(&pipeline, plan, &shutdown);
        process
    }

    fn take_in(&mut self, pipeline: &Arc<Pipeline>, plan: &Plan, shutdown: &Shutdown) {
        let Some(in_flight) = &self.in_flight else { return };
        let keeps: Arc<dyn Keeps> = Arc::new(self.out.clone());
        let intake = |queue: Working| Intake {
            out: self.out.clone(),
            queue,
            window: if queue == Working::Quarantine {
                1
            } else {
                plan.window
            },
            is_alone: plan.replicas == 1,
            ledger: Arc::clone(&in_flight.ledgers[queue.index()]),
            channels: Arc::clone(&self.channels),
            shutdown: shutdown.clone(),
        };
        for (queue, limiter) in PUSHED.into_iter().zip(self.limiters.clone()) {
            let reception = Reception {
                queue,
                limiter: Arc::clone(&limiter),
                pipeline: Arc::clone(pipeline),
                publisher: Arc::clone(&keeps),
            };
            self.intakes.spawn(intake(queue).push(reception, limiter));
        }
        let (intake, pipeline) = (intake(Working::Quarantine), Arc::clone(pipeline));
        self.intakes.spawn(async move {
            let ledger = Arc::clone(&intake.ledger);
            let quarantine = Quarantine::new(pipeline, keeps, ledger, TIMEOUT);
            let shutdown = intake.shutdown.clone();
            tokio::select! {
                biased;
                () = shutdown.requested() => {}
                () = sleep(SETTLING_TIME) => intake.ask(quarantine).await,
            }
        });
    }

    /// Stops in order, as on SIGTERM.
    pub(super) async fn stop(&mut self) {
        let (number, world) = (self.out.number, self.out.world.clone());
        let asked = Instant::now();
        world.lock().stops += 1;
        world.lock().stopping.insert(number, world.now());
        world.tell(|| format!("process {number} is asked to stop"));
        self.trigger.pull();
        while self.intakes.join_next().await.is_some() {}
        let Some(in_flight) = self.in_flight.take() else {
            return;
        };
        let max = TIMEOUT + DRAIN_MARGIN;
        in_flight.finish(max, CLOSE_WITHIN, std::future::ready(())).await;
        if asked.elapsed() > max {
            world.accuse(|| format!("process {number} took {:?} to stop", asked.elapsed()));
        }
        for channel in self.take_channels() {
            let held = world.lock().broker.held(channel.channel).len();
            if held > 0 && !channel.is_lost() {
                world.accuse(|| format!("process {number} stops with {held} messages in hand"));
            }
            let now = world.now();
            world.lock().broker.close(channel.channel, now);
        }
        world.tell(|| format!("process {number} has stopped"));
        world.news.notify_waiters();
    }

    fn take_channels(&self) -> Vec<Arc<Channel>> {
        std::mem::take(&mut *self.channels.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// It is gone, and the broker notices.
    pub(super) fn end(self) {
        let (number, world) = (self.out.number, &self.out.world);
        if let Some(in_flight) = &self.in_flight {
            in_flight.keeping_time.iter().for_each(JoinHandle::abort);
        }
        for channel in self.take_channels() {
            world.taken_away(number, channel.channel, false);
        }
        world.lock().reasons.gone(number);
    }

    /// What should be nothing once there is nothing to do.
    pub(super) async fn leftovers(&self) -> Option<String> {
        let in_flight = self.in_flight.as_ref()?;
        for ledger in &in_flight.ledgers {
            let load = ledger.load();
            if load.messages > 0 {
                return Some(format!("{load:?} of {} is in hand in the end", ledger.label()));
            }
        }
        let waiting = in_flight.attempts.fairness().overview(Instant::now()).waiting;
        if waiting > 0 {
            return Some(format!("{waiting} wait for their turn in the end"));
        }
        let is_out = |limiter: &Arc<StartLimiter>| limiter.held() > 0;
        let kept = self.limiters.iter().any(is_out);
        kept.then(|| "a permit was never given back".to_owned())
    }
}

/// Tells the fairness what stands on the broker, as `dispatch.rs` does.
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
        let channel = Arc::new(Channel {
            out: self.out.clone(),
            channel,
            generation,
            is_recognised: self.is_alone,
            is_of_suspects: self.queue == Working::Quarantine,
            is_lost: AtomicBool::new(false),
            loss: Notify::new(),
        });
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.push(Arc::clone(&channel));
        drop(channels);
        let acknowledges = Arc::clone(&channel) as Arc<dyn Acknowledges>;
        let supply = if self.queue == Working::Quarantine {
            Supply::OneByOne
        } else {
            Supply::Pushed {
                messages: u16::try_from(self.window).unwrap_or(u16::MAX),
                bytes: usize::MAX,
            }
        };
        self.ledger.subscribed(acknowledges, supply);
        channel
    }

    /// Takes in what is pushed, as the real intake does: reading and handing on are one task, and a lost subscription cancels
    /// whatever the handler is about, as does a stop.
    async fn push(self, reception: Reception, limiter: Arc<StartLimiter>) {
        while self.may_open().await {
            let channel = self.open();
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::select! {
                biased;
                () = self.read(&channel, sender) => {}
                () = lost(&channel) => {}
                () = self.hand_on(&channel, receiver, &reception, &limiter) => {}
            }
            self.closed(&channel).await;
        }
    }

    /// Waits for a subscription, unless a stop was asked for.
    async fn may_open(&self) -> bool {
        tokio::select! {
            biased;
            () = self.shutdown.requested() => false,
            () = self.out.pause(10) => true,
        }
    }

    async fn closed(&self, channel: &Channel) {
        if !self.shutdown.is_requested() {
            self.ledger.lost();
        }
        self.out.world.lock().reasons.heard(channel.channel);
        tokio::select! {
            biased;
            () = self.shutdown.requested() => {}
            () = sleep(TRY_AGAIN_AFTER) => {}
        }
    }

    async fn read(&self, channel: &Channel, sender: mpsc::UnboundedSender<Taken>) {
        let reading = async {
            loop {
                let taken = self.next(channel).await;
                drop(sender.send(taken));
                self.out.pause(2).await;
            }
        };
        tokio::select! {
            biased;
            () = self.shutdown.requested() => self.ledger.stop(),
            () = reading => {}
        }
        // Until the broker has heard of it, more may come.
        self.out.pause(3).await;
        while let Some(given) = self.give(channel) {
            drop(self.ledger.receive(&given));
        }
        self.out.world.lock().broker.cancel(channel.channel);
    }

    fn give(&self, channel: &Channel) -> Option<Incoming> {
        let given = self.out.world.lock().broker.give(channel.channel)?;
        Some(Incoming {
            tag: given.tag,
            redelivered: given.redelivered,
            returned: given.returned,
            message: given.message,
        })
    }

    /// The next message that is to be worked on.
    async fn next(&self, channel: &Channel) -> Taken {
        loop {
            let mut news = std::pin::pin!(self.out.world.news.notified());
            news.as_mut().enable();
            let Some(incoming) = self.give(channel) else {
                news.await;
                continue;
            };
            let chance = self.out.world.chances().loses_channel;
            let drawn = self.out.world.lock().random.below(1000);
            if drawn < chance {
                channel.lose();
            }
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
            let chance = self.out.world.chances().cancels;
            let (drawn, turns) = {
                let mut state = self.out.world.lock();
                (state.random.below(1000), state.random.below(4))
            };
            tokio::select! {
                biased;
                () = reception.take(taken) => under_way.is_over = true,
                () = after(turns), if drawn < chance => {
                    drop(under_way);
                    channel.lose();
                    return;
                }
            }
        }
    }

    /// Takes in what is asked for.
    async fn ask(self, quarantine: Quarantine) {
        while self.may_open().await {
            let channel = self.open();
            let asking = async {
                loop {
                    let taken = self.next(&channel).await;
                    quarantine.take(taken).await;
                }
            };
            tokio::select! {
                biased;
                () = self.shutdown.requested() => {
                    self.ledger.stop();
                    self.out.world.lock().broker.cancel(channel.channel);
                }
                () = lost(&channel) => {}
                () = asking => {}
            }
            self.closed(&channel).await;
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
