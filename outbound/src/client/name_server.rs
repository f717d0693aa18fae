//! One name server, asked one question. hickory's own way keeps three sockets open for each question, and connections for as long as
//! the server likes; here each socket has a place and goes with its question.

use std::future::{Ready, pending, ready};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::{BoxFuture, select};
use futures_util::stream::{BoxStream, once};
use hickory_resolver::config::{ConnectionConfig, ProtocolConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::tcp::TcpClientStream;
use hickory_resolver::net::udp::UdpClientStream;
use hickory_resolver::net::xfer::{DnsHandle, DnsRequestSender as _, FirstAnswer as _};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse};
use hickory_resolver::{ConnectionProvider, PoolContext};
use tokio::time::{Instant, timeout};

use super::Shortage;
use super::lookup_sockets::{Allowance, LookupSockets, want_of};

/// After how long without an answer a question is asked once more, each time after the time before. Datagrams get lost, and a name
/// server that was away at first has not heard any.
const AGAIN_BY_UDP: &[Duration] = &[
    Duration::from_millis(333),
    Duration::from_millis(667),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// The same where there is a handshake before it.
const AGAIN_BY_TCP: &[Duration] = &[Duration::from_secs(2), Duration::from_secs(3)];
/// The same from then on.
const AGAIN: Duration = Duration::from_secs(5);

type Asking = BoxFuture<'static, Result<DnsResponse, NetError>>;

/// Makes what hickory takes for connections to name servers.
#[derive(Clone)]
pub(super) struct NameServers {
    tokio: TokioRuntimeProvider,
    sockets: LookupSockets,
}

impl NameServers {
    /// They are asked with these sockets.
    pub(super) fn new(sockets: LookupSockets) -> Self {
        Self {
            tokio: TokioRuntimeProvider::new(),
            sockets,
        }
    }
}

impl ConnectionProvider for NameServers {
    type Conn = NameServer;
    type FutureConn = Ready<Result<NameServer, NetError>>;
    type RuntimeProvider = TokioRuntimeProvider;

    fn new_connection(
        &self,
        ip: IpAddr,
        config: &ConnectionConfig,
        cx: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        Ok(ready(Ok(NameServer {
            address: SocketAddr::new(ip, config.port),
            by_udp: matches!(config.protocol, ProtocolConfig::Udp),
            bind_address: config.bind_addr,
            patience: cx.options.timeout,
            tokio: self.tokio.clone(),
            sockets: self.sockets.clone(),
        })))
    }

    fn runtime_provider(&self) -> &TokioRuntimeProvider {
        &self.tokio
    }
}

/// An error as it comes through hickory: of what goes wrong with sockets it forgets everything.
fn told(error: NetError) -> NetError {
    let shortage = match &error {
        // That there is no address to ask from says more often that there is no way to that name server.
        NetError::Io(error) => Shortage::once_connected(error),
        _ => None,
    };
    shortage.map_or(error, want_of)
}

/// A name server, by UDP or by TCP.
#[derive(Clone)]
pub(super) struct NameServer {
    address: SocketAddr,
    by_udp: bool,
    bind_address: Option<SocketAddr>,
    patience: Duration,
    tokio: TokioRuntimeProvider,
    sockets: LookupSockets,
}

impl DnsHandle for NameServer {
    type Response = BoxStream<'static, Result<DnsResponse, NetError>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        Box::pin(once(self.clone().ask(request)))
    }
}

impl NameServer {
    /// The first answer. The first socket stays for as long as that may take, as answers come late as well. Beside it there is one
    /// more at most, another each time: behind one address there may be several servers, and only some of them away.
    async fn ask(self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let Some(question) = request.queries.first().cloned() else {
            return Err(NetError::from("a request without a question"));
        };
        // Before the sockets that have these places, so that they are closed first.
        let mut allowance = self.sockets.begin(&question).await?;
        let (begun, long) = (Instant::now(), self.sockets.long());
        let mut first: Asking = Box::pin(self.clone().answer(request.clone()));
        let mut newest: Asking = Box::pin(pending());
        let waits = if self.by_udp { AGAIN_BY_UDP } else { AGAIN_BY_TCP };
        let mut waits = waits.iter();
        loop {
            let wait = waits.next().copied().unwrap_or(AGAIN);
            let not_long = long.saturating_sub(begun.elapsed());
            let wait = if not_long.is_zero() {
                wait
            } else {
                wait.min(not_long)
            };
            let answered = timeout(wait, select(&mut first, &mut newest)).await;
            let answered = answered.map(|answered| answered.factor_first().0);
            if let Ok(answer) = answered {
                if answer.is_ok() {
                    self.sockets.has_answer(&question);
                }
                return answer.map_err(told);
            }
            newest = Box::pin(pending());
            if begun.elapsed() >= long {
                self.sockets.wait_on(&question, &mut allowance)?;
            }
            if let Some(more) = self.sockets.another(&allowance) {
                newest = Box::pin(self.clone().answer_beside(request.clone(), more));
            }
        }
    }

    /// What comes on a socket of its own, which is closed with this.
    async fn answer(self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        if self.by_udp {
            let mut stream = UdpClientStream::builder(self.address, self.tokio)
                .with_timeout(Some(self.patience))
                .with_bind_addr(self.bind_address)
                // Each of them would be one more socket.
                .with_max_retries(0)
                .build();
            return stream.send_message(request).first_answer().await;
        }
        let exchange =
            TcpClientStream::exchange(self.address, self.bind_address, self.patience, None, self.tokio)
                .await?;
        exchange.send(request).first_answer().await
    }

    /// The same beside the first socket, with a place of its own. What goes wrong there says nothing of the first.
    async fn answer_beside(self, request: DnsRequest, allowance: Allowance) -> Result<DnsResponse, NetError> {
        let answer = self.answer(request).await;
        drop(allowance);
        match answer {
            Ok(answer) => Ok(answer),
            Err(_) => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use hickory_resolver::proto::op::{DnsRequestOptions, Query};
    use hickory_resolver::proto::rr::{Name, RecordType};
    use tokio::net::UdpSocket;
    use tokio::time::sleep;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(600);
    /// Longer than it takes until questions are asked no more often.
    const A_WHILE: Duration = Duration::from_secs(19);

    fn request(name: &str) -> DnsRequest {
        let question = Query::query(Name::from_ascii(name).unwrap(), RecordType::A);
        DnsRequest::from_query(question, DnsRequestOptions::default())
    }

    /// A socket that nobody reads, and the name server that seems to be there.
    async fn silent(sockets: &LookupSockets) -> (UdpSocket, NameServer) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = NameServer {
            address: socket.local_addr().unwrap(),
            by_udp: true,
            bind_address: None,
            patience: PATIENCE,
            tokio: TokioRuntimeProvider::new(),
            sockets: sockets.clone(),
        };
        (socket, server)
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_has_two_sockets_at_most_and_is_asked_again_on_others() {
        let sockets = LookupSockets::new();
        sockets.add(8, PATIENCE);
        let (socket, server) = silent(&sockets).await;
        let asking = timeout(A_WHILE, server.ask(request("hooks.example.")));
        let looking = async {
            let mut fewest = sockets.free();
            for _ in 0..180 {
                sleep(Duration::from_millis(100)).await;
                fewest = fewest.min(sockets.free());
            }
            fewest
        };
        let (asked, fewest) = tokio::join!(asking, looking);
        assert!(asked.is_err(), "it is waited for on and on");
        assert_eq!((fewest, sockets.free()), (6, 8));
        let mut from = Vec::new();
        while let Ok((_, address)) = socket.try_recv_from(&mut [0; 512]) {
            from.push(address);
        }
        // At the start, then as listed, and twice since.
        assert_eq!(from.len(), 1 + AGAIN_BY_UDP.len() + 2, "{from:?}");
        // Each has a port at random, which may be one that another has left.
        assert!(from.iter().collect::<HashSet<_>>().len() > 4, "{from:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_long_ends_where_as_much_does_already() {
        let sockets = LookupSockets::new();
        sockets.add(2, PATIENCE);
        let (_socket, server) = silent(&sockets).await;
        let begun = Instant::now();
        let ask = async |name: &str| {
            let asked = timeout(A_WHILE, server.clone().ask(request(name))).await;
            (asked.ok(), begun.elapsed())
        };
        let both = tokio::join!(ask("one.example."), ask("two.example."));
        let mut both = <[_; 2]>::from(both);
        both.sort_by_key(|(_, took)| *took);
        let [(ended, after), (waiting, _)] = both;
        assert!(matches!(ended, Some(Err(NetError::Message(_)))));
        let long = sockets.long();
        assert!(after >= long && after < 2 * long, "{after:?}");
        assert!(waiting.is_none(), "the other is waited for on and on");
    }
}
