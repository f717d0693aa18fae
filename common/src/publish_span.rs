//! The span of a message that is published in somebody's trace, by OpenTelemetry's conventions for messaging. Who has no trace gets
//! none: a dispatcher that samples begins one then.

use std::borrow::Cow;

use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _};
use opentelemetry::{KeyValue, global};

use crate::trace_context::TraceContext;

/// A publish under way. Dropped, it ends.
pub struct PublishSpan(global::BoxedSpan);

impl PublishSpan {
    /// Begins, in the trace of `parent`, if there is one.
    #[must_use]
    pub fn begin(
        parent: &TraceContext,
        destination: &str,
        routing_key: &str,
        message_id: &str,
    ) -> Option<Self> {
        if parent.is_empty() {
            return None;
        }
        let tracer = global::tracer("hookline");
        let attributes = [
            KeyValue::new("messaging.system", "rabbitmq"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("messaging.operation.name", "publish"),
            KeyValue::new("messaging.destination.name", destination.to_owned()),
            KeyValue::new(
                "messaging.rabbitmq.destination.routing_key",
                routing_key.to_owned(),
            ),
            KeyValue::new("messaging.message.id", message_id.to_owned()),
        ];
        let span = tracer
            .span_builder(Cow::Owned(format!("publish {destination}")))
            .with_kind(SpanKind::Producer)
            .with_attributes(attributes)
            .start_with_context(&tracer, &parent.to_parent());
        Some(Self(span))
    }

    /// The trace as the message carries it.
    #[must_use]
    pub fn trace(&self) -> TraceContext {
        TraceContext::of(self.0.span_context())
    }

    /// It failed, for this reason.
    pub fn failed(&mut self, error: &'static str) {
        self.0.set_attribute(KeyValue::new("error.type", error));
        self.0.set_status(Status::error(error));
    }
}
