//! One export to a collector, read by hand where the protocol is concerned, and by the specification's messages.

use hyper::Version;
use hyper::header::HeaderMap;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

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
    /// Its own id, as 16 hex digits.
    pub id: String,
    /// What it is of others: 3 a client, 4 a producer, 5 a consumer.
    pub kind: i32,
    /// When it began and ended, in nanoseconds since the epoch.
    pub times: (u64, u64),
    /// Whether it says that it failed.
    pub is_error: bool,
    /// Its parent's id, as 16 hex digits, or nothing.
    pub parent: String,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// The ids of the spans that it is linked to, as 16 hex digits, each with its trace's.
    pub links: Vec<(String, String)>,
    /// How many attributes it was made to leave out.
    pub left_out: u32,
    /// How many events it has.
    pub events: usize,
    /// How many events it was made to leave out.
    pub events_left_out: u32,
}

impl Export {
    /// Reads a request by the rules of its protocol.
    pub(super) fn read(path: &str, version: Version, headers: HeaderMap, body: &[u8]) -> Self {
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
        let mut export = Self {
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

    fn read_traces(&mut self, request: ExportTraceServiceRequest) {
        for group in request.resource_spans {
            self.resource = about(group.resource);
            let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.extend(spans.map(|span| {
                SpanSeen {
                    name: span.name,
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    kind: span.kind,
                    times: (span.start_time_unix_nano, span.end_time_unix_nano),
                    is_error: span.status.is_some_and(|status| status.code == 2),
                    parent: hex(&span.parent_span_id),
                    attributes: texts(span.attributes),
                    links: span
                        .links
                        .iter()
                        .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
                        .collect(),
                    left_out: span.dropped_attributes_count,
                    events: span.events.len(),
                    events_left_out: span.dropped_events_count,
                }
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
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
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
