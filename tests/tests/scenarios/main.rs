//! What Hookline promises, played through against a real broker, real receivers and the real programs, in the order in
//! which an event moves. One binary, so that all scenarios run side by side, each in a namespace of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a scenario fails by panicking, and plays programs that may do anything"
)]

// The blank lines keep the order in which an event moves.
mod publish; // into the broker

mod routing; // who gets what
mod endpoints_file; // mistakes in the file that says it

mod formats; // what a receiver reads
mod signatures; // how it knows that it is from us
mod conformance; // how others' libraries know it
mod seed_receivers; // what customers run behind an endpoint

mod guard_connect; // where we connect, whatever name servers say
mod tls; // whom we believe
mod responses; // what answers mean, and what they may cost
mod connections_pool; // how few connections that takes
mod own_shortage; // what it costs when we run out of them
mod memory; // and that fifty of them at once cost no more
mod sizes; // nor events of any size
mod header_limits; // whatever their headers hold
mod real_clients; // whichever library published them

mod retries; // what happens when it does not take it

mod dead_letters; // what a person does when nothing helped
mod rejected; // what nobody can understand

mod records; // what the log keeps
mod tail; // how it is followed live
mod operating; // what publishes, receives and looks after queues
mod secrets; // what must not be seen anywhere

mod endpoints_check; // a file judged before it is used
mod sign_and_verify; // signatures made and judged at a desk
mod help; // what teaches the commands
mod docs; // what the documents name
mod saturation; // an endpoint that hangs, and its neighbours
mod start_and_stop; // how a dispatcher comes and goes
mod handover; // how another goes on
mod signals; // what it is asked by the system
mod operating_edges; // what the programs around it do to it

mod links; // a link to the broker that is cut
mod slow_broker; // a broker that takes its time, or refuses
mod signs_of_trouble; // what metrics and log say of it
mod topology_watch; // what somebody deletes on it

mod crashes; // a program, or the broker, that dies
mod suspects; // a program that dies again and again

use std::time::Duration;

/// Long enough for anything that should happen at once, on a machine that is busy with other scenarios.
const SOON: Duration = Duration::from_secs(15);

/// What one dispatcher may have in flight for one endpoint, by default.
const IN_FLIGHT: usize = 32;
