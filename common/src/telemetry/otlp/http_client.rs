//! How protobuf over HTTP is sent: HTTP/1.1, the workspace's TLS, no redirect and no proxy of the environment.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::HeaderMap;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

use super::last_error::LastError;

/// How much of an answer is read: what a collector says of a request is some hundred bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;

type Sender = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Sends requests to one collector.
#[derive(Debug)]
pub(super) struct CollectorClient {
    sender: Sender,
    headers: HeaderMap,
    limit: Duration,
    runtime: Handle,
    last_error: LastError,
}

impl CollectorClient {
    /// A client whose requests carry `headers` and take at most `limit` each. Connections are `runtime`'s, because whoever
    /// exports runs on a thread of its own.
    pub(super) fn new(
        tls: rustls::ClientConfig,
        headers: HeaderMap,
        limit: Duration,
        runtime: Handle,
    ) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            sender: Client::builder(TokioExecutor::new()).build(connector),
            headers,
            limit,
            runtime,
            last_error: LastError::default(),
        }
    }

    pub(super) fn last_error(&self) -> LastError {
        self.last_error.clone()
    }
}

/// The trait is an `async_trait`; this is what its macro would write.
impl HttpClient for CollectorClient {
    fn send_bytes<'a, 'b>(
        &'a self,
        mut request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        let sending = send(self.sender.clone(), request.map(Full::new));
        let limit = self.limit;
        let sending = self.runtime.spawn(async move {
            match tokio::time::timeout(limit, sending).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {limit:?}").into()),
            }
        });
        Box::pin(async move {
            let answer = sending.await.unwrap_or_else(|error| Err(error.into()));
            self.last_error
                .put(answer.as_ref().err().map(|error| in_full(error.as_ref())));
            answer
        })
    }
}

async fn send(sender: Sender, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, HttpError> {
    let (head, body) = sender.request(request).await?.into_parts();
    #[expect(clippy::disallowed_methods, reason = "the limit is just before it")]
    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}

/// An error with what is behind it: the outer ones only say that something failed.
fn in_full(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    let texts: Vec<String> = chain.map(ToString::to_string).collect();
    texts.join(": ")
}
