//! One connection: opened once, with a deadline for every call on it.

use std::time::Duration;

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connect as _, Connection, ConnectionProperties};
use tokio::time::timeout;

use super::error::BrokerError;
use super::url::BrokerUrl;

/// How long any one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// The broker.
    pub url: BrokerUrl,
    /// Further roots to trust for `amqps://`, in PEM.
    pub ca_pem: Option<String>,
    /// The connection's name in the broker's own tools and logs, and in ours.
    pub name: String,
}

/// Opens a connection, once.
pub(super) async fn open(settings: &LinkSettings) -> Result<Connection, BrokerError> {
    if settings.url.is_tls() {
        // Fails only where the process chose a provider already, and then that one serves.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let mut uri: AMQPUri = settings.url.to_uri();
    uri.query.connection_timeout.get_or_insert(10_000);
    let properties = ConnectionProperties::default().with_connection_name(settings.name.as_str().into());
    let tls = OwnedTLSConfig {
        identity: None,
        cert_chain: settings.ca_pem.clone(),
    };
    let runtime =
        lapin::runtime::default_runtime().map_err(BrokerError::call("starting the broker client"))?;
    in_time("connecting", uri.connect_with_config(properties, tls, runtime)).await
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
        if let Ok(Err(error)) = timeout(Duration::from_secs(2), polite).await {
            tracing::debug!(%error, "closing the broker connection");
        }
    }
}
