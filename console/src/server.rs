//! Connections in, within bounds: how many, how long a head may take, how long a whole request, and how long its answer waits for
//! a reader. Whoever drips bytes holds one of many places, and gives it up when there are none left.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse as _, Response};
use hookline_common::shutdown::Shutdown;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tower_service::Service as _;
use tracing::warn;

use crate::giving_way::{Standing, first_to_go};
use crate::limits::network;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::unread_answers::{InHand, Stream, ToBeRead};

/// How long the head of a request may take, and how long a connection may be without one.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// How long a request may take in all, with its body. The longest wait that a route offers is shorter.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
/// The largest head, with room for a proxy's headers. One that comes in a single read may be a little larger.
const MAX_HEAD_BYTES: usize = 32 << 10;
/// Connections at most: far more than clients keep, far fewer than files may be open.
const MAX_CONNECTIONS: usize = 512;
/// How long requests in flight may take after a stop was asked for.
const DRAINED_WITHIN: Duration = Duration::from_secs(15);
/// How long to wait before accepting again when the process or the machine has run short.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);
/// How often a lasting shortage is told.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Serves until shutdown, and then until the requests in flight are answered.
pub(crate) async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) {
    let mut tasks = JoinSet::new();
    let mut open: Vec<Open> = Vec::new();
    let mut complained: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.requested() => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            // The other side has gone before we looked.
            Err(error) if is_of_one_connection(error.kind()) => continue,
            Err(error) => {
                if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
                    complained = Some(Instant::now());
                    warn!(%error, "connections cannot be accepted; raise the limit of open files if this lasts");
                }
                give_way(&mut open);
                sleep(SHORTAGE_PAUSE).await;
                continue;
            }
        };
        while tasks.try_join_next().is_some() {}
        open.retain(|connection| !connection.task.is_finished());
        if open.len() >= MAX_CONNECTIONS {
            give_way(&mut open);
        }
        // One that gives way holds its file until its thread comes to it.
        while tasks.len() >= MAX_CONNECTIONS {
            tasks.join_next().await;
        }
        let doings = Arc::new(Doings::default());
        let connection = one(
            stream,
            address,
            router.clone(),
            Arc::clone(&doings),
            shutdown.clone(),
        );
        let task = tasks.spawn(connection);
        open.push(Open {
            task,
            peer: network(address.ip()),
            since: Instant::now(),
            doings,
        });
    }
    let drained = timeout(DRAINED_WITHIN, async {
        while tasks.join_next().await.is_some() {}
    })
    .await;
    if drained.is_err() {
        warn!("requests that were in flight when the stop was asked for are not answered");
    }
}

struct Open {
    task: AbortHandle,
    peer: IpAddr,
    since: Instant,
    doings: Arc<Doings>,
}

/// What a connection has done so far.
#[derive(Default)]
struct Doings(Mutex<Done>);

#[derive(Default)]
struct Done {
    /// Requests that are being answered.
    in_hand: usize,
    /// When the last request was answered.
    answered_at: Option<Instant>,
    has_spoken: bool,
}

impl Doings {
    fn done(&self) -> MutexGuard<'_, Done> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begins(&self) {
        let mut done = self.done();
        done.in_hand += 1;
        done.has_spoken = true;
    }

    fn ends(&self) {
        let mut done = self.done();
        done.in_hand -= 1;
        done.answered_at = Some(Instant::now());
    }
}

impl Open {
    fn standing(&self) -> Standing {
        let done = self.doings.done();
        let idle_since = done.answered_at.unwrap_or(self.since);
        Standing {
            peer: self.peer,
            age: self.since.elapsed(),
            idle: (done.in_hand == 0).then(|| idle_since.elapsed()),
            has_spoken: done.has_spoken,
        }
    }
}

/// Closes the connection that is missed least.
fn give_way(open: &mut Vec<Open>) {
    let standing: Vec<_> = open.iter().map(Open::standing).collect();
    if let Some(first) = first_to_go(&standing).filter(|first| *first < open.len()) {
        open.remove(first).task.abort();
    }
}

fn is_of_one_connection(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

async fn one<S: Stream>(
    stream: S,
    address: SocketAddr,
    router: Router,
    doings: Arc<Doings>,
    shutdown: Shutdown,
) {
    let in_hand = InHand::default();
    let stream = ToBeRead::new(stream, in_hand.clone());
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let mut router = router.clone();
        let (doings, in_hand) = (Arc::clone(&doings), in_hand.clone());
        async move {
            doings.begins();
            request.extensions_mut().insert(Peer(address.ip()));
            let answered = timeout(ANSWERED_WITHIN, router.call(request.map(Body::new))).await;
            doings.ends();
            let response = match answered {
                Ok(Ok(response)) => response,
                Err(_) => Problem::request_timeout().into_response(),
            };
            let response = with_safe_headers(response);
            Ok::<_, Infallible>(response.map(|body| in_hand.body(body)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Whoever is too slow, or speaks another protocol, is hung up on, and nobody here needs to know.
    let is_stopping = tokio::select! {
        ended = connection.as_mut() => { drop(ended); false }
        () = shutdown.requested() => true,
    };
    if is_stopping {
        connection.as_mut().graceful_shutdown();
        drop(connection.await);
    }
}

/// Nothing of an answer is for caches, frames or guesses at its type, unless its route says so.
fn with_safe_headers(mut response: Response) -> Response {
    const SAFE: [(HeaderName, &str); 4] = [
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in SAFE {
        let headers = response.headers_mut();
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use bytes::Bytes;
    use futures_util::stream;
    use hookline_common::shutdown::Trigger;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::task::JoinHandle;

    use super::*;

    /// What the largest answer of these tests has.
    const LARGE: usize = 1 << 20;

    impl Stream for DuplexStream {
        fn forget_unsent(&self) {}
    }

    /// A connection to a server that reads bodies whole, and has something large to answer. The clock stands still but where all
    /// wait for it.
    fn connected() -> (DuplexStream, Trigger, JoinHandle<()>) {
        async fn length(body: Bytes) -> String {
            body.len().to_string()
        }
        async fn large() -> Vec<u8> {
            vec![b'x'; LARGE]
        }
        /// The same, piece by piece.
        async fn pieces() -> Body {
            let piece = Bytes::from(vec![b'x'; LARGE / 64]);
            Body::from_stream(stream::iter(
                (0..64).map(move |_| Ok::<_, Infallible>(piece.clone())),
            ))
        }
        let (ours, theirs) = duplex(256 << 10);
        let router = Router::new()
            .route("/", post(length))
            .route("/large", get(large))
            .route("/pieces", get(pieces));
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let (trigger, shutdown) = Shutdown::new();
        let task = tokio::spawn(one(theirs, address, router, Arc::default(), shutdown));
        (ours, trigger, task)
    }

    async fn asks(stream: &mut DuplexStream, path: &str) {
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_of_its_answer_is_hung_up_on() {
        for path in ["/large", "/pieces"] {
            let (mut stream, _trigger, task) = connected();
            let begun = Instant::now();
            asks(&mut stream, path).await;
            task.await.unwrap();
            assert_eq!(begun.elapsed().as_secs(), 10, "{path}");
            let mut read = Vec::new();
            drop(stream.read_to_end(&mut read).await);
            assert!(read.len() < LARGE, "{path}: {}", read.len());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_drop_by_drop_has_a_minute() {
        for path in ["/large", "/pieces"] {
            let (mut stream, _trigger, mut task) = connected();
            let begun = Instant::now();
            asks(&mut stream, path).await;
            let mut drops = vec![0; 1024];
            let reading = async {
                loop {
                    sleep(Duration::from_secs(7)).await;
                    stream.read_exact(&mut drops).await.unwrap();
                }
            };
            tokio::select! {
                ended = &mut task => ended.unwrap(),
                () = reading => {}
            }
            assert_eq!(begun.elapsed().as_secs(), 60, "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_in_time_gets_one_answer_after_the_other_for_as_long_as_it_likes() {
        for path in ["/large", "/pieces"] {
            let (mut stream, _trigger, task) = connected();
            let begun = Instant::now();
            for _ in 0..10 {
                asks(&mut stream, path).await;
                // Each waits for its reader for a while.
                sleep(Duration::from_secs(8)).await;
                let mut read = 0;
                let mut buffer = vec![0; 64 << 10];
                while read < LARGE {
                    sleep(Duration::from_millis(100)).await;
                    read += stream.read(&mut buffer).await.unwrap();
                }
                // What is left of it: the head's length, and the ends of its pieces.
                while let Ok(more) = timeout(Duration::from_millis(100), stream.read(&mut buffer)).await {
                    assert!(more.unwrap() > 0, "{path} is hung up on");
                }
            }
            assert!(begun.elapsed() > Duration::from_secs(80) && !task.is_finished());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_does_not_end_is_answered_and_leaves_its_place() {
        let (mut stream, _trigger, _task) = connected();
        let begun = Instant::now();
        let half = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{";
        stream.write_all(half).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
        assert_eq!(begun.elapsed().as_secs(), ANSWERED_WITHIN.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_end_is_hung_up_on() {
        for start in [&b"POST / HTTP/1.1\r\nhost:"[..], b""] {
            let (mut stream, _trigger, _task) = connected();
            let begun = Instant::now();
            stream.write_all(start).await.unwrap();
            let mut rest = Vec::new();
            // Closed, or reset.
            drop(stream.read_to_end(&mut rest).await);
            assert_eq!(begun.elapsed().as_secs(), HEAD_WITHIN.as_secs());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_a_size() {
        let (mut stream, _trigger, _task) = connected();
        let head = format!("POST / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(4 * MAX_HEAD_BYTES));
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 431 "));
    }
}
