//! `hookline-bench`: runs every scenario, or is one of the processes that a run is made of.
//!
//! Read downwards, the modules follow a measurement: who takes part, what is done with them, what is told of it.

mod amqp; // the broker, as the generator and the floors speak to it
mod broker; // the broker, looked at and cleaned up from outside
mod child; // processes, and questions to them
mod clock; // one clock for all of them
mod collector; // takes traces
mod counts; // system calls and wake-ups of processes
mod endpoints; // what a dispatcher reads in a file
mod registry; // or in a database
mod records; // what dispatchers leave in the stream of attempts
mod console; // and who reads it there
mod error; // what stops a run
mod floor; // the smallest programs that could do the work
mod helpers; // those who help to measure
mod http_load; // publishes events over HTTP
mod load; // publishes events
mod machine; // CPU and memory of processes
mod measure; // one throughput measurement
mod measured; // what comes out of it, and comparisons
mod outbox; // a booking service that commits its events
mod names; // what everybody calls things by
mod plan; // how much of everything
mod report; // rows, targets, tables, charts
mod scenario; // what is measured
mod settings; // what a run is told from outside
mod sink; // receives deliveries
mod stage; // what all scenarios share
mod subject; // who is measured

use std::process::ExitCode;

use crate::error::{Fault, Result};
use crate::settings::Settings;

const USAGE: &str = "usage:
  hookline-bench                          runs all scenarios (SCENARIO=name: one; QUICK=1: in small, nothing judged)
  hookline-bench floor bare|reqwest QUEUE URL SECRET
                                          consumes, signs, posts and acknowledges, and nothing else
  hookline-bench sink CA_FILE             receives deliveries; answers questions on its standard input
  hookline-bench load                     publishes events; takes orders on its standard input
  hookline-bench collector                takes traces; answers questions on its standard input
  hookline-bench http-load                the same over HTTP, to a console";

fn main() -> ExitCode {
    // The workspace's HTTP client brings no TLS provider along, and wants one even where it speaks plain HTTP.
    drop(rustls::crypto::ring::default_provider().install_default());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => on_threads(1, run()),
        // The floors were fastest with two worker threads, and the sink must not be slower than they are.
        ["floor", client, queue, url, secret] => on_threads(2, floor::run(client, queue, url, secret)),
        ["sink", ca_file] => on_threads(2, sink::run(ca_file.as_ref())),
        ["collector"] => on_threads(1, collector::run()),
        ["load"] => on_threads(1, load::run()),
        ["http-load"] => on_threads(1, http_load::run()),
        _ => Err(Fault::new(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            report::complain(&fault);
            ExitCode::FAILURE
        }
    }
}

fn on_threads(workers: usize, work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(workers).enable_all().build();
    runtime
        .map_err(|error| Fault::new(format!("the async runtime cannot start: {error}")))?
        .block_on(work)
}

/// Runs the scenarios; stops early, and as cleanly, when it is asked to.
async fn run() -> Result<()> {
    let settings = Settings::read()?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| Fault::new(format!("signals cannot be received: {error}")))?;
    let broker = broker::Broker::new(&settings)?;
    let ended = tokio::select! {
        ended = scenario::run_all(&settings, &broker) => ended,
        _ = tokio::signal::ctrl_c() => Err(Fault::new("interrupted")),
        _ = terminate.recv() => Err(Fault::new("terminated")),
    };
    // Whatever a scenario that failed has left on the broker.
    broker.delete_ours().await?;
    ended
}
