//! The sockets of the sink: HTTP/1.1 with connections kept alive, plain or in TLS.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::ledger::Ledger;
use super::request;
use crate::clock::now_ns;

type Books = Arc<Mutex<Ledger>>;

/// Takes connections until the process ends.
pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, ledger: Books) {
    while let Ok((socket, _)) = listener.accept().await {
        // Without it answers may wait for the client's acknowledgement.
        drop(socket.set_nodelay(true));
        let (tls, ledger) = (tls.clone(), Arc::clone(&ledger));
        tokio::spawn(async move {
            match tls {
                None => serve(socket, ledger).await,
                Some(tls) => {
                    if let Ok(socket) = tls.accept(socket).await {
                        serve(socket, ledger).await;
                    }
                }
            }
        });
    }
}

async fn serve(socket: impl AsyncRead + AsyncWrite + Unpin, ledger: Books) {
    let service = service_fn(move |request| answer(request, Arc::clone(&ledger)));
    // How a connection ends is the client's affair.
    drop(
        http1::Builder::new()
            .serve_connection(TokioIo::new(socket), service)
            .await,
    );
}

async fn answer(request: Request<Incoming>, ledger: Books) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = match request::read(request).await {
        Err(_) => StatusCode::BAD_REQUEST,
        Ok((behaviour, arrival)) => {
            let lock = || ledger.lock().unwrap_or_else(PoisonError::into_inner);
            lock().arrived(arrival);
            let (after, status) = behaviour.answer(arrival.attempt);
            if !after.is_zero() {
                sleep(after).await;
            }
            lock().answered(arrival, status, now_ns());
            StatusCode::from_u16(status).unwrap_or_default()
        }
    };
    Ok(response)
}
