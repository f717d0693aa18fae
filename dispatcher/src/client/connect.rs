//! Making a connection: resolve, ask the guard about every address, connect to one of them, shake hands.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hookline_common::guard::{Policy, Refusal};
use hookline_common::outcome::Outcome;
use hyper::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tracing::debug;

use super::socket::Socket;
use super::{Failure, Resolver};

/// A connection that is not made shortly before its request's time is up can carry no answer any more; given up
/// this much earlier, it can still say in which phase it hung.
const MARGIN: Duration = Duration::from_millis(10);

/// Why the roots to trust cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// The PEM text holds no certificate that can be read.
    #[error(
        "HOOKLINE_CA_FILE holds no usable certificate: {0}; it must be PEM, one or more BEGIN CERTIFICATE blocks"
    )]
    Pem(String),
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectFailure {
    #[error("refused by the guard: {0}")]
    Blocked(Refusal),
    #[error("no usable answer from the name servers")]
    Dns,
    #[error("{0}")]
    Connect(String),
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    #[error("{0}")]
    Tls(String),
}

impl ConnectFailure {
    pub(super) fn explain(&self) -> Failure {
        match self {
            Self::Blocked(refusal) => Failure::blocked(refusal.clone()),
            Self::Dns => Failure::new(Outcome::DnsError, self.to_string()),
            Self::Connect(_) => Failure::new(Outcome::ConnectError, self.to_string()),
            Self::ConnectTimeout(_) => Failure::new(Outcome::Timeout, self.to_string()),
            Self::Tls(_) => Failure::new(Outcome::TlsError, self.to_string()),
        }
    }
}

/// Connects where the policy lets it.
#[derive(Clone)]
pub(super) struct Connector {
    shared: Arc<Shared>,
}

struct Shared {
    policy: Policy,
    resolver: Resolver,
    tls: TlsConnector,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(
        policy: Policy,
        resolver: Resolver,
        ca_pem: Option<&str>,
        timeout: Duration,
    ) -> Result<Self, TlsSetupError> {
        let tls = TlsConnector::from(Arc::new(tls_config(ca_pem)?));
        Ok(Self {
            shared: Arc::new(Shared {
                policy,
                resolver,
                tls,
                timeout,
            }),
        })
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Socket>;
    type Error = ConnectFailure;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Socket>, ConnectFailure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.connect(&uri).await.map(TokioIo::new) })
    }
}

impl Shared {
    async fn connect(&self, uri: &Uri) -> Result<Socket, ConnectFailure> {
        let deadline = Instant::now() + self.timeout.saturating_sub(MARGIN);
        let is_https = uri.scheme_str() == Some("https");
        // The brackets of an IPv6 literal belong to the URL, not to the address.
        let host = uri
            .host()
            .unwrap_or_default()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });

        let addresses = self.vetted_addresses(host, deadline).await?;
        let tcp = self.connect_to_one(&addresses, port, deadline).await?;
        if !is_https {
            return Ok(Socket::Plain(tcp));
        }
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ConnectFailure::Tls("the host is no name that a certificate can have".to_owned()))?;
        match timeout_at(deadline, self.tls.connect(name, tcp)).await {
            Ok(Ok(tls)) => Ok(Socket::Tls(Box::new(tls))),
            Ok(Err(error)) => Err(ConnectFailure::Tls(format!("TLS handshake failed: {error}"))),
            Err(_) => Err(ConnectFailure::Tls(format!(
                "TLS handshake did not finish within {:?}",
                self.timeout
            ))),
        }
    }

    /// The addresses to try. One that is not allowed refuses them all.
    async fn vetted_addresses(&self, host: &str, deadline: Instant) -> Result<Vec<IpAddr>, ConnectFailure> {
        let addresses = match host.parse() {
            Ok(literal) => vec![literal],
            Err(_) => match timeout_at(deadline, self.resolver.addresses(host)).await {
                Ok(Ok(addresses)) => addresses,
                Ok(Err(error)) => {
                    debug!(host, %error, "name lookup failed");
                    return Err(ConnectFailure::Dns);
                }
                Err(_) => return Err(ConnectFailure::Dns),
            },
        };
        if addresses.is_empty() {
            return Err(ConnectFailure::Dns);
        }
        self.policy
            .check_answer(&addresses)
            .map_err(ConnectFailure::Blocked)?;
        Ok(addresses)
    }

    /// Tries the addresses in turn; each has an equal share of the time that is left.
    #[expect(
        clippy::disallowed_methods,
        reason = "every address here has passed the guard"
    )]
    async fn connect_to_one(
        &self,
        addresses: &[IpAddr],
        port: u16,
        deadline: Instant,
    ) -> Result<TcpStream, ConnectFailure> {
        let mut failure = ConnectFailure::Dns;
        for (index, address) in addresses.iter().enumerate() {
            let now = Instant::now();
            let left = u32::try_from(addresses.len() - index).unwrap_or(1);
            let share = now + deadline.saturating_duration_since(now) / left;
            failure = match timeout_at(share, TcpStream::connect((*address, port))).await {
                Ok(Ok(stream)) => return self.vet_peer(stream),
                Ok(Err(error)) => ConnectFailure::Connect(format!("no connection: {}", error.kind())),
                Err(_) => ConnectFailure::ConnectTimeout(self.timeout),
            };
        }
        Err(failure)
    }

    /// The last look before a byte is sent: the address that we are really connected to.
    fn vet_peer(&self, stream: TcpStream) -> Result<TcpStream, ConnectFailure> {
        let unusable = |error: io::Error| ConnectFailure::Connect(format!("no connection: {}", error.kind()));
        let peer: SocketAddr = stream.peer_addr().map_err(unusable)?;
        self.policy
            .check_address(peer.ip())
            .map_err(ConnectFailure::Blocked)?;
        stream.set_nodelay(true).map_err(unusable)?;
        Ok(stream)
    }
}

fn tls_config(ca_pem: Option<&str>) -> Result<ClientConfig, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        debug!(%error, "a system root certificate cannot be read");
    }
    let (added, _) = roots.add_parsable_certificates(native.certs);
    if added == 0 {
        tracing::warn!(
            "the system has no root certificates; only HOOKLINE_CA_FILE vouches for https endpoints"
        );
    }
    if let Some(pem) = ca_pem {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let certificates = certificates.map_err(|error| TlsSetupError::Pem(error.to_string()))?;
        if certificates.is_empty() {
            return Err(TlsSetupError::Pem("no BEGIN CERTIFICATE block".to_owned()));
        }
        for certificate in certificates {
            roots
                .add(certificate)
                .map_err(|error| TlsSetupError::Pem(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
