//! From a host to a socket that is connected to it, whoever that may be: names are looked up, addresses are tried. Whether
//! we may go there is asked elsewhere.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookline_common::cause::Cause;
use hookline_common::guard::Refusal;
use rustix::io::Errno;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::addresses::to_try;
use super::error::capped;
use super::lookup_sockets::lacking;
use super::pool::Pool;
use super::room::Places;
use super::spread::spread;
use super::{RequestError, Resolver, SendError, Shortage};

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("refused by the guard: {0}")]
    Blocked(Refusal),
    #[error("{0}")]
    Failed(#[from] RequestError),
    #[error("{0}")]
    Shortage(#[from] Shortage),
}

impl From<ConnectError> for SendError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Shortage(shortage) => Self::Shortage(shortage),
            ConnectError::Blocked(refusal) => Self::Failed(RequestError::blocked(refusal)),
            ConnectError::Failed(error) => Self::Failed(error),
        }
    }
}

/// Looks names up and connects.
pub(super) struct Dialer {
    resolver: Resolver,
    /// The time of a whole request, for texts.
    timeout: Duration,
    dialled: AtomicU64,
}

impl Dialer {
    pub(super) fn new(resolver: Resolver, timeout: Duration) -> Self {
        Self {
            resolver,
            timeout,
            dialled: AtomicU64::new(0),
        }
    }

    /// Every address of `host`, and a place among the connections of `pool`. The place comes last: a name that nobody answers for
    /// would hold it for as long as a request may take, and lookups have sockets of their own.
    pub(super) async fn addresses(
        &self,
        host: &str,
        pool: &Pool,
        deadline: Instant,
    ) -> Result<(Vec<IpAddr>, Places), ConnectError> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(literal) => vec![literal],
            Err(_) => self.look_up(host, deadline).await?,
        };
        // Before the request's time is over, which would be its receiver's fault.
        match timeout_at(deadline, pool.reserve(1)).await {
            Ok(places) => Ok((addresses, places?)),
            Err(_) => Err(Shortage::Connections.into()),
        }
    }

    async fn look_up(&self, host: &str, deadline: Instant) -> Result<Vec<IpAddr>, ConnectError> {
        let error = match timeout_at(deadline, self.resolver.addresses(host)).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => return Ok(addresses),
            Ok(Ok(_)) => None,
            Ok(Err(error)) => match lacking(&error) {
                Some(shortage) => return Err(shortage.into()),
                None => Some(capped(error.to_string())),
            },
            Err(_) => Some("no answer in time".to_owned()),
        };
        debug!(host, error, "name lookup failed");
        Err(RequestError::plain(Cause::NoAddress).into())
    }

    /// Tries some of the addresses in turn; each has an equal share of the time that is left.
    #[expect(
        clippy::disallowed_methods,
        reason = "every address here has passed the guard, or is the operator's own proxy"
    )]
    pub(super) async fn connect(
        &self,
        addresses: &[IpAddr],
        port: u16,
        deadline: Instant,
    ) -> Result<TcpStream, ConnectError> {
        self.first_of(addresses, port, deadline, TcpStream::connect::<SocketAddr>)
            .await
    }

    async fn first_of<T, F: Future<Output = io::Result<T>>>(
        &self,
        addresses: &[IpAddr],
        port: u16,
        deadline: Instant,
        connect: impl Fn(SocketAddr) -> F,
    ) -> Result<T, ConnectError> {
        let addresses = to_try(addresses, self.turn());
        let mut failure = RequestError::plain(Cause::NoAddress);
        let mut short = None;
        for (index, address) in addresses.iter().enumerate() {
            let now = Instant::now();
            let left = u32::try_from(addresses.len() - index).unwrap_or(1);
            let share = now + deadline.saturating_duration_since(now) / left;
            failure = match timeout_at(share, connect((*address, port).into())).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => match shortage(&error, (*address, port).into()) {
                    // Another address has ports of its own; of all else there is as little for the next one.
                    Some(shortage) if shortage != Shortage::Ports => return Err(shortage.into()),
                    Some(shortage) => {
                        short = Some(shortage);
                        continue;
                    }
                    None => RequestError::new(Cause::NoConnection, error.kind()),
                },
                Err(_) => RequestError::new(Cause::NoConnectionInTime, format_args!("{:?}", self.timeout)),
            };
        }
        // With a port there might have been a connection, whatever is wrong with the other addresses.
        Err(short.map_or_else(|| failure.into(), ConnectError::from))
    }

    /// Another number each time. Spread, so that hosts which are dialled by turns have all turns as well.
    fn turn(&self) -> usize {
        usize::from(spread(self.dialled.fetch_add(1, Ordering::Relaxed)))
    }
}

/// What of ours has run out, where that is why there is no connection.
fn shortage(error: &io::Error, address: SocketAddr) -> Option<Shortage> {
    let shortage = Shortage::of(error)?;
    // The same error says that this machine has no address from which it could reach that one, as without IPv6.
    (shortage != Shortage::Ports || !says_no_way(&probe(address))).then_some(shortage)
}

/// Whether there is a way to `address`: sending nothing, a datagram socket finds that out, and needs no port for connections.
fn probe(address: SocketAddr) -> io::Result<()> {
    let any: SocketAddr = if address.is_ipv6() {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    };
    UdpSocket::bind(any)?.connect(address)
}

/// Whether a probe has found that there is no way. One that had no file or no port for itself has found nothing, and then the
/// shortage is believed: it costs nobody an attempt.
fn says_no_way(probed: &io::Result<()>) -> bool {
    let Err(error) = probed else { return false };
    let has_no_port = matches!(Errno::from_io_error(error), Some(Errno::ADDRINUSE | Errno::AGAIN));
    !has_no_port && Shortage::once_connected(error).is_none()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hickory_resolver::config::{NameServerConfig, ResolverConfig};

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

    /// A host with addresses of both families, and a machine that has no way to one of them.
    #[tokio::test]
    async fn a_want_of_ports_stays_ours_whatever_is_wrong_with_the_other_addresses() {
        let nobody = NameServerConfig::udp([127, 0, 0, 1].into());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![nobody]);
        let dialer = Dialer::new(Resolver::with_config(config).unwrap(), Duration::from_secs(60));
        let addresses = ["127.0.0.1", "127.0.0.2"].map(|address| address.parse().unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        for without in 0..addresses.len() {
            let connect = async |address: SocketAddr| -> io::Result<()> {
                let is_without = address.ip() == addresses[without];
                Err(if is_without {
                    Errno::ADDRNOTAVAIL
                } else {
                    Errno::CONNREFUSED
                }
                .into())
            };
            for _ in 0..8 {
                let ended = dialer.first_of(&addresses, 9, deadline, connect).await;
                assert!(
                    matches!(ended, Err(ConnectError::Shortage(Shortage::Ports))),
                    "{without}: {ended:?}"
                );
            }
        }
    }

    #[test]
    fn a_probe_that_has_no_socket_of_its_own_has_found_nothing() {
        assert!(!says_no_way(&Ok(())));
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::ADDRINUSE,
            Errno::AGAIN,
        ] {
            assert!(!says_no_way(&Err(errno.into())), "{errno:?}");
        }
        for errno in [
            Errno::ADDRNOTAVAIL,
            Errno::NETUNREACH,
            Errno::HOSTUNREACH,
            Errno::AFNOSUPPORT,
            Errno::ACCESS,
        ] {
            assert!(says_no_way(&Err(errno.into())), "{errno:?}");
        }
    }
}
