//! The words and rules that everyone in Hookline shares. Read downwards, the modules follow an event on its way.
//!
//! Nothing here does I/O but [`broker`], [`text_file`], [`settings`], `management`, `stderr`, `healthcheck`, `telemetry` and `shutdown`.

pub mod ids; // what things are called: event, company, endpoint, type, attempt
pub mod event; // what happened, and the bytes that tell it
pub mod trace_context; // the publisher's trace, carried along
pub mod publish_span; // and gone on with where something is published
pub mod last_attempt; // the attempt before, as the trace keeps it
pub mod headers; // what a message says beside its body
pub mod delivery; // one event on its way to one endpoint
pub mod message; // both as messages on the broker: strict and total
pub mod topology; // the exchange and the queues they pass, as data
pub mod broker; // the only door to RabbitMQ
#[cfg(feature = "endpoints")]
pub mod secret; // what endpoints share with us
#[cfg(feature = "endpoints")]
pub mod endpoint; // where a company wants which events, in which format
#[cfg(feature = "endpoints")]
pub mod toml_file; // entries from a TOML file
#[cfg(feature = "endpoints")]
pub mod endpoints_file; // endpoints from a TOML file
#[cfg(feature = "endpoints")]
pub mod guard; // where we may connect
#[cfg(feature = "endpoints")]
pub mod envelope; // the request body around untouched data
#[cfg(feature = "endpoints")]
pub mod signature; // how receivers know it was us
pub mod outcome; // what an attempt can end in
pub mod cause; // and why, where it has no answer
pub mod explanation; // what that means, in words
pub mod retry_after; // when a receiver asks to be tried later
pub mod duration; // how people write times
pub mod size; // and sizes
pub mod schedule; // what comes after an attempt
#[cfg(feature = "endpoints")]
mod json_text; // text within JSON
pub mod json_limits; // how large and deep JSON may be
#[cfg(feature = "endpoints")]
pub mod record; // what the log keeps of it
pub mod with_causes; // errors in words
pub mod text_file; // small files that must not hang their reader
pub mod settings; // what operators can set

pub mod failpoint; // where a test may have it all end

#[cfg(feature = "management")]
pub mod management; // what the broker tells besides AMQP

#[cfg(feature = "service")]
pub mod manual; // what explains programs

#[cfg(feature = "service")]
pub mod stderr; // lines that wait for no reader

#[cfg(feature = "service")]
pub mod huge_pages; // how its memory is handed out

#[cfg(feature = "service")]
pub mod healthcheck; // how a program is asked whether it is alive

#[cfg(feature = "service")]
pub mod shutdown; // how a service is asked to stop

#[cfg(feature = "telemetry")]
pub mod metrics; // what is counted, declared once

#[cfg(feature = "telemetry")]
pub mod telemetry; // logs, metrics, traces
