//! A collector: takes OTLP over gRPC and over HTTP on one port, plain or by TLS, and keeps what came. The protocols are
//! spoken here by hand, so that the product's library does not judge itself; its messages are read by those of the
//! specification.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
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
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::eventually::eventually;
use crate::hostile::certificates::Identity;

/// One export, as it came and as it reads.
#[derive(Debug, Clone)]
pub struct Export {
    /// The path of the request: of the gRPC method, or of the URL.
    pub path: String,
    /// HTTP/2 for gRPC.
    pub version: Version,
    /// All headers.
    pub headers: HeaderMap,
    /// Whether the body was compressed.
    pub was_gzip: bool,
    /// Who sent it, by attribute.
    pub resource: BTreeMap<String, String>,
    /// The spans in it.
    pub spans: Vec<SpanSeen>,
    /// The metrics in it.
    pub metrics: BTreeSet<String>,
    /// Whether any of them counts from export to export, and not from the start.
    pub has_deltas: bool,
}

/// A span, as far as tests look at it.
#[derive(Debug, Clone)]
pub struct SpanSeen {
    /// What it is called.
    pub name: String,
    /// Its trace's id, as 32 hex digits.
    pub trace: String,
    /// Its parent's id, as 16 hex digits, or nothing.
    pub parent: String,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// How many attributes it was made to leave out.
    pub left_out: u32,
    /// How many events it has.
    pub events: usize,
    /// How many events it was made to leave out.
    pub events_left_out: u32,
}

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
                    match tls {
                        None => serve(stream, ours).await,
                        // A client that does not trust us goes away.
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, ours).await,
                            Err(_) => {}
                        },
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
    let export = read(&head.uri.path().to_owned(), head.version, head.headers, &body);
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

fn read(path: &str, version: Version, headers: HeaderMap, body: &[u8]) -> Export {
    let is_grpc = version == Version::HTTP_2;
    let kind = if is_grpc {
        "application/grpc"
    } else {
        "application/x-protobuf"
    };
    assert_eq!(headers.get("content-type").expect("a type"), kind, "{path}");
    let encoding = headers.get(if is_grpc {
        "grpc-encoding"
    } else {
        "content-encoding"
    });
    let (was_gzip, message) = if is_grpc {
        // A flag, four bytes of length, and the message.
        let length = u32::from_be_bytes(body[1..5].try_into().expect("four bytes"));
        assert_eq!(length as usize, body.len() - 5, "one message");
        (body[0] == 1, &body[5..])
    } else {
        (encoding.is_some(), body)
    };
    let mut unpacked = Vec::new();
    if was_gzip {
        assert_eq!(encoding.expect("an encoding"), "gzip");
        let mut decoder = flate2::read::GzDecoder::new(message);
        decoder.read_to_end(&mut unpacked).expect("gzip");
    } else {
        unpacked.extend_from_slice(message);
    }
    let mut export = Export {
        path: path.to_owned(),
        version,
        headers,
        was_gzip,
        resource: BTreeMap::new(),
        spans: Vec::new(),
        metrics: BTreeSet::new(),
        has_deltas: false,
    };
    if path.to_ascii_lowercase().contains("metrics") {
        export.read_metrics(ExportMetricsServiceRequest::decode(&*unpacked).expect("metrics"));
    } else {
        export.read_traces(ExportTraceServiceRequest::decode(&*unpacked).expect("traces"));
    }
    export
}

impl Export {
    fn read_traces(&mut self, request: ExportTraceServiceRequest) {
        for group in request.resource_spans {
            self.resource = about(group.resource);
            let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.extend(spans.map(|span| SpanSeen {
                name: span.name,
                trace: hex(&span.trace_id),
                parent: hex(&span.parent_span_id),
                attributes: texts(span.attributes),
                left_out: span.dropped_attributes_count,
                events: span.events.len(),
                events_left_out: span.dropped_events_count,
            }));
        }
    }

    fn read_metrics(&mut self, request: ExportMetricsServiceRequest) {
        for group in request.resource_metrics {
            self.resource = about(group.resource);
            for metric in group.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                let temporality = match metric.data {
                    Some(Data::Sum(sum)) => sum.aggregation_temporality,
                    Some(Data::Histogram(histogram)) => histogram.aggregation_temporality,
                    _ => 0,
                };
                self.has_deltas |= temporality == AggregationTemporality::Delta as i32;
                self.metrics.insert(metric.name);
            }
        }
    }
}

fn about(resource: Option<Resource>) -> BTreeMap<String, String> {
    texts(resource.expect("a resource").attributes)
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value| match value {
        Some(Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    };
    attributes
        .into_iter()
        .map(|pair| (pair.key, text(pair.value.and_then(|value| value.value))))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
