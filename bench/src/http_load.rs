//! The generator over HTTP: a booking service with some connections kept alive, each with one event at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::child;
use crate::clock::now_ns;
use crate::error::{Context as _, Fault, Result};
use crate::load::{EVENT_TYPE, Fillings, Payload};
use crate::names;
use crate::report::stats::{greatest, percentile};

/// The data of each event.
const PAYLOAD: Payload = Payload::Bytes(1024);

/// What is to be published.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HttpOrder {
    /// Goes into the ids of the events.
    pub(crate) run: u32,
    /// Host and port of the console.
    pub(crate) address: String,
    /// What to sign in with.
    pub(crate) token: String,
    /// How many.
    pub(crate) count: u32,
    /// Connections, each with one event at a time.
    pub(crate) connections: u32,
    /// How many a second; as many as possible where it is not given.
    pub(crate) per_second: Option<u32>,
}

/// What was accepted: every event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Accepted {
    /// When the first connection stood.
    pub(crate) first_ns: u64,
    /// When the last event was accepted.
    pub(crate) last_ns: u64,
    /// From when an event should have been sent, or was, to its answer.
    pub(crate) p50_ms: f64,
    /// The same.
    pub(crate) p99_ms: f64,
    /// The same.
    pub(crate) max_ms: f64,
}

/// Takes orders until the standard input ends.
///
/// # Errors
/// The console does not answer, or accepts not all.
pub(crate) async fn run() -> Result<()> {
    child::say(&()).await?;
    child::answer_questions(async |order: HttpOrder| publish(order).await).await
}

struct Run {
    order: HttpOrder,
    fillings: Fillings,
    next: AtomicU32,
    begun: Instant,
}

async fn publish(order: HttpOrder) -> Result<Accepted> {
    let connections = (0..order.connections).map(|_| connect(&order.address));
    let connections = try_join_all(connections).await?;
    let first_ns = now_ns();
    let run = Arc::new(Run {
        order,
        fillings: Fillings::new(PAYLOAD),
        next: AtomicU32::new(0),
        begun: Instant::now(),
    });
    let workers = connections.into_iter().map(|connection| {
        let worker = tokio::spawn(work(Arc::clone(&run), connection));
        async { worker.await.context("a connection")? }
    });
    let latencies = try_join_all(workers).await?.concat();
    Ok(Accepted {
        first_ns,
        last_ns: now_ns(),
        p50_ms: percentile(&latencies, 50.0),
        p99_ms: percentile(&latencies, 99.0),
        max_ms: greatest(&latencies),
    })
}

/// Publishes one after the other, and tells how long each took, in milliseconds.
async fn work(run: Arc<Run>, mut connection: SendRequest<Full<Bytes>>) -> Result<Vec<f64>> {
    let order = &run.order;
    let mut latencies = Vec::new();
    loop {
        let number = run.next.fetch_add(1, Ordering::Relaxed);
        if number >= order.count {
            return Ok(latencies);
        }
        let mut since = Instant::now();
        if let Some(rate) = order.per_second {
            // One that is late because the one before it was counts as late.
            since = run.begun + Duration::from_secs_f64(f64::from(number) / f64::from(rate.max(1)));
            sleep_until(since).await;
        }
        one(&run, number, &mut connection).await?;
        latencies.push(since.elapsed().as_secs_f64() * 1e3);
    }
}

async fn one(run: &Run, number: u32, connection: &mut SendRequest<Full<Bytes>>) -> Result<()> {
    const WHAT: &str = "the console";
    let order = &run.order;
    let id = names::event_id(order.run, number);
    let mut body = format!("{{\"type\":\"{EVENT_TYPE}\",\"id\":\"{id}\",\"data\":").into_bytes();
    body.extend_from_slice(&run.fillings.data(now_ns(), number));
    body.push(b'}');
    let request = Request::post("/v1/companies/c0/events")
        .header("host", &order.address)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", order.token))
        .body(Full::new(Bytes::from(body)))
        .context("a request")?;
    connection.ready().await.context(WHAT)?;
    let response = connection.send_request(request).await.context(WHAT)?;
    if response.status() != StatusCode::ACCEPTED {
        return Err(Fault::new(format!("{WHAT} answers {}", response.status())));
    }
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame.context(WHAT)?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the generator is somebody else's program, and reaches nobody but the console"
)]
async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>> {
    let socket = TcpStream::connect(address).await.context(address)?;
    socket.set_nodelay(true).context(address)?;
    let (send, connection) = handshake(TokioIo::new(socket)).await.context(address)?;
    tokio::spawn(connection);
    Ok(send)
}
