//! Step 6: the only socket to customers. One request, one answer, everything bounded.
//!
//! HTTP/1.1 only; no redirects, no proxy but the operator's, no cookies, no decompression. A request is sent again by itself
//! only where a kept-alive connection was closed before a byte of it was written.

mod budget; // how many connections fit, and what else
mod error; // why there is no answer
mod shortage; // what we have run out of
mod target; // where a request goes
mod spread; // what belongs together, taken apart
mod interim; // what comes before a response, and how much of it
mod keep_alive; // how long a receiver keeps a connection
mod hosts; // which connections are idle, and who waits
mod room; // and how many there may be
mod pool; // the same with real connections
mod connection; // one of them
mod lookup_sockets; // how many sockets name servers are asked with
mod name_server; // how one of them is asked
mod resolve; // from names to addresses
mod addresses; // which of them are tried
mod dial; // from addresses to sockets
mod proxy; // the operator's own way out
mod tunnel; // what is asked of it
mod tls; // whom we believe
mod connect; // all of that for one request
mod drip; // a few bytes at a time
mod socket; // plain or TLS
mod answer; // what comes back

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use hookline_common::cause::Cause;
use hookline_common::guard::Policy;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};

pub use self::answer::Answer;
use self::budget::lookup_sockets;
pub use self::budget::{max_connections, max_probes};
use self::connect::Connector;
use self::connection::{Connection, InUse};
pub use self::drip::Drip;
pub use self::error::{RequestError, SendError};
use self::pool::{Checkout, Connecting, Handover, Pool};
pub use self::proxy::{EgressProxy, InvalidProxy, ProxyCredentials};
pub use self::resolve::Resolver;
pub use self::shortage::Shortage;
use self::shortage::Shortages;
use self::target::Target;
pub(crate) use self::target::host_header;
pub use self::tls::TlsSetupError;

/// How long a response's body may take once its head is there, and what is left to send of a request that was answered early.
const BODY_TIME: Duration = Duration::from_secs(5);
/// How long a connection may still take to come to be whose request was given another one: a handshake takes milliseconds, and a
/// receiver that answers on one connection and lets all others hang must not hold their places.
const SPARE_WITHIN: Duration = Duration::from_secs(3);
/// What idle connections may take of our memory, however many files may be open: 16,384 of them, or 4,096 behind TLS.
const MAX_IDLE_BYTES: usize = 160 << 20;

/// Fewer connections than this are worth a word: it is as many as a few busy endpoints have requests in flight.
const FEW_CONNECTIONS: usize = 256;

/// How old a connection may become: under load none is ever idle for long, and a receiver that moves by DNS would be sent
/// to where it was for as long as the load lasts. A handshake a minute costs nobody anything.
pub const MAX_CONNECTION_AGE: Duration = Duration::from_secs(60);

/// What a client is made with.
pub struct ClientSettings {
    /// Where requests may go.
    pub policy: Policy,
    /// Whom to ask for addresses.
    pub resolver: Resolver,
    /// Further roots to trust, in PEM.
    pub ca_pem: Option<String>,
    /// The proxy through which all connections leave, if any.
    pub proxy: Option<EgressProxy>,
    /// The time of one request, from DNS to the response's head.
    pub timeout: Duration,
    /// Connections at most, in use or idle. Name lookups have an eighth as many sockets beside them.
    pub max_connections: usize,
    /// How old a connection may be, at most, that carries another request. Each has a little less, no two the same.
    pub max_connection_age: Duration,
    /// Whether requests go out a few bytes at a time, for who wants to see how receivers take that.
    pub drip: Option<Drip>,
}

impl ClientSettings {
    /// Those of a client without a proxy that trusts the system's roots.
    #[must_use]
    pub fn new(policy: Policy, resolver: Resolver, timeout: Duration, max_connections: usize) -> Self {
        Self {
            policy,
            resolver,
            ca_pem: None,
            proxy: None,
            timeout,
            max_connections,
            max_connection_age: MAX_CONNECTION_AGE,
            drip: None,
        }
    }
}

/// The pooled client of one dispatcher. Clones share the pool.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    pool: Arc<Pool>,
    shortages: Shortages,
    timeout: Duration,
    max_connections: usize,
    max_connection_age: Duration,
    drip: Option<Drip>,
}

impl Client {
    /// A client with these settings.
    ///
    /// # Errors
    /// [`TlsSetupError`] when the roots to trust cannot be read.
    pub fn new(settings: ClientSettings) -> Result<Self, TlsSetupError> {
        let ClientSettings {
            policy,
            resolver,
            ca_pem,
            proxy,
            timeout,
            max_connections,
            max_connection_age,
            drip,
        } = settings;
        let tls = tls::connector(ca_pem.as_deref())?;
        if let Some(proxy) = &proxy {
            info!(%proxy, "requests leave through the egress proxy, which alone sees the addresses of names");
        }
        resolver.add_sockets(lookup_sockets(max_connections), timeout);
        let connector = Connector::new(policy, resolver, proxy, tls, timeout);
        if max_connections < FEW_CONNECTIONS {
            warn!(
                max_connections,
                "the limit of open files leaves room for few connections to receivers, so requests wait for each other; raise \
                 its hard limit (ulimit -Hn, LimitNOFILE= in systemd, --ulimit nofile= in Docker)"
            );
        }
        // A quarter is left for connections that are in use or being made; idle ones give way where that is not enough.
        let max_idle = max_connections - max_connections / 4;
        Ok(Self {
            shared: Arc::new(Shared {
                connector,
                pool: Pool::new(max_connections, max_idle, MAX_IDLE_BYTES),
                shortages: Shortages::default(),
                timeout,
                max_connections,
                max_connection_age,
                drip,
            }),
        })
    }

    /// How many connections are open at once at most, and so how many requests can be in flight.
    #[must_use]
    pub fn max_connections(&self) -> usize {
        self.shared.max_connections
    }

    /// How often requests were not made because of each shortage, since the start.
    pub fn shortages(&self) -> impl Iterator<Item = (Shortage, u64)> + '_ {
        Shortage::ALL
            .into_iter()
            .map(|shortage| (shortage, self.shared.shortages.count(shortage)))
    }

    /// Sends one request and reads the answer: the head within the timeout, the body as far as it is worth it.
    ///
    /// # Errors
    /// [`SendError::Failed`] names the outcome; after [`SendError::Shortage`] no whole request was sent.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, SendError> {
        let shared = &self.shared;
        let sent = shared.send(request).await;
        if let Err(SendError::Shortage(shortage)) = &sent {
            shared.shortages.note(*shortage, Instant::now());
            if shortage.is_eased_by_closing() {
                shared.pool.give_way();
            }
        }
        sent
    }
}

impl Shared {
    async fn send(self: &Arc<Self>, mut request: Request<Full<Bytes>>) -> Result<Answer, SendError> {
        let deadline = Instant::now() + self.timeout;
        let target = Target::of(&mut request)?;
        let Ok(exchanged) = timeout_at(deadline, self.exchange(request, &target, deadline)).await else {
            return Err(RequestError::new(Cause::NoResponse, format_args!("{:?}", self.timeout)).into());
        };
        let (response, in_use) = exchanged?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(RequestError::plain(Cause::SwitchedProtocols).into());
        }
        let read_until = deadline.min(Instant::now() + BODY_TIME);
        let answer = answer::read(response, read_until).await;
        if let Some(mut connection) = in_use.into_connection() {
            connection.idle_time = keep_alive::idle_time(&answer.headers);
            self.pool.take_back(connection, read_until).await;
        }
        Ok(answer)
    }

    /// The response's head, and the connection on which its body comes.
    async fn exchange(
        self: &Arc<Self>,
        mut request: Request<Full<Bytes>>,
        target: &Target,
        deadline: Instant,
    ) -> Result<(Response<Incoming>, InUse), SendError> {
        loop {
            let (mut connection, is_new) = self.connection_to(target, deadline).await?;
            let interim = Arc::clone(&connection.interim);
            interim.count_for(&mut request);
            let sending = connection.sender.try_send_request(request);
            let mut in_use = InUse::new(connection);
            match in_use.answered(sending).await {
                // It may have stood in the same bytes as too much before it.
                Ok(response) => match interim.check() {
                    Ok(()) => return Ok((response, in_use)),
                    Err(too_many) => {
                        return Err(RequestError::new(Cause::TooManyInterim, too_many).into());
                    }
                },
                Err(mut error) => match error.take_message() {
                    // The peer closed it while it was idle, and not a byte was written.
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(SendError::on_connection(&error.into_error())),
                },
            }
        }
    }

    /// A connection, and whether it was made for this very request. Whichever comes first is taken: one that is given
    /// back, or the one that is made, which otherwise goes to the pool.
    async fn connection_to(
        self: &Arc<Self>,
        target: &Target,
        deadline: Instant,
    ) -> Result<(Connection, bool), SendError> {
        loop {
            let mut waiting = match self.pool.checkout(target) {
                Checkout::Idle(connection) => return Ok((connection, false)),
                Checkout::Wait(waiting) => waiting,
            };
            let Some(connecting) = waiting.connecting() else {
                match (&mut waiting.handover).await {
                    Ok(Handover::Connection(connection)) => return Ok((connection, false)),
                    _ => continue,
                }
            };
            let connect = Box::pin(Arc::clone(self).connect(target.clone(), connecting, deadline));
            match select(&mut waiting.handover, connect).await {
                Either::Left((Ok(Handover::Connection(connection)), connect)) => {
                    let pool = Arc::clone(&self.pool);
                    tokio::spawn(async move {
                        if let Ok(Ok(spare)) = timeout(SPARE_WITHIN, connect).await {
                            pool.put(spare);
                        }
                    });
                    return Ok((connection, false));
                }
                Either::Left((_, connect)) => return connect.await.map(|connection| (connection, true)),
                Either::Right((Ok(connection), _)) => return Ok((connection, true)),
                Either::Right((Err(error), _)) => match waiting.handed() {
                    Some(connection) => return Ok((connection, false)),
                    None => return Err(error),
                },
            }
        }
    }

    async fn connect(
        self: Arc<Self>,
        target: Target,
        connecting: Connecting,
        deadline: Instant,
    ) -> Result<Connection, SendError> {
        let (stream, permit) = self
            .connector
            .connect(&target, connecting.pool(), deadline)
            .await?;
        let open = connecting.succeeded(permit);
        Connection::start(
            stream,
            open.host,
            open.id,
            self.max_connection_age,
            self.drip,
            open,
        )
        .await
        .map_err(|error| SendError::on_connection(&error))
    }
}
