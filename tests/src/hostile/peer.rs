//! The other end of a connection, byte by byte: it does what a script says, and keeps count of everything.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::rig::TOLERANCE;
use crate::eventually::eventually;
use crate::raw::RawRequest;

/// A listener with a script for each connection. It goes with its owner, and its connections with it.
pub struct Peer {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _accepting: JoinSet<()>,
}

/// What a listener has seen.
#[derive(Default)]
struct Seen {
    connections: usize,
    /// The names that TLS clients asked for.
    server_names: Vec<Option<String>>,
    /// How many of them went on with an earlier session instead of a full handshake.
    resumed: usize,
    /// Bytes of requests.
    bytes: usize,
    requests: Vec<RawRequest>,
    /// When connections were found closed by the other side.
    hangups: Vec<Instant>,
}

/// One connection, in the hands of the script.
pub struct Talk {
    /// Which connection it is, counted from 1.
    pub number: usize,
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    seen: Arc<Mutex<Seen>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Peer {
    /// A listener on a port of its own.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start<F>(script: impl Fn(Talk) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::listen("127.0.0.1:0", None, script).await
    }

    /// One that answers every request with these bytes, and then closes the connection.
    pub async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<Vec<u8>> = Arc::new(answer.into());
        Self::start(move |mut talk| {
            let answer = Arc::clone(&answer);
            async move {
                talk.request().await;
                talk.say(&*answer).await;
            }
        })
        .await
    }

    /// One that answers every request with 200, again and again on each connection.
    pub async fn kind() -> Self {
        Self::start(Talk::be_kind).await
    }

    /// A listener at `address`, behind TLS if `tls` is given. A connection whose handshake fails never reaches the script.
    ///
    /// # Panics
    /// When it cannot listen there.
    pub async fn listen<F>(
        address: &str,
        tls: Option<TlsAcceptor>,
        script: impl Fn(Talk) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.expect("an address to listen on");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (log, script) = (Arc::clone(&seen), Arc::new(script));
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut talks = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                // What a script has said is on its way at once: bytes that still wait for the acknowledgement of those before
                // them would be thrown away by a reset.
                drop(tcp.set_nodelay(true));
                log.lock().unwrap().connections += 1;
                let number = log.lock().unwrap().connections;
                while talks.try_join_next().is_some() {}
                let (tls, seen, script) = (tls.clone(), Arc::clone(&log), Arc::clone(&script));
                talks.spawn(async move {
                    if let Some(talk) = Talk::begin(number, tcp, tls, seen).await {
                        script(talk).await;
                    }
                });
            }
        });
        Self {
            address,
            seen,
            _accepting: accepting,
        }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its URL without TLS.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Its URL with TLS, under this name.
    #[must_use]
    pub fn https_url(&self, host: &str) -> String {
        format!("https://{host}:{}/hook", self.port())
    }

    /// How many connections were made.
    ///
    /// # Panics
    /// When a script has panicked.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// How many bytes of requests have come.
    ///
    /// # Panics
    /// When a script has panicked.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.seen.lock().unwrap().bytes
    }

    /// The names that TLS clients asked for.
    ///
    /// # Panics
    /// When a script has panicked.
    #[must_use]
    pub fn server_names(&self) -> Vec<Option<String>> {
        self.seen.lock().unwrap().server_names.clone()
    }

    /// How many TLS connections went on with an earlier session.
    ///
    /// # Panics
    /// When a script has panicked.
    #[must_use]
    pub fn resumed(&self) -> usize {
        self.seen.lock().unwrap().resumed
    }

    /// All whole requests so far.
    ///
    /// # Panics
    /// When a script has panicked.
    #[must_use]
    pub fn requests(&self) -> Vec<RawRequest> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// How many whole requests have come.
    #[must_use]
    pub fn posts(&self) -> usize {
        self.requests().len()
    }

    /// Waits until `count` connections were closed by the other side, and returns when the last one was.
    pub async fn is_left(&self, count: usize, within: Duration) -> Instant {
        eventually(within, &format!("{count} connections are closed"), async || {
            self.seen.lock().unwrap().hangups.get(count - 1).copied()
        })
        .await
    }
}

impl Talk {
    async fn begin(
        number: usize,
        tcp: TcpStream,
        tls: Option<TlsAcceptor>,
        seen: Arc<Mutex<Seen>>,
    ) -> Option<Self> {
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(tcp),
            Some(tls) => {
                let stream = tls.accept(tcp).await.ok()?;
                let name = stream.get_ref().1.server_name().map(str::to_owned);
                let is_resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
                let mut log = seen.lock().unwrap();
                log.server_names.push(name);
                log.resumed += usize::from(is_resumed);
                drop(log);
                Box::new(stream)
            }
        };
        Some(Self {
            number,
            stream,
            unread: Vec::new(),
            seen,
        })
    }

    /// Reads one whole request, or nothing if the other side closes before.
    ///
    /// # Panics
    /// When another script has panicked.
    pub async fn request(&mut self) -> Option<RawRequest> {
        loop {
            if let Some((request, length)) = whole(&self.unread) {
                self.unread.drain(..length);
                self.seen.lock().unwrap().requests.push(request.clone());
                return Some(request);
            }
            self.read().await?;
        }
    }

    /// Reads what has come, one byte at least, or nothing if the other side closes before.
    ///
    /// # Panics
    /// When another script has panicked.
    pub async fn read(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.unread).await.unwrap_or(0);
        self.seen.lock().unwrap().bytes += read;
        if read == 0 {
            self.seen.lock().unwrap().hangups.push(Instant::now());
        }
        (read > 0).then_some(())
    }

    /// Writes these bytes. Whether the other side still took them.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// Writes these bytes again and again, for as long as the other side takes them.
    ///
    /// # Panics
    /// When another script has panicked.
    pub async fn pour(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) {
        while self.say(&bytes).await {
            sleep(pause).await;
        }
        self.seen.lock().unwrap().hangups.push(Instant::now());
    }

    /// Says nothing more, and waits until the other side closes.
    pub async fn fall_silent(mut self) {
        while self.read().await.is_some() {
            self.unread.clear();
        }
    }

    /// Closes, and waits until the other side has noticed and closes too.
    pub async fn close(mut self) {
        // It may have closed before.
        drop(self.stream.shutdown().await);
        self.fall_silent().await;
    }

    /// Answers every request with 200 until the other side closes.
    pub async fn be_kind(mut self) {
        while self.request().await.is_some() {
            self.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    }

    /// Hands everything on to `address`, and what comes back from there.
    ///
    /// # Panics
    /// When nobody listens there.
    pub async fn carry_to(mut self, address: &str) {
        let mut there = TcpStream::connect(address).await.expect("somebody listens there");
        // How it ends is between the two.
        drop(tokio::io::copy_bidirectional(&mut self.stream, &mut there).await);
    }

    /// Closes with a RST.
    ///
    /// # Panics
    /// When the system does not let it.
    pub fn reset(self) {
        self.stream
            .tcp()
            .set_zero_linger()
            .expect("a connection can be reset");
    }
}

/// The first request of `bytes` and its length, once all that its Content-Length promises is there.
fn whole(bytes: &[u8]) -> Option<(RawRequest, usize)> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut request = RawRequest {
        head: String::from_utf8_lossy(&bytes[..head]).into_owned(),
        body: Vec::new(),
    };
    let promised: usize = request.values("content-length").first()?.parse().ok()?;
    let length = head + 4 + promised;
    request.body = bytes.get(head + 4..length)?.to_vec();
    Some((request, length))
}

/// An address that takes no further connection and refuses none, as behind a firewall that drops: its queue is full.
pub struct Hole {
    port: u16,
    _queue: (TcpListener, Vec<TcpStream>),
}

impl Hole {
    /// One at this IPv4 address, on a port of its own.
    ///
    /// # Panics
    /// When it cannot listen there.
    pub async fn at(address: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let there = format!("{address}:0").parse().expect("an address");
        socket.bind(there).expect("an address to listen on");
        let listener = socket.listen(1).expect("a queue");
        let there = listener.local_addr().expect("an address");
        let mut waiting = Vec::new();
        while let Ok(Ok(stream)) = timeout(TOLERANCE, TcpStream::connect(there)).await {
            waiting.push(stream);
        }
        Self {
            port: there.port(),
            _queue: (listener, waiting),
        }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}
