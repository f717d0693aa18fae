//! The sockets of the sink: HTTP/1.1 with connections kept alive, plain or in TLS.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::State;
use super::request::{self, Read};
use super::traffic::Generation;
use crate::clock::now_ns;

type Shared = Arc<Mutex<State>>;

/// Takes connections until the process ends.
pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Shared) {
    while let Ok((socket, _)) = listener.accept().await {
        let connection = Connection::new(Arc::clone(&state));
        // Without it answers may wait for the client's acknowledgement.
        drop(socket.set_nodelay(true));
        let tls = tls.clone();
        tokio::spawn(async move {
            match tls {
                None => serve(socket, &connection).await,
                Some(tls) => {
                    if let Ok(socket) = tls.accept(socket).await {
                        serve(socket, &connection).await;
                    }
                }
            }
        });
    }
}

async fn serve(socket: impl AsyncRead + AsyncWrite + Unpin, connection: &Connection) {
    let service = service_fn(move |request| answer(request, Arc::clone(&connection.state)));
    // How a connection ends is the client's affair.
    drop(
        http1::Builder::new()
            .serve_connection(TokioIo::new(socket), service)
            .await,
    );
}

async fn answer(request: Request<Incoming>, state: Shared) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut in_flight = InFlight::new(Arc::clone(&state));
    let mut response = Response::new(Empty::new());
    let Ok(Read {
        behaviour,
        receiver,
        arrival,
    }) = request::read(request).await
    else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    let answer = {
        let mut state = lock(&state);
        state.ledger.arrived(arrival);
        state
            .pace
            .answer(behaviour, &receiver, arrival.attempt, arrival.at_ns)
    };
    if !answer.after.is_zero() {
        sleep(answer.after).await;
    }
    let at_ns = now_ns();
    lock(&state).ledger.answered(arrival, answer.status, at_ns);
    in_flight.took_ns = Some(at_ns.saturating_sub(arrival.at_ns));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    if let Some(seconds) = answer.retry_after_s {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection, counted from its opening to its end, however it ends.
struct Connection {
    state: Shared,
    generation: Generation,
}

impl Connection {
    fn new(state: Shared) -> Self {
        let generation = lock(&state).traffic.opened();
        Self { state, generation }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&self.state).traffic.closed(self.generation);
    }
}

/// A request, counted from its head to its answer or to the end of its connection.
struct InFlight {
    state: Shared,
    generation: Generation,
    took_ns: Option<u64>,
}

impl InFlight {
    fn new(state: Shared) -> Self {
        let generation = lock(&state).traffic.began();
        Self {
            state,
            generation,
            took_ns: None,
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        lock(&self.state).traffic.ended(self.generation, self.took_ns);
    }
}
