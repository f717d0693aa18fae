//! Everything that is begun with the connection to the broker: the parts of the pipeline put together, and step 2 for each
//! working queue. What ends it stands in `drain.rs`.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use hookline_common::broker::{BrokerError, BrokerStats, Consumer, Publisher};
use hookline_common::shutdown::Shutdown;
use hookline_common::topology::{Namespace, Topology};
use hookline_consume::{AckLedger, Intake};
use hookline_outbound::client::Client;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::attempts::{Attempts, Terms};
use crate::endpoints::Endpoints;
use crate::fairness::{Bounds, Concurrency, Fairness, MAX_QUEUES, StartLimiter};
use crate::in_flight::InFlight;
use crate::meters::{Meters, observe_endpoints};
use crate::pipeline::{Pipeline, Reception};
use crate::quarantine::Quarantine;
use crate::queues::Working;
use crate::replicas::Replicas;
use crate::settings::Settings;
use crate::settle::{BatchLog, Recorder, Settler};
use crate::suspects::SETTLING_TIME;

/// The queues that the broker pushes from.
const PUSHED: [Working; 3] = [Working::Events, Working::Deliveries, Working::Due];
/// The longest frame, in bytes, that a connection takes from which the broker pushes. The client library sets 32 of them aside for each
/// direction, and reads as far ahead: with 128 KiB the same loads took 30 to 80 MB more after connections had been made anew. What may
/// be delivered has headers of 16 KiB, and some 4 KB that we and the broker write at the most, so it is read whole. Of longer ones
/// values are left out, and the message is set aside, as it would be anyway.
const MAX_CONSUMED_FRAME: u32 = 32 * 1024;
/// How often the broker is asked how deep the working queues are and how many replicas consume them: often enough for a rate
/// that is shared among replicas to follow a scale-out, and no load.
const OBSERVE_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked at whether all queues are consumed, as the process starts.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const _: () = assert!(Working::ALL.len() <= MAX_QUEUES);

/// A dispatcher with its connections.
pub struct Dispatch {
    pub(crate) settings: Settings,
    pub(crate) publisher: Publisher,
    pub(crate) records: Option<BatchLog>,
    pub(crate) consumers: Vec<Consumer>,
    pub(crate) in_flight: InFlight,
    observer: Observer,
    stats: Arc<BrokerStats>,
}

impl Dispatch {
    /// Puts the parts together and begins to connect.
    #[must_use]
    pub fn new(
        settings: &Settings,
        endpoints: Arc<dyn Endpoints>,
        client: Client,
        shutdown: Shutdown,
    ) -> Self {
        let (broker, stats) = (&settings.broker, Arc::<BrokerStats>::default());
        let link = |name: &str| broker.link(name).counting_in(&stats);
        let topology = Topology::whole(&broker.namespace, &settings.schedule)
            .with_attempts_max_bytes(settings.attempts_max_bytes);
        let publisher = Publisher::start_as_keeper(link("hookline-dispatcher publish"), topology);
        let ledgers: Vec<_> = Working::ALL.map(|queue| AckLedger::new(queue.label())).into();
        let meters = Meters::new(&ledgers, &stats, &publisher, &client);
        let (tasks, recording) = (TaskTracker::new(), TaskTracker::new());
        let records = settings
            .records
            .then(|| BatchLog::start(link, &broker.namespace, &publisher, meters.clone()));
        let recorder = records
            .clone()
            .map(|log| Recorder::start(log, meters.clone(), &recording));
        let settler = Settler::new(publisher.clone(), broker.namespace.clone(), recorder, shutdown);
        let fairness = Fairness::new(bounds(settings, &client));
        let attempts = Attempts::new(
            Arc::clone(&endpoints),
            fairness,
            client,
            settler.clone(),
            Terms {
                schedule: settings.schedule.clone(),
                keep_payloads: settings.keep_payloads,
                trace_receivers: settings.trace_receivers,
            },
            meters.clone(),
            tasks.clone(),
        );
        let weak = Arc::downgrade(&attempts);
        observe_endpoints(move || Some(weak.upgrade()?.fairness().overview(Instant::now())));
        let observer = Observer {
            publisher: publisher.clone(),
            namespace: broker.namespace.clone(),
            attempts: Arc::downgrade(&attempts),
            replicas: Arc::default(),
        };
        let keeping_time = [
            tokio::spawn(Arc::clone(&attempts).keep_time()),
            tokio::spawn(observer.clone().observe()),
        ];
        let pipeline = Pipeline::new(
            endpoints,
            settings.unknown_grace,
            Arc::clone(&attempts),
            settler,
            meters,
            tasks.clone(),
        );
        let mut acknowledging = JoinSet::new();
        for ledger in &ledgers {
            let ledger = Arc::clone(ledger);
            acknowledging.spawn(async move { ledger.acknowledge().await });
        }
        Self {
            settings: settings.clone(),
            publisher,
            records,
            consumers: Vec::new(),
            in_flight: InFlight {
                ledgers,
                acknowledging,
                pipeline,
                attempts,
                tasks,
                recording,
                keeping_time,
            },
            observer,
            stats,
        }
    }

    /// What publishes.
    #[must_use]
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// The ledgers of the queues that must be consumed for the process to be of use.
    #[must_use]
    pub fn pushed_ledgers(&self) -> Vec<Arc<AckLedger>> {
        PUSHED.map(|queue| self.ledger(queue)).into()
    }

    /// Consumes until shutdown, and drains.
    ///
    /// # Errors
    /// When only a person can mend what is wrong with the broker.
    pub async fn run(mut self, shutdown: &Shutdown) -> Result<(), Arc<BrokerError>> {
        let publisher = self.publisher.clone();
        let (since, ended) = tokio::select! {
            since = self.consume(shutdown) => (since, Ok(())),
            error = publisher.broken() => (Instant::now(), Err(error)),
        };
        self.drain(since).await;
        ended
    }

    /// Consumes until shutdown, and returns when that came. The queues are there once the publisher has its first connection; how many replicas share
    /// them must be known before the first attempt of an endpoint with a rate.
    async fn consume(&mut self, shutdown: &Shutdown) -> Instant {
        let ready = async {
            drop(self.publisher.connected(None).await);
            // This replica will be one more.
            self.observer.observe_once(1).await;
        };
        tokio::select! {
            () = ready => {}
            () = shutdown.requested() => return Instant::now(),
        }
        let mut intakes = JoinSet::new();
        for (queue, limiter) in limiters() {
            // A connection each: a message or a queue that breaks one must not stop the others.
            let consumer = self.consumer(queue);
            let reception = Reception {
                queue,
                limiter,
                pipeline: Arc::clone(&self.in_flight.pipeline),
                publisher: Arc::new(self.publisher.clone()),
            };
            intakes.spawn(self.intake(queue, &consumer).run(reception, shutdown.clone()));
        }
        // And one for this, or a quarantine that does not answer would have what is due given back again and again.
        let consumer = self.consumer(Working::Quarantine);
        let intake = self.intake(Working::Quarantine, &consumer);
        let quarantine = Quarantine::new(
            Arc::clone(&self.in_flight.pipeline),
            Arc::new(self.publisher.clone()),
            self.ledger(Working::Quarantine),
            self.settings.request_timeout,
        );
        let requested = shutdown.clone();
        intakes.spawn(async move {
            tokio::select! {
                () = sleep(SETTLING_TIME) => intake.run(quarantine, requested).await,
                () = requested.requested() => {}
            }
        });
        let (ledgers, requested) = (self.pushed_ledgers(), shutdown.clone());
        intakes.spawn(async move {
            tokio::select! {
                () = say_ready(&ledgers) => {}
                () = requested.requested() => {}
            }
        });
        shutdown.requested().await;
        let since = Instant::now();
        while intakes.join_next().await.is_some() {}
        since
    }

    /// A connection for a queue of its own.
    fn consumer(&mut self, queue: Working) -> Consumer {
        let name = format!("hookline-dispatcher {}", queue.label());
        let mut link = self.settings.broker.link(&name).counting_in(&self.stats);
        // In the quarantine everything is kept that was said of a message, and there is one at a time.
        link.max_frame = PUSHED.contains(&queue).then_some(MAX_CONSUMED_FRAME);
        let consumer = Consumer::start(link);
        self.consumers.push(consumer.clone());
        consumer
    }

    fn intake(&self, queue: Working, consumer: &Consumer) -> Intake {
        Intake {
            queue: queue.consumed(&self.settings.broker.namespace, self.settings.prefetch),
            consumer: consumer.clone(),
            ledger: self.ledger(queue),
        }
    }

    fn ledger(&self, queue: Working) -> Arc<AckLedger> {
        Arc::clone(&self.in_flight.ledgers[queue.index()])
    }
}

/// One line for whoever waits for the start to be over, scripts among them.
async fn say_ready(ledgers: &[Arc<AckLedger>]) {
    while !ledgers.iter().all(|ledger| ledger.is_consuming()) {
        sleep(LOOK_EVERY).await;
    }
    info!("ready: consuming from all working queues");
}

fn bounds(settings: &Settings, client: &Client) -> Bounds {
    Bounds {
        concurrency: Concurrency::up_to(settings.endpoint_concurrency),
        windows: Working::ALL
            .map(|queue| usize::from(queue.window(settings.prefetch)))
            .into(),
        due: Working::Due.index(),
        connections: client.max_connections(),
    }
}

/// Tells the fairness what stands on the broker. Clones know the same.
#[derive(Clone)]
struct Observer {
    publisher: Publisher,
    namespace: Namespace,
    attempts: Weak<Attempts>,
    replicas: Arc<Mutex<Replicas>>,
}

impl Observer {
    /// Goes on for ever.
    async fn observe(self) {
        loop {
            sleep(OBSERVE_EVERY).await;
            self.observe_once(0).await;
        }
    }

    async fn observe_once(&self, coming: u32) {
        let queues = PUSHED.map(Working::queue);
        let depths = self.publisher.depths(&self.namespace, &queues).await;
        let Some(attempts) = self.attempts.upgrade() else {
            return;
        };
        let consumers = depths.iter().flatten().map(|depth| depth.consumers);
        let replicas = {
            // A panic elsewhere leaves a count that is still sound.
            let mut replicas = self.replicas.lock().unwrap_or_else(PoisonError::into_inner);
            replicas.observe(consumers, coming)
        };
        for (queue, depth) in PUSHED.iter().zip(depths) {
            if let Some(depth) = depth {
                let (ready, now) = (u64::from(depth.ready), Instant::now());
                attempts.fairness().observe(queue.index(), ready, replicas, now);
            }
        }
    }
}

/// Each of [`PUSHED`] with what limits how many of its attempts begin at once. What falls due gives way to what is fresh.
fn limiters() -> Vec<(Working, Arc<StartLimiter>)> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut fresh = Vec::new();
    let mut limiters = Vec::new();
    for queue in PUSHED {
        if queue.at_once_beside_fresh().is_none() {
            let limiter = StartLimiter::new(processors * queue.at_once());
            fresh.push(Arc::clone(&limiter));
            limiters.push((queue, limiter));
        }
    }
    for queue in PUSHED {
        if let Some(beside) = queue.at_once_beside_fresh() {
            let (max, beside) = (processors * queue.at_once(), processors * beside);
            limiters.push((queue, StartLimiter::giving_way(max, beside, fresh.clone())));
        }
    }
    limiters
}
