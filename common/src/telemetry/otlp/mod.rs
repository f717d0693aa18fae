//! Traces and metrics over OTLP, as OpenTelemetry's variables ask for it. The pure parts read what is asked for; the
//! others carry it out beside the deliveries, which never wait for a collector. Without the feature `otlp` there is nothing to
//! carry it out: all is read and judged all the same.
#![cfg_attr(not(feature = "otlp"), allow(dead_code))]

mod collector; // where a signal goes
mod endpoint; // the address, and the protocol
#[cfg(feature = "otlp")]
mod exporters; // what sends
#[cfg(feature = "otlp")]
mod http_client; // how protobuf over HTTP is sent
#[cfg(not(feature = "otlp"))]
#[path = "left_out.rs"]
mod exporters; // nothing, in a build without
mod last_error; // why it could not
mod leftover; // what is set and means nothing
mod losses; // when to say that nothing is taken
mod pairs; // name=value, name=value
mod resource; // who says it
mod roots; // whom to believe that it is the collector
mod sampler; // which traces
mod settings; // all that is asked for
mod watch; // what is lost on the way

pub use self::exporters::OtlpError;
pub use self::settings::OtlpSettings;

pub(super) use self::exporters::{tracer_provider, with_metric_reader};
pub(super) use self::losses::Lost;
pub(super) use self::resource::resource;
pub(super) use self::watch::Watch;

#[cfg(test)]
mod tests;
