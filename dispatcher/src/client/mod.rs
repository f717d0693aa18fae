//! Step 4: the only socket to customers. One request, one answer, everything bounded.
//!
//! HTTP/1.1 only; no redirects, no proxies, no cookies, no decompression. A request is sent again by itself only
//! where a kept-alive connection was closed before a byte of it was written.

mod connect;
mod resolve;
mod socket;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use hookline_common::guard::{Policy, Refusal};
use hookline_common::outcome::Outcome;
use hookline_common::record::AttemptRecord;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout, timeout_at};

pub use self::connect::TlsSetupError;
use self::connect::{ConnectFailure, Connector};
pub use self::resolve::Resolver;

/// How long an idle connection is kept: a name that moved is looked up again no later.
const IDLE: Duration = Duration::from_secs(30);
/// Headers of a response at most.
const MAX_HEADERS: usize = 100;
/// What is read ahead of a response at most, and so the size of its head: fifty times a server's usual headers, and
/// little enough that all receivers together, each with a head that never ends, leave our memory alone.
const READ_AHEAD: usize = 64 * 1024;
/// How long a response's body may take once its head is there.
const BODY_TIME: Duration = Duration::from_secs(5);
/// How much of a body is read, so that the connection can be used again after a short one.
const BODY_BYTES: usize = 16 * 1024;

/// The pooled client of one dispatcher. Clones share the pool.
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    timeout: Duration,
}

/// What a receiver answered.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The first bytes of the body.
    pub body: Vec<u8>,
    /// Whether the body was cut off, by its sender or by us.
    pub body_incomplete: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Failure {
    /// What the attempt ends in.
    pub outcome: Outcome,
    /// What happened, fit for the endpoint's owner.
    pub text: String,
    /// What the guard refused, fit for the operator only.
    pub refusal: Option<Refusal>,
}

impl Failure {
    fn new(outcome: Outcome, text: impl Into<String>) -> Self {
        Self {
            outcome,
            text: text.into(),
            refusal: None,
        }
    }

    /// A refusal by the guard. Its reason would tell a hostile owner about our network, so the text does not.
    #[must_use]
    pub fn blocked(refusal: Refusal) -> Self {
        let text = "the URL or its address is not allowed".to_owned();
        Self {
            outcome: Outcome::Blocked,
            text,
            refusal: Some(refusal),
        }
    }
}

impl Client {
    /// A client that gives each request `timeout`, from DNS to the response's head.
    ///
    /// # Errors
    /// [`TlsSetupError`] when the roots to trust cannot be read.
    pub fn new(
        policy: Policy,
        resolver: Resolver,
        ca_pem: Option<&str>,
        timeout: Duration,
        idle_per_host: usize,
    ) -> Result<Self, TlsSetupError> {
        let connector = Connector::new(policy, resolver, ca_pem, timeout)?;
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(idle_per_host)
            .http1_max_headers(MAX_HEADERS)
            .http1_max_buf_size(READ_AHEAD)
            .build(connector);
        Ok(Self { http, timeout })
    }

    /// Sends one request and reads the answer: the head within the timeout, the body as far as it is worth it.
    ///
    /// # Errors
    /// [`Failure`] names the outcome.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.timeout;
        let response = match timeout_at(deadline, self.http.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(explain(&error)),
            Err(_) => {
                let text = format!("no response within {:?}", self.timeout);
                return Err(Failure::new(Outcome::Timeout, text));
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failure::new(
                Outcome::ProtocolError,
                "101 Switching Protocols to a request that asked for none",
            ));
        }
        let body_time = BODY_TIME.min(deadline.saturating_duration_since(Instant::now()));
        Ok(read(response, body_time).await)
    }
}

/// The head decides; the body is read for the log, and dropped where it is long, slow or broken.
async fn read(response: Response<Incoming>, body_time: Duration) -> Answer {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    let mut seen = 0;
    let whole = async {
        while let Some(frame) = incoming.frame().await {
            let Ok(frame) = frame else { return false };
            let Some(data) = frame.data_ref() else { continue };
            let room = AttemptRecord::RESPONSE_BYTES.saturating_sub(body.len());
            body.extend_from_slice(&data[..data.len().min(room)]);
            seen += data.len();
            if seen > BODY_BYTES {
                return false;
            }
        }
        true
    };
    let is_whole = timeout(body_time, whole).await.unwrap_or(false);
    Answer {
        status: head.status,
        headers: head.headers,
        body,
        body_incomplete: !is_whole,
    }
}

fn explain(error: &legacy::Error) -> Failure {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(failure) = cause.downcast_ref::<ConnectFailure>() {
            return failure.explain();
        }
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            return explain_http(error);
        }
        source = cause.source();
    }
    Failure::new(Outcome::ProtocolError, "the connection ended before a response")
}

fn explain_http(error: &hyper::Error) -> Failure {
    let io = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    // With TLS 1.3 a server that refuses us, for want of a certificate perhaps, can say so only after our own side of
    // the handshake is done and the request is on its way.
    let inner = io.and_then(io::Error::get_ref);
    if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return Failure::new(Outcome::TlsError, format!("TLS failed before a response: {tls}"));
    }
    let what = if error.is_parse_too_large() {
        "the response's head is too large"
    } else if error.is_parse() {
        "the response is not HTTP/1.1"
    } else if error.is_incomplete_message() {
        "the connection was closed before a response"
    } else {
        "the connection was lost before a response"
    };
    let text = io.map_or_else(|| what.to_owned(), |io| format!("{what}: {}", io.kind()));
    Failure::new(Outcome::ProtocolError, text)
}
