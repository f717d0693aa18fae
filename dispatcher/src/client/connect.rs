//! Making a connection: resolve, ask the guard about every address, connect to one of them, shake hands.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use hookline_common::guard::{Policy, Refusal};
use hookline_common::outcome::Outcome;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tracing::debug;

use super::pool::Pool;
use super::socket::Socket;
use super::target::Target;
use super::{RequestError, Resolver, SendError, Shortage};

/// A connection that is not made shortly before its request's time is up can carry no answer any more; given up
/// this much earlier, it can still say in which phase it hung.
const MARGIN: Duration = Duration::from_millis(10);
/// TLS sessions are remembered for this many hosts, so that a connection to one of them costs a fraction of a full
/// handshake: more hosts than customers usually have, and some 20 MB when all of them are behind TLS.
const SESSION_HOSTS: usize = 10_000;
/// How rustls counts sessions: it keeps up to eight tickets for each host.
const TICKETS_PER_HOST: usize = 8;

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
pub(super) enum ConnectError {
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
    #[error("{0}")]
    Shortage(#[from] Shortage),
}

impl From<ConnectError> for SendError {
    fn from(error: ConnectError) -> Self {
        let outcome = match error {
            ConnectError::Shortage(shortage) => return Self::Shortage(shortage),
            ConnectError::Blocked(refusal) => return Self::Failed(RequestError::blocked(refusal)),
            ConnectError::Dns => Outcome::DnsError,
            ConnectError::Connect(_) => Outcome::ConnectError,
            ConnectError::ConnectTimeout(_) => Outcome::Timeout,
            ConnectError::Tls(_) => Outcome::TlsError,
        };
        Self::Failed(RequestError::new(outcome, error.to_string()))
    }
}

/// Connects where the policy lets it.
pub(super) struct Connector {
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
            policy,
            resolver,
            tls,
            timeout,
        })
    }

    /// A connection to `target`, and its place among all connections of `pool`.
    pub(super) async fn connect(
        &self,
        target: &Target,
        pool: &Pool,
        deadline: Instant,
    ) -> Result<(Socket, OwnedSemaphorePermit), ConnectError> {
        let deadline = deadline.checked_sub(MARGIN).unwrap_or(deadline);
        let (addresses, permit) = self.vetted_addresses(target.host(), pool, deadline).await?;
        let tcp = self.connect_to_one(&addresses, target.port(), deadline).await?;
        if !target.is_https {
            return Ok((Socket::Plain(tcp), permit));
        }
        let name = ServerName::try_from(target.host().to_owned())
            .map_err(|_| ConnectError::Tls("the host is no name that a certificate can have".to_owned()))?;
        match timeout_at(deadline, self.tls.connect(name, tcp)).await {
            Ok(Ok(tls)) => Ok((Socket::Tls(Box::new(tls)), permit)),
            Ok(Err(error)) => Err(ConnectError::Tls(format!("TLS handshake failed: {error}"))),
            Err(_) => Err(ConnectError::Tls(format!(
                "TLS handshake did not finish within {:?}",
                self.timeout
            ))),
        }
    }

    /// The addresses to try. One that is not allowed refuses them all.
    async fn vetted_addresses(
        &self,
        host: &str,
        pool: &Pool,
        deadline: Instant,
    ) -> Result<(Vec<IpAddr>, OwnedSemaphorePermit), ConnectError> {
        let (addresses, permit) = match host.parse() {
            Ok(literal) => (vec![literal], pool.reserve(1).await?),
            Err(_) => {
                // The sockets of the lookup are closed before the connection's own is there.
                let mut permits = pool.reserve(self.resolver.sockets_at_once()).await?;
                let addresses = self.look_up(host, deadline).await?;
                drop(permits.split(permits.num_permits() - 1));
                (addresses, permits)
            }
        };
        self.policy
            .check_answer(&addresses)
            .map_err(ConnectError::Blocked)?;
        Ok((addresses, permit))
    }

    async fn look_up(&self, host: &str, deadline: Instant) -> Result<Vec<IpAddr>, ConnectError> {
        let short_before = self.resolver.short().count;
        let error = match timeout_at(deadline, self.resolver.addresses(host)).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => return Ok(addresses),
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        };
        debug!(host, error, "name lookup failed");
        // Perhaps it was another lookup that had no socket; then this one is only made again.
        let short = self.resolver.short();
        match short.last {
            Some(shortage) if short.count > short_before => Err(shortage.into()),
            _ => Err(ConnectError::Dns),
        }
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
    ) -> Result<TcpStream, ConnectError> {
        let mut failure = ConnectError::Dns;
        for (index, address) in addresses.iter().enumerate() {
            let now = Instant::now();
            let left = u32::try_from(addresses.len() - index).unwrap_or(1);
            let share = now + deadline.saturating_duration_since(now) / left;
            failure = match timeout_at(share, TcpStream::connect((*address, port))).await {
                Ok(Ok(stream)) => return self.vet_peer(stream),
                Ok(Err(error)) => match shortage(&error, (*address, port).into()) {
                    // Another address has ports of its own; of all else there is as little for the next one.
                    Some(shortage) if shortage != Shortage::Ports => return Err(shortage.into()),
                    Some(shortage) => shortage.into(),
                    None => ConnectError::Connect(format!("no connection: {}", error.kind())),
                },
                Err(_) => ConnectError::ConnectTimeout(self.timeout),
            };
        }
        Err(failure)
    }

    /// The last look before a byte is sent: the address that we are really connected to.
    fn vet_peer(&self, stream: TcpStream) -> Result<TcpStream, ConnectError> {
        let unusable = |error: io::Error| ConnectError::Connect(format!("no connection: {}", error.kind()));
        let peer: SocketAddr = stream.peer_addr().map_err(unusable)?;
        self.policy
            .check_address(peer.ip())
            .map_err(ConnectError::Blocked)?;
        stream.set_nodelay(true).map_err(unusable)?;
        Ok(stream)
    }
}

/// What of ours has run out, where that is why there is no connection.
fn shortage(error: &io::Error, address: SocketAddr) -> Option<Shortage> {
    let shortage = Shortage::of(error)?;
    // The same error says that this machine has no address from which it could reach that one, as without IPv6.
    // Sending nothing, a datagram socket meets that too, but no want of ports for connections.
    let has_no_way = || {
        let any: SocketAddr = if address.is_ipv6() {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        };
        UdpSocket::bind(any)
            .and_then(|socket| socket.connect(address))
            .is_err()
    };
    (shortage != Shortage::Ports || !has_no_way()).then_some(shortage)
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
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(SESSION_HOSTS * TICKETS_PER_HOST);
    Ok(config)
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_want_of_ports_is_ours_and_a_want_of_a_way_is_not() {
        let (here, nowhere) = (([127, 0, 0, 1], 9).into(), ([255, 255, 255, 255], 9).into());
        let error = Errno::ADDRNOTAVAIL.into();
        assert_eq!(shortage(&error, here), Some(Shortage::Ports));
        assert_eq!(shortage(&error, nowhere), None);
        assert_eq!(
            shortage(&Errno::MFILE.into(), nowhere),
            Some(Shortage::Descriptors)
        );
        assert_eq!(shortage(&Errno::CONNREFUSED.into(), here), None);
    }
}
