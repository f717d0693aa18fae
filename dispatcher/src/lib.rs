//! The dispatcher: stateless; consume, sign, POST, settle. Read downwards, the modules follow a delivery.

pub mod settings; // what an operator can set
pub mod endpoints; // which endpoints a company has
pub mod intake; // messages come in
pub mod gate; // how many attempts begin at once
pub mod route; // what each asks for
pub mod lane; // whose turn it is
pub mod deliver; // the way through all of this
pub mod request; // the signed request
pub mod client; // the only socket to customers
pub mod descriptors; // how many of them there can be
pub mod attempt; // one try, and what became of it
pub mod settle; // confirm, record, acknowledge
pub mod meters; // what is counted
pub mod health; // what probes ask

use std::sync::Arc;
use std::time::Duration;

use hookline_common::broker::{BrokerError, Consumer, Publisher};
use hookline_common::shutdown::Shutdown;
use hookline_common::telemetry::Telemetry;
use hookline_common::topology::Topology;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::client::{Client, Resolver, TlsSetupError};
use crate::deliver::{Deliverer, Parts};
use crate::endpoints::Endpoints;
use crate::endpoints::file::{EndpointsFile, FileSettings, UnusableFile};
use crate::gate::Gate;
use crate::health::Health;
use crate::intake::Intake;
use crate::lane::Bounds;
use crate::meters::Meters;
use crate::settings::Settings;
use crate::settle::{Acks, Recorder, Settler, Source};

/// What the drain may take beyond the longest request.
const DRAIN_MARGIN: Duration = Duration::from_secs(4);

/// Attempts for each processor that begin at once: enough that none stands idle while requests are on their way.
const AT_ONCE: usize = 32;
/// The same of what falls due, all of it at once perhaps: little enough that fresh deliveries hardly notice.
const DUE_AT_ONCE: usize = 4;

/// Why a dispatcher cannot run. A broker that is away is no reason: it is waited for.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The endpoints file cannot be used.
    #[error("HOOKLINE_ENDPOINTS_FILE: {0}")]
    Endpoints(#[from] UnusableFile),
    /// The roots to trust cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// The system's name servers are not known.
    #[error("name lookups cannot be set up: {0}; check /etc/resolv.conf")]
    Resolver(String),
    /// The broker cannot be used until a person mends something.
    #[error("{0}")]
    Broker(Arc<BrokerError>),
}

impl RunError {
    /// Whether the settings are wrong, and not the world around.
    #[must_use]
    pub fn is_about_settings(&self) -> bool {
        matches!(self, Self::Endpoints(_) | Self::Tls(_))
    }
}

/// A dispatcher that has everything it needs but its connections.
pub struct Dispatcher {
    settings: Settings,
    telemetry: Arc<Telemetry>,
    endpoints_file: EndpointsFile,
    client: Client,
}

impl Dispatcher {
    /// Reads the endpoints and sets the client up. Opens no port and no connection.
    ///
    /// # Errors
    /// [`RunError`] when something is missing.
    pub fn prepare(settings: Settings, telemetry: Telemetry) -> Result<Self, RunError> {
        let policy = settings.policy.clone();
        let endpoints_file = EndpointsFile::load(FileSettings {
            path: settings.endpoints_file.clone(),
            default_format: settings.default_format,
            policy: policy.clone(),
            allow_none: settings.allow_no_endpoints,
            grace: settings.unknown_grace,
        })?;
        let resolver = Resolver::from_system().map_err(|error| RunError::Resolver(error.to_string()))?;
        let max_connections = client::max_connections(descriptors::limit());
        let (ca_pem, timeout) = (settings.ca_pem.as_deref(), settings.request_timeout);
        let client = Client::new(policy, resolver, ca_pem, timeout, max_connections)?;
        Ok(Self {
            settings,
            telemetry: Arc::new(telemetry),
            endpoints_file,
            client,
        })
    }

    /// Runs until shutdown, then drains. The caller owns the port and the word to stop.
    ///
    /// # Errors
    /// [`RunError::Broker`] when only a person can mend what is wrong with the broker.
    pub async fn run(self, listener: TcpListener, shutdown: Shutdown) -> Result<(), RunError> {
        let Self {
            settings,
            telemetry,
            endpoints_file,
            client,
        } = self;
        let Settings { broker, schedule, .. } = &settings;
        if let Ok(address) = listener.local_addr() {
            info!(%address, "serving /healthz, /readyz and /metrics");
        }
        let acks = Arc::new(Acks::default());
        let topology = Topology::whole(&broker.namespace, schedule);
        let publisher = Publisher::start_as_keeper(broker.link("hookline-dispatcher publish"), topology);
        let health = Health {
            publisher: publisher.clone(),
            acks: Arc::clone(&acks),
            shutdown: shutdown.clone(),
            telemetry: Arc::clone(&telemetry),
        };
        let serving = tokio::spawn(health::serve(listener, health));
        let endpoints = endpoints_file.endpoints();
        let watching = tokio::spawn(endpoints_file.watch(shutdown.clone(), Arc::new(Notify::new())));

        let mut work = Work::new(&settings, endpoints, client, Arc::clone(&acks), publisher.clone());
        let ended = tokio::select! {
            () = work.consume(&settings, &publisher, &shutdown) => Ok(()),
            error = publisher.broken() => Err(RunError::Broker(error)),
        };
        if ended.is_ok() {
            work.drain(settings.request_timeout + DRAIN_MARGIN).await;
        }
        publisher.close().await;
        serving.abort();
        watching.abort();
        telemetry.flush();
        ended
    }
}

/// The dispatcher's work: what is begun with the connection and ended with the drain.
struct Work {
    acks: Arc<Acks>,
    deliverer: Arc<Deliverer>,
    consumers: Vec<Consumer>,
    attempts: TaskTracker,
    recording: TaskTracker,
    acknowledging: [JoinHandle<()>; 3],
    relieving: JoinHandle<()>,
}

impl Work {
    fn new(
        settings: &Settings,
        endpoints: Arc<dyn Endpoints>,
        client: Client,
        acks: Arc<Acks>,
        publisher: Publisher,
    ) -> Self {
        let (attempts, recording) = (TaskTracker::new(), TaskTracker::new());
        let namespace = &settings.broker.namespace;
        let recorder = settings
            .records
            .then(|| Recorder::start(publisher.clone(), namespace, Arc::clone(&acks), &recording));
        let deliverer = Arc::new(Deliverer::new(Parts {
            endpoints,
            client,
            acks: Arc::clone(&acks),
            settler: Settler::new(publisher, namespace.clone(), Arc::clone(&acks), recorder),
            schedule: settings.schedule.clone(),
            bounds: Bounds {
                concurrency: settings.endpoint_concurrency,
                windows: Source::ALL.map(|source| usize::from(window(source, settings.prefetch))),
            },
            keep_payloads: settings.keep_payloads,
            unknown_grace: settings.unknown_grace,
            meters: Meters::new(&acks),
            tasks: attempts.clone(),
        }));
        let acknowledging = Source::ALL.map(|source| {
            let acks = Arc::clone(&acks);
            tokio::spawn(async move { acks.acknowledge(source).await })
        });
        let lanes = Arc::clone(&deliverer);
        let relieving = tokio::spawn(async move { lanes.relieve_lanes().await });
        Self {
            acks,
            deliverer,
            consumers: Vec::new(),
            attempts,
            recording,
            acknowledging,
            relieving,
        }
    }

    /// Consumes until shutdown. The queues are there once the publisher has its first connection.
    async fn consume(&mut self, settings: &Settings, publisher: &Publisher, shutdown: &Shutdown) {
        tokio::select! {
            connected = publisher.connected(None) => drop(connected),
            () = shutdown.requested() => return,
        }
        let intakes = Source::ALL.map(|source| {
            // A connection each: a message that breaks one must not stop the others.
            let name = format!("hookline-dispatcher {}", source.as_str());
            let consumer = Consumer::start(settings.broker.link(&name));
            self.consumers.push(consumer.clone());
            let intake = Intake {
                source,
                namespace: settings.broker.namespace.clone(),
                prefetch: window(source, settings.prefetch),
                gate: Gate::new(places(source)),
                consumer,
                publisher: publisher.clone(),
                acks: Arc::clone(&self.acks),
                deliverer: Arc::clone(&self.deliverer),
            };
            intake.run(shutdown.clone())
        });
        futures_util::future::join_all(intakes).await;
    }

    /// Finishes what is in flight, gives back what is not begun, and acknowledges the rest.
    async fn drain(self, most: Duration) {
        let Self {
            acks,
            deliverer,
            consumers,
            attempts,
            recording,
            acknowledging,
            relieving,
        } = self;
        relieving.abort();
        deliverer.give_back_waiting();
        info!(in_flight = attempts.len(), "draining");
        attempts.close();
        recording.close();
        let finish = async {
            drop(relieving.await);
            attempts.wait().await;
            // The last recorder goes with the deliverer, and with it the writer, once everything is written.
            drop(deliverer);
            recording.wait().await;
        };
        if timeout(most, finish).await.is_err() {
            warn!(
                in_flight = attempts.len(),
                "the drain took too long; the broker redelivers what is left"
            );
        }
        acknowledging.iter().for_each(JoinHandle::abort);
        acks.flush().await;
        for consumer in consumers {
            consumer.close().await;
        }
        info!("drained");
    }
}

/// How many messages of a queue are in hand at most. A storm of retries passes a narrow window in batches, which cost the
/// broker a fraction of as many single messages, and so leaves it time for what is fresh.
fn window(source: Source, prefetch: u16) -> u16 {
    match source {
        Source::Events | Source::Deliveries => prefetch,
        Source::Due => (prefetch / 4).max(1),
    }
}

/// How many attempts of a queue begin at once.
fn places(source: Source) -> usize {
    let each = match source {
        Source::Events | Source::Deliveries => AT_ONCE,
        Source::Due => DUE_AT_ONCE,
    };
    each * std::thread::available_parallelism().map_or(1, usize::from)
}
