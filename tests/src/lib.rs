//! The harness of the scenarios: what plays the world around Hookline, and what judges it. Read downwards, it follows
//! a scenario: the services, a namespace of its own, the programs, the receivers, the faults, the verdict.
//!
//! It reads the broker and the wire with code of its own wherever the product's could hide the product's mistakes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a harness fails a test by panicking, tells people why on stderr, and plays programs that may do anything"
)]

pub mod http; // one GET, for probes and the management API
pub mod services; // the broker that `make test` started

pub mod broker; // AMQP as a stranger speaks it: any message in, every queue looked at
pub mod endpoint; // entries of the endpoints file
pub mod message; // messages made by hand
pub mod raw_amqp; // and frames
pub mod scripted_broker; // a broker that answers what a test wants
pub mod world; // a namespace for one scenario, and the look at what it leaves behind

pub mod cli; // the operator's command
pub mod dispatcher; // the real program as a child process
pub mod supervised; // started again whenever it ends
pub mod in_process; // the same as a library, where a test turns a knob that operators have not
pub mod database; // a PostgreSQL database for one scenario
pub mod api; // the console's API as a client speaks to it
pub mod browser; // the dashboard as a browser meets it
pub mod console; // the console as a child process
pub mod log_rows; // rows of its log, written by hand
pub mod ports; // ports that nobody else takes

pub mod answer; // what a receiver does with a request
pub mod raw; // a receiver that shows the bytes as they come
pub mod example; // a program of the examples
pub mod receiver; // a real HTTP/1.1 receiver with a script
pub mod otlp_sink; // a collector of traces and metrics
pub mod hostile; // receivers, name servers and certificates that mean us no good

mod scripts; // what a script starts for one test
mod erlang; // what a node evaluates for it
pub mod private_broker; // a broker that a test may kill
pub mod private_postgres; // a database server that it may stop
pub mod tls_postgres; // a database that speaks TLS alone
pub mod cluster; // three of them, joined
pub mod wire; // a link to the broker that a test may cut

pub mod eventually; // waiting for something, never for time to pass
pub mod load; // a publisher that goes on while faults happen
pub mod pace; // a clock that a busy machine slows down
pub mod yardstick; // and how quick a service is on it meanwhile
pub mod moment; // a moment by the clock of event ids as well
pub mod judge; // lost, unexpected, duplicated
pub mod fault; // a row of the fault suite: a run with a fault, its verdict, and how long it took to recover
mod in_the_open; // no secret is
pub mod records; // the attempts stream
pub mod recorded; // and what the console made of it
pub mod signature; // both signatures, computed anew

pub use answer::{Answer, Gate, status};
pub use eventually::{SOON, eventually};
pub use receiver::Receiver;
pub use world::{World, scenario};
