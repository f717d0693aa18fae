//! Making a connection: ask the guard about every address, or the egress proxy for a tunnel; then shake hands.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hookline_common::cause::Cause;
use hookline_common::guard::Policy;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tracing::debug;

use super::dial::{ConnectError, Dialer};
use super::pool::Pool;
use super::proxy::EgressProxy;
use super::room::Places;
use super::socket::{InTurns, Stream};
use super::target::Target;
use super::tunnel::{self, TunnelError};
use super::{RequestError, Resolver, Shortage};

/// A connection that is not made shortly before its request's time is up can carry no answer any more; given up
/// this much earlier, it can still say in which phase it hung.
const MARGIN: Duration = Duration::from_millis(10);
/// How long the egress proxy may take to accept a connection: it stands in the operator's own network, and whoever waits for
/// one that is away holds a slot.
const PROXY_WITHIN: Duration = Duration::from_secs(5);

/// Connects where the policy lets it.
pub(super) struct Connector {
    policy: Policy,
    dialer: Dialer,
    proxy: Option<EgressProxy>,
    tls: TlsConnector,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(
        policy: Policy,
        resolver: Resolver,
        proxy: Option<EgressProxy>,
        tls: TlsConnector,
        timeout: Duration,
    ) -> Self {
        Self {
            policy,
            dialer: Dialer::new(resolver, timeout),
            proxy,
            tls,
            timeout,
        }
    }

    /// A connection to `target`, and its place among all connections of `pool`.
    pub(super) async fn connect(
        &self,
        target: &Target,
        pool: &Pool,
        deadline: Instant,
    ) -> Result<(Stream, Places), ConnectError> {
        let deadline = deadline.checked_sub(MARGIN).unwrap_or(deadline);
        let (tcp, permit) = match &self.proxy {
            None => self.directly(target, pool, deadline).await?,
            Some(proxy) => self.through(proxy, target, pool, deadline).await?,
        };
        tcp.set_nodelay(true).map_err(|error| unusable(&error))?;
        if !target.is_https {
            return Ok((Stream::Plain(tcp), permit));
        }
        let name = ServerName::try_from(target.host().to_owned())
            .map_err(|_| RequestError::plain(Cause::NoCertificateName))?;
        match timeout_at(deadline, self.tls.connect(name, InTurns::new(tcp))).await {
            Ok(Ok(tls)) => Ok((Stream::Tls(Box::new(tls)), permit)),
            Ok(Err(error)) => Err(no_tls(&error)),
            Err(_) => Err(RequestError::new(Cause::TlsHung, format_args!("{:?}", self.timeout)).into()),
        }
    }

    /// One address that is not allowed refuses them all.
    async fn directly(
        &self,
        target: &Target,
        pool: &Pool,
        deadline: Instant,
    ) -> Result<(TcpStream, Places), ConnectError> {
        let (addresses, permit) = self.dialer.addresses(target.host(), pool, deadline).await?;
        self.policy
            .check_answer(&addresses)
            .map_err(ConnectError::Blocked)?;
        let tcp = self.dialer.connect(&addresses, target.port(), deadline).await?;
        // The last look before a byte is sent: the address that we are really connected to.
        let peer: SocketAddr = tcp.peer_addr().map_err(|error| unusable(&error))?;
        self.policy
            .check_address(peer.ip())
            .map_err(ConnectError::Blocked)?;
        Ok((tcp, permit))
    }

    /// The proxy resolves names, and it alone sees which addresses they have; a literal one is judged here.
    async fn through(
        &self,
        proxy: &EgressProxy,
        target: &Target,
        pool: &Pool,
        deadline: Instant,
    ) -> Result<(TcpStream, Places), ConnectError> {
        if let Ok(literal) = target.host().parse::<IpAddr>() {
            self.policy
                .check_address(literal)
                .map_err(ConnectError::Blocked)?;
        }
        let reached = self.reach(proxy, pool, deadline).await;
        let (tcp, permit) = reached.map_err(|error| match error {
            ConnectError::Shortage(shortage) => shortage,
            error => {
                debug!(%error, ?proxy, "the egress proxy cannot be reached");
                Shortage::Proxy
            }
        })?;
        let destination = target.tunnel_destination();
        let credentials = proxy.credentials();
        let opening = tunnel::open(tcp, &destination, credentials.as_deref());
        match timeout_at(deadline, opening).await {
            Ok(Ok(tcp)) => Ok((tcp, permit)),
            Ok(Err(TunnelError::Credentials)) => Err(Shortage::ProxyCredentials.into()),
            Ok(Err(TunnelError::Shortage(shortage))) => Err(shortage.into()),
            Ok(Err(error)) => Err(RequestError::new(Cause::Proxy, error).into()),
            Err(_) => Err(RequestError::new(Cause::ProxySilent, format_args!("{:?}", self.timeout)).into()),
        }
    }

    async fn reach(
        &self,
        proxy: &EgressProxy,
        pool: &Pool,
        deadline: Instant,
    ) -> Result<(TcpStream, Places), ConnectError> {
        let deadline = deadline.min(Instant::now() + PROXY_WITHIN);
        let (addresses, permit) = self.dialer.addresses(proxy.host(), pool, deadline).await?;
        let tcp = self.dialer.connect(&addresses, proxy.port(), deadline).await?;
        Ok((tcp, permit))
    }
}

/// Why a connection that is there cannot be used: not a byte has been sent, so that what is short of ours costs no attempt.
fn unusable(error: &io::Error) -> ConnectError {
    Shortage::once_connected(error).map_or_else(
        || RequestError::new(Cause::NoConnection, error.kind()).into(),
        ConnectError::from,
    )
}

/// Why there is no TLS on it: what either side has against the other, or what is short of ours.
fn no_tls(error: &io::Error) -> ConnectError {
    Shortage::once_connected(error).map_or_else(
        || RequestError::new(Cause::TlsFailed, error).into(),
        ConnectError::from,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use hookline_common::outcome::Outcome;
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn what_is_short_of_ours_after_a_connection_is_made_is_no_attempt() {
        for of in [unusable, no_tls] {
            for (errno, shortage) in [
                (Errno::NOBUFS, Shortage::Buffers),
                (Errno::NOMEM, Shortage::Memory),
                (Errno::MFILE, Shortage::Descriptors),
            ] {
                let error = of(&errno.into());
                assert!(
                    matches!(error, ConnectError::Shortage(found) if found == shortage),
                    "{error:?}"
                );
            }
        }
    }

    #[test]
    fn what_the_receiver_does_after_a_connection_is_made_is_its_own() {
        let outcome = |error: ConnectError| match error {
            ConnectError::Failed(error) => error.outcome,
            other => panic!("{other:?}"),
        };
        // A connected socket has its port: the error that says elsewhere that none is left means another thing here.
        for errno in [Errno::CONNRESET, Errno::PIPE, Errno::ADDRNOTAVAIL] {
            assert_eq!(
                outcome(unusable(&errno.into())),
                Outcome::ConnectError,
                "{errno:?}"
            );
            assert_eq!(outcome(no_tls(&errno.into())), Outcome::TlsError, "{errno:?}");
        }
        let untrusted = io::Error::new(
            io::ErrorKind::InvalidData,
            rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer),
        );
        assert_eq!(outcome(no_tls(&untrusted)), Outcome::TlsError);
    }
}
