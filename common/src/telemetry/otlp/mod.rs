//! Traces and metrics over OTLP, as OpenTelemetry's variables ask for it. The pure parts read what is asked for; the
//! others carry it out beside the deliveries, which never wait for a collector.

mod collector; // where a signal goes
mod endpoint; // the address, and the protocol
mod exporters; // what sends
mod http_client; // how protobuf over HTTP is sent
mod leftover; // what is set and means nothing
mod losses; // when to say that nothing is taken
mod pairs; // name=value, name=value
mod roots; // whom to believe that it is the collector
mod sampler; // which traces
mod settings; // all that is asked for
mod watch; // what is lost on the way

pub use self::exporters::OtlpError;
pub use self::settings::OtlpSettings;

pub(super) use self::exporters::{metric_reader, resource, tracer_provider};
pub(super) use self::losses::Lost;
pub(super) use self::watch::Watch;

#[cfg(test)]
mod tests;
