//! The dispatcher: stateless; consume, sign, POST, settle. Read downwards, the modules follow a delivery.
//!
//! The steps are those of `docs/TOUR.md`. Step 1, an event is published, is the producer's; step 2, it is taken in, and the
//! last word of step 8, it is acknowledged, are those of the crate `hookline-consume`.

pub mod settings; // what an operator can set
pub mod descriptors; // how many files may be open
pub mod queues; // step 2: the working queues
pub mod pipeline; // steps 3 to 8: the way through all that follows
pub mod suspects; // messages that came back too often
pub mod quarantine; // where they are handled, one at a time
pub mod outside; // what is met outside of the process
pub mod endpoints; // step 3: which endpoints a company has
pub mod route; // step 3: what each message asks for
pub mod fairness; // step 4: whose turn it is
pub mod spans; // what is traced of a delivery and of its attempts
pub mod attempts; // step 4, carried out: turns, one after the other
mod standstill; // while no request gets out
pub mod attempt; // steps 5 to 7: one attempt
pub mod classify; // step 7: what the answer means
mod failure_log; // and what the operator reads of it
pub mod settle; // step 8: confirm, record, let it be acknowledged
pub mod dispatch; // everything that is begun with the connection
mod replicas; // how many share an owner's rate
mod in_flight; // what it has begun
mod drain; // and ended with the process
pub mod stop; // how long the end may take
pub mod meters; // what is counted
pub mod health; // what probes ask
#[cfg(test)]
mod tests; // all of that with a broker and receivers that are played

/// Steps 5 and 6 are a crate of their own, as others send a signed request as well.
pub use hookline_outbound::{client, request};

use std::sync::Arc;

use hookline_common::broker::BrokerError;
use hookline_common::shutdown::Shutdown;
use hookline_common::telemetry::Telemetry;
use hookline_outbound::client::{Client, ClientSettings, Resolver, TlsSetupError};
use hookline_store::Store;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tracing::info;

use crate::dispatch::Dispatch;
use crate::endpoints::Endpoints;
use crate::endpoints::file::{EndpointsFile, FileSettings, UnusableFile};
use crate::endpoints::registry::Registry;
use crate::health::Health;
use crate::settings::{EndpointsSource, Settings};

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
        match self {
            Self::Endpoints(file) => !file.may_pass(),
            Self::Tls(_) => true,
            Self::Resolver(_) | Self::Broker(_) => false,
        }
    }
}

/// A dispatcher that has everything it needs but its connections.
pub struct Dispatcher {
    settings: Settings,
    telemetry: Arc<Telemetry>,
    endpoints: Arc<dyn Endpoints>,
    followed: Followed,
    client: Client,
}

/// Where the endpoints come from, followed while the dispatcher runs.
enum Followed {
    File(EndpointsFile),
    Registry(Arc<Registry>),
}

impl Followed {
    fn new(settings: &Settings) -> Result<Self, UnusableFile> {
        let policy = settings.policy.clone();
        match settings.endpoints.clone() {
            EndpointsSource::File(path) => EndpointsFile::load(FileSettings {
                path,
                default_format: settings.default_format,
                policy,
                allow_none: settings.allow_no_endpoints,
                grace: settings.unknown_grace,
            })
            .map(Self::File),
            EndpointsSource::Registry(store) => {
                let allow_none = settings.allow_no_endpoints;
                Ok(Self::Registry(Registry::new(
                    Store::new(*store),
                    policy,
                    allow_none,
                    settings.registry_refresh,
                )))
            }
        }
    }

    fn endpoints(&self) -> Arc<dyn Endpoints> {
        match self {
            Self::File(file) => file.endpoints(),
            Self::Registry(registry) => Arc::clone(registry) as Arc<dyn Endpoints>,
        }
    }
}

impl Dispatcher {
    /// Reads the endpoints and sets the client up. Opens no port and no connection.
    ///
    /// # Errors
    /// [`RunError`] when something is missing.
    pub fn prepare(settings: Settings, telemetry: Telemetry) -> Result<Self, RunError> {
        let followed = Followed::new(&settings)?;
        let resolver = Resolver::from_system().map_err(|error| RunError::Resolver(error.to_string()))?;
        let max_connections = client::max_connections(descriptors::limit());
        let client = Client::new(ClientSettings {
            ca_pem: settings.ca_pem.clone(),
            proxy: settings.egress_proxy.clone(),
            ..ClientSettings::new(
                settings.policy.clone(),
                resolver,
                settings.request_timeout,
                max_connections,
            )
        })?;
        Ok(Self {
            settings,
            telemetry: Arc::new(telemetry),
            endpoints: followed.endpoints(),
            followed,
            client,
        })
    }

    /// With other endpoints than the file's, or the file's with something around them.
    #[must_use]
    pub fn with_endpoints(mut self, around: impl FnOnce(Arc<dyn Endpoints>) -> Arc<dyn Endpoints>) -> Self {
        self.endpoints = around(self.endpoints);
        self
    }

    /// Runs until shutdown, then drains; reads the endpoints again when `reload` fires. The caller owns the port and
    /// decides when to stop.
    ///
    /// # Errors
    /// [`RunError::Broker`] when only a person can mend what is wrong with the broker.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: Shutdown,
        reload: Arc<Notify>,
    ) -> Result<(), RunError> {
        let Self {
            settings,
            telemetry,
            endpoints,
            followed,
            client,
        } = self;
        if let Ok(address) = listener.local_addr() {
            info!(%address, "serving /healthz, /readyz and /metrics");
        }
        let longest_stop_s = stop::longest(settings.request_timeout).as_secs_f64();
        info!(longest_stop_s, "a stop takes at most {longest_stop_s} s");

        let dispatch = Dispatch::new(&settings, Arc::clone(&endpoints), client, shutdown.clone());
        let health = Health {
            publisher: dispatch.publisher().clone(),
            endpoints,
            ledgers: dispatch.pushed_ledgers(),
            shutdown: shutdown.clone(),
            telemetry: Arc::clone(&telemetry),
        };
        let serving = tokio::spawn(health::serve(listener, health));
        let following = match followed {
            Followed::File(file) => tokio::spawn(file.watch(shutdown.clone(), reload)),
            Followed::Registry(registry) => {
                let following = tokio::spawn(Arc::clone(&registry).follow(shutdown.clone(), reload));
                let publisher = dispatch.publisher().clone();
                // A message that is taken before anything is known could only be set aside.
                tokio::select! {
                    () = registry.reached() => {}
                    () = shutdown.requested() => {}
                    // Told below.
                    _error = publisher.broken() => {}
                }
                following
            }
        };
        let ended = dispatch.run(&shutdown).await;
        serving.abort();
        following.abort();
        telemetry.flush().await;
        ended.map_err(RunError::Broker)
    }
}
