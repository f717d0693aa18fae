//! The health port's connections: one request each, within a time, and never more of them than deliveries can spare.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::connections::{Connection, Connections};

/// How long the head of a request may take. Probes send it in one packet.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection may take in all. Prometheus gives a scrape 10 s, so nobody waits for what comes later.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// The largest head, with room for a proxy's headers; hyper needs 8 KiB at least.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// How long to wait before accepting again when the process or the machine has run short: nothing is freed faster.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);
/// How often a lasting shortage is told.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// What answers a request, by its method and path.
pub(super) type Answer = Arc<dyn Fn(&Method, &str) -> Response<Full<Bytes>> + Send + Sync>;

/// Serves until it is dropped, and its connections with it. No more than `max` of them are open at once, the one that is let in
/// while another has to go for it among them.
pub(super) async fn serve(listener: TcpListener, max: usize, answer: Answer) {
    let max_standing = max.saturating_sub(1).max(1);
    let mut tasks = JoinSet::new();
    let mut connections: Connections<Open> = Connections::new(max_standing);
    let mut complained: Option<Instant> = None;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // The other side has gone before we looked.
            Err(error) if is_of_one_connection(error.kind()) => continue,
            Err(error) => {
                if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
                    complained = Some(Instant::now());
                    warn!(%error, "probes cannot be accepted; raise the limit of open files if this lasts");
                }
                if let Some(first) = connections.give_way() {
                    first.task.abort();
                }
                sleep(SHORTAGE_PAUSE).await;
                continue;
            }
        };
        while tasks.try_join_next().is_some() {}
        if let Some(pushed_out) = connections.make_room() {
            pushed_out.task.abort();
        }
        // What is pushed out holds its file until its thread comes to it.
        while tasks.len() >= max_standing {
            tasks.join_next().await;
        }
        let has_asked = Arc::new(AtomicBool::new(false));
        let task = tasks.spawn(answer_one(stream, Arc::clone(&answer), Arc::clone(&has_asked)));
        connections.add(Open { task, has_asked });
    }
}

struct Open {
    task: AbortHandle,
    has_asked: Arc<AtomicBool>,
}

impl Connection for Open {
    fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }
}

fn is_of_one_connection(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

/// Answers one request and closes. A connection that is kept would be one that waits for nothing most of the time; a
/// body is never read.
async fn answer_one(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    answer: Answer,
    has_asked: Arc<AtomicBool>,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        let response = answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever is too slow, or speaks another protocol, is hung up on, and nobody here needs to know.
    drop(timeout(ANSWERED_WITHIN, connection).await);
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::net::TcpStream;

    use super::*;

    /// As much as a socket holds for a reader that does not read.
    const SOCKET_BYTES: usize = 64;
    /// As few connections as there are with the fewest files.
    const MAX: usize = 6;

    fn connect(body: &'static str) -> (DuplexStream, Arc<AtomicBool>) {
        let (client, server) = duplex(SOCKET_BYTES);
        let has_asked = Arc::new(AtomicBool::new(false));
        let answer: Answer = Arc::new(move |_, path| {
            let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
            if path != "/known" {
                *response.status_mut() = StatusCode::NOT_FOUND;
            }
            response
        });
        tokio::spawn(answer_one(server, answer, Arc::clone(&has_asked)));
        (client, has_asked)
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_is_answered_and_the_connection_closed_whatever_the_client_wants() {
        let (mut client, has_asked) = connect("fine");
        let request = b"GET /known HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        assert!(response.ends_with("\r\n\r\nfine"), "{response}");
        assert!(has_asked.load(Ordering::Relaxed));
    }

    /// The server has the one thread; this one looks all the time.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn however_fast_they_come_no_more_stand_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Fewer than wait at a port at least before it is listened to.
        let waiting: Vec<_> = (0..MAX + 100)
            .map(|_| std::net::TcpStream::connect(address).unwrap())
            .collect();
        // Each connection holds it for as long as it has its socket, and so do the server and this test.
        let answer: Answer = Arc::new(|_, _| Response::default());
        let serving = tokio::spawn(serve(listener, MAX, Arc::clone(&answer)));
        let mut most = 0;
        let last = waiting.last().unwrap();
        last.set_nonblocking(true).unwrap();
        std::io::Write::write_all(&mut &*last, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        // Until the last one is answered, all others have been let in.
        while std::io::Read::read(&mut &*last, &mut [0; 1]).is_err() {
            most = most.max(Arc::strong_count(&answer).saturating_sub(2));
        }
        assert!(most < MAX, "{most}, and the one that is let in");
        serving.abort();
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test plays probes")]
    async fn a_probe_is_answered_beside_half_requests_that_take_all_there_is() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer: Answer = Arc::new(|_, _| Response::default());
        let serving = tokio::spawn(serve(listener, MAX, answer));
        let mut half_sent = Vec::new();
        for _ in 0..3 * MAX {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // It may be closed already for the ones after it.
            drop(stream.write_all(b"GET / HTTP/1.1\r\nhost:").await);
            half_sent.push(stream);
        }
        let mut probe = TcpStream::connect(address).await.unwrap();
        probe
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut response = String::new();
        probe.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        serving.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_request_is_hung_up_on_after_the_time_for_a_head() {
        for half in ["", "GET /known HTTP/1.1\r\nhost:"] {
            let start = Instant::now();
            let (mut client, has_asked) = connect("fine");
            client.write_all(half.as_bytes()).await.unwrap();
            // hyper may say 408 before it hangs up.
            drop(client.read_to_end(&mut Vec::new()).await);
            assert_eq!(start.elapsed(), HEAD_WITHIN, "{half:?}");
            assert!(!has_asked.load(Ordering::Relaxed));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_holds_nothing_up() {
        let (mut client, _) = connect("fine");
        let request = b"POST /known HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{";
        client.write_all(request).await.unwrap();
        let start = Instant::now();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        assert!(response.ends_with("fine"), "{response}");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_of_one_byte_a_second_is_hung_up_on() {
        static LONG: &str = include_str!("server.rs");
        let (mut client, _) = connect(LONG);
        client
            .write_all(b"GET /known HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let start = Instant::now();
        let mut read = 0;
        while client.read_u8().await.is_ok() {
            read += 1;
            // What lies in the socket is left to its reader; that is all it can hold.
            if start.elapsed() < ANSWERED_WITHIN {
                sleep(Duration::from_secs(1)).await;
            }
        }
        assert_eq!(start.elapsed(), ANSWERED_WITHIN);
        assert!(read < LONG.len() / 10, "{read} of {}", LONG.len());
    }
}
