//! One connection: opened once, with a deadline for every call on it.

use std::sync::Arc;
use std::time::Duration;

use lapin::tcp::OwnedTLSConfig;
use lapin::types::ShortString;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time::timeout;

use super::error::BrokerError;
use super::stats::BrokerStats;
use super::transport;
use super::url::BrokerUrl;

/// How long any one call may take. A broker that fails over to another node answers within a few seconds.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the broker may take to say goodbye. It matters to nobody's messages, and a program that ends waits for it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// The broker.
    pub url: BrokerUrl,
    /// Further roots to trust for `amqps://`, in PEM.
    pub ca_pem: Option<String>,
    /// The connection's name in the broker's own tools and logs, and in ours.
    pub name: String,
    /// The largest frame, in bytes; the broker's own limit where there is none. The client library reserves 16 of them
    /// for each direction.
    pub max_frame: Option<u32>,
    /// Where reconnects and refusals are counted.
    pub stats: Arc<BrokerStats>,
}

impl LinkSettings {
    /// A link to this broker, counted for itself, with nothing special about it.
    #[must_use]
    pub fn new(url: BrokerUrl, name: &str) -> Self {
        Self {
            url,
            ca_pem: None,
            name: name.to_owned(),
            max_frame: None,
            stats: Arc::default(),
        }
    }

    /// The same, counted together with every other link that is given these `stats`.
    #[must_use]
    pub fn counting_in(mut self, stats: &Arc<BrokerStats>) -> Self {
        self.stats = Arc::clone(stats);
        self
    }
}

/// Opens a connection, once.
pub(super) async fn open(settings: &LinkSettings) -> Result<Connection, BrokerError> {
    if settings.url.is_tls() {
        // Fails only where the process chose a provider already, and then that one serves.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let mut uri: AMQPUri = settings.url.to_uri();
    uri.query
        .connection_timeout
        .get_or_insert(CALL_TIMEOUT.as_millis() as u64);
    if let Some(max_frame) = settings.max_frame {
        uri.query.frame_max = Some(max_frame);
    }
    let properties = ConnectionProperties::default().with_connection_name(settings.name.as_str().into());
    let tls = OwnedTLSConfig {
        identity: None,
        cert_chain: settings.ca_pem.clone(),
    };
    in_time("connecting", transport::connect(uri, properties, tls)).await
}

/// Gives a call to the broker [`CALL_TIMEOUT`].
pub(super) async fn in_time<T>(
    what: &'static str,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => answer.map_err(BrokerError::call(what)),
        Err(_) => Err(BrokerError::NoAnswer {
            what,
            seconds: CALL_TIMEOUT.as_secs(),
        }),
    }
}

/// Opens a channel.
pub(super) async fn open_channel(connection: &Connection) -> Result<Channel, BrokerError> {
    in_time("opening a channel", connection.create_channel()).await
}

/// Closes politely, for a while; a connection that is dead already cannot answer.
pub(super) async fn close(connection: &Connection) {
    if connection.status().connected() {
        let polite = connection.close(200, "done".into());
        if let Ok(Err(error)) = timeout(CLOSE_TIMEOUT, polite).await {
            tracing::debug!(%error, "closing the broker connection");
        }
    }
}

/// Names of ours are shorter than AMQP's 255 bytes by construction.
pub(super) fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_default()
}
