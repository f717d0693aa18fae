//! The least that can send HTTP: each worker has one connection of hyper's, with no pool above it.

use bytes::Bytes;
use flume::{Receiver, Sender};
use futures_util::future::try_join_all;
use hmac::Hmac;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use tokio::net::TcpStream;

use super::{Job, sign};
use crate::error::{Context as _, Fault, Result};

/// Sends what comes over `work`, and says over `done` which tags were answered 2xx.
pub(super) async fn work(
    workers: usize,
    url: &str,
    key: Hmac<Sha256>,
    work: Receiver<Job>,
    done: Sender<u64>,
) -> Result<()> {
    let uri: Uri = url.parse().context(url)?;
    let workers = (0..workers).map(|_| {
        let worker = worker(uri.clone(), key.clone(), work.clone(), done.clone());
        async { tokio::spawn(worker).await.context("a worker")? }
    });
    try_join_all(workers).await.map(drop)
}

async fn worker(uri: Uri, key: Hmac<Sha256>, work: Receiver<Job>, done: Sender<u64>) -> Result<()> {
    let authority = uri
        .authority()
        .ok_or_else(|| Fault::new("a URL without a host"))?;
    let mut connection = connect(authority.as_str()).await?;
    while let Ok(job) = work.recv_async().await {
        let signed = sign(&key, &job);
        let request = Request::post(uri.path())
            .header("host", authority.as_str())
            .header("content-type", "application/json")
            .header("webhook-id", signed.id)
            .header("webhook-timestamp", signed.timestamp)
            .header("webhook-signature", signed.signature)
            .body(Full::new(signed.body))
            .context("a request")?;
        connection.ready().await.context("the receiver")?;
        let response = connection.send_request(request).await.context("the receiver")?;
        if !response.status().is_success() {
            return Err(Fault::new(format!("the receiver answers {}", response.status())));
        }
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame.context("the receiver")?;
        }
        done.send(job.tag).context("finishing")?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the floor has no guard, and reaches nobody but the benchmark's sink"
)]
async fn connect(authority: &str) -> Result<SendRequest<Full<Bytes>>> {
    let socket = TcpStream::connect(authority).await.context(authority)?;
    socket.set_nodelay(true).context(authority)?;
    let (send, connection) = handshake(TokioIo::new(socket)).await.context(authority)?;
    tokio::spawn(connection);
    Ok(send)
}
