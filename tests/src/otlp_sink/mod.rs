//! A collector: takes OTLP over gRPC and over HTTP on one port, plain or by TLS, and keeps what came. The protocols are
//! spoken here by hand, so that the product's library does not judge itself; its messages are read by those of the
//! specification.

mod export; // what came, read

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::eventually::eventually;
use crate::hostile::certificates::Identity;

pub use self::export::{Export, SpanSeen};

/// What it does with exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Takes them.
    Take,
    /// Refuses them for good: 401 over HTTP, `UNAUTHENTICATED` over gRPC.
    Refuse,
    /// Never answers.
    Hang,
}

struct Shared {
    manner: Mutex<Manner>,
    exports: Mutex<Vec<Export>>,
}

/// A collector that listens until it is dropped.
pub struct OtlpSink {
    port: u16,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

impl Drop for OtlpSink {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl OtlpSink {
    /// One without TLS.
    pub async fn plain() -> Self {
        Self::start(None).await
    }

    /// One that is what its certificate says.
    pub async fn secure(identity: &Identity) -> Self {
        let certificates = CertificateDer::pem_slice_iter(identity.certificate_pem.as_bytes());
        let certificates = certificates.map(|certificate| certificate.expect("a certificate"));
        let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(certificates.collect(), key)
            .expect("a certificate and its key");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self::start(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            manner: Mutex::new(Manner::Take),
            exports: Mutex::default(),
        });
        let ours = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, ours) = (tls.clone(), Arc::clone(&ours));
                tokio::spawn(async move {
                    let Some(tls) = tls else {
                        return serve(stream, ours).await;
                    };
                    // A client that does not trust us goes away.
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, ours).await;
                    }
                });
            }
        });
        Self {
            port,
            shared,
            listening,
        }
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its URL without TLS.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its URL with TLS.
    #[must_use]
    pub fn https_url(&self) -> String {
        format!("https://{}", self.address())
    }

    /// From now on it does this.
    ///
    /// # Panics
    /// When another thread panicked here.
    pub fn answer_now(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// All exports that came so far, taken or not.
    ///
    /// # Panics
    /// When another thread panicked here.
    #[must_use]
    pub fn exports(&self) -> Vec<Export> {
        self.shared.exports.lock().unwrap().clone()
    }

    /// The first export with spans, once it is there.
    pub async fn traces(&self, within: Duration) -> Export {
        self.first(within, "an export with spans", |export| !export.spans.is_empty())
            .await
    }

    /// The first export with metrics, once it is there.
    pub async fn metrics(&self, within: Duration) -> Export {
        self.first(within, "an export with metrics", |export| {
            !export.metrics.is_empty()
        })
        .await
    }

    /// All spans, once there are `count` of them.
    pub async fn spans(&self, count: usize, within: Duration) -> Vec<SpanSeen> {
        eventually(within, &format!("{count} spans"), async || {
            let spans: Vec<SpanSeen> = self
                .exports()
                .into_iter()
                .flat_map(|export| export.spans)
                .collect();
            (spans.len() >= count).then_some(spans)
        })
        .await
    }

    async fn first(&self, within: Duration, what: &str, is_it: impl Fn(&Export) -> bool) -> Export {
        eventually(within, what, async || self.exports().into_iter().find(&is_it)).await
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let builder = auto::Builder::new(TokioExecutor::new());
    // Connections end as their clients do.
    drop(builder.serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<BoxBody<Bytes, std::convert::Infallible>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let is_grpc = head.version == Version::HTTP_2;
    let export = Export::read(head.uri.path(), head.version, head.headers, &body);
    shared.exports.lock().unwrap().push(export);
    let manner = *shared.manner.lock().unwrap();
    if manner == Manner::Hang {
        std::future::pending::<()>().await;
    }
    let is_taken = manner == Manner::Take;
    Ok(if is_grpc {
        grpc_answer(is_taken)
    } else {
        let mut response = Response::new(Full::new(Bytes::new()).boxed());
        *response.status_mut() = if is_taken { 200 } else { 401 }.try_into().expect("a status");
        response
    })
}

/// An empty message and the trailers that say how it went (the protocol's "Responses").
fn grpc_answer(is_taken: bool) -> Response<BoxBody<Bytes, std::convert::Infallible>> {
    let code = HeaderValue::from_static(if is_taken { "0" } else { "16" });
    let trailers = HeaderMap::from_iter([("grpc-status".parse().expect("a name"), code)]);
    let message = Full::new(Bytes::from_static(&[0; 5]));
    let body = message.with_trailers(async move { Some(Ok(trailers)) }).boxed();
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}
