//! `hookline-dispatcher`: settings → run. Exit status: 0 stopped as asked, 1 failed, 2 wrong settings or a wrong file
//! that they name.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use hookline_common::healthcheck;
use hookline_common::huge_pages;
use hookline_common::settings::flags::CommandLine;
use hookline_common::settings::{unknown_variables, variables};
use hookline_common::shutdown::Shutdown;
use hookline_common::stderr;
use hookline_common::telemetry::Telemetry;
use hookline_dispatcher::settings::{Settings, VARIABLES};
use hookline_dispatcher::{Dispatcher, descriptors, stop};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tracing::warn;

const ABOUT: &str =
    "Consumes events from RabbitMQ, signs them and delivers them to the endpoints of their companies";

/// A delivery is some hundred small objects, many of them freed by another thread than the one that made them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Where that fails, it takes more memory and works as well.
    drop(huge_pages::have_none());
    abort_on_panic();
    let command = clap::Command::new("hookline-dispatcher")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .subcommand(healthcheck::command());
    let flags = CommandLine::read(command, VARIABLES);
    let ended = match flags.subcommand() {
        Some(_) => ask_the_running_one(&flags),
        None => serve(flags),
    };
    match ended {
        Ok(()) => {
            stderr::flush();
            ExitCode::SUCCESS
        }
        Err(Failure { status, error }) => {
            stderr::last_words(&format!("hookline-dispatcher: {error}"));
            ExitCode::from(status)
        }
    }
}

/// `healthcheck`, the only subcommand.
fn ask_the_running_one(flags: &CommandLine) -> Result<(), Failure> {
    healthcheck::run(flags, &variables::HTTP_ADDR).map_err(|error| Failure {
        status: error.status(),
        error: error.to_string(),
    })
}

fn serve(flags: CommandLine) -> Result<(), Failure> {
    Runtime::new()
        .map_err(|error| failed(format!("the async runtime cannot start: {error}")))
        .and_then(|runtime| {
            // On a worker thread, as this one is woken through the kernel for all that happens in its own future.
            let ended = runtime.block_on(runtime.spawn(run(flags)));
            // The broker client has threads of its own, which panic when their runtime goes away under them.
            std::mem::forget(runtime);
            ended.unwrap_or_else(|error| Err(failed(error)))
        })
}

/// Why the process ends, and its exit status.
struct Failure {
    status: u8,
    error: String,
}

fn failed(error: impl ToString) -> Failure {
    let error = error.to_string();
    Failure { status: 1, error }
}

/// A panic would leave a message in hand that nobody settles. The end of the process gives it back to its queue,
/// where its returns are counted: a message that does this again and again is found out and set aside. The panic is told
/// through the log's writer: the usual way would wait for ever where nobody reads stderr.
fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let mut text = format!("thread '{}' {panic}", thread.name().unwrap_or("without a name"));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            text = format!("{text}\n{trace}");
        }
        stderr::last_words(&text);
        std::process::abort();
    }));
}

async fn run(flags: CommandLine) -> Result<(), Failure> {
    // First of all: from here on every signal means what the documentation says.
    let (shutdown, reload) = Shutdown::on_service_signals().map_err(failed)?;
    // Files are read here, which may take as long as a disk, or whatever was put in its place, likes.
    let starting = tokio::task::spawn_blocking(move || prepare(&flags));
    let (address, longest_stop, dispatcher) = tokio::select! {
        prepared = starting => prepared.map_err(failed)??,
        () = shutdown.requested() => return Ok(()),
    };
    let listener = TcpListener::bind(address).await.map_err(|error| {
        failed(format!(
            "HOOKLINE_HTTP_ADDR={address} cannot be listened on: {error}"
        ))
    })?;
    tokio::select! {
        ended = dispatcher.run(listener, shutdown.clone(), reload) => ended.map_err(failed),
        () = overdue(&shutdown, longest_stop) => Err(failed(format!(
            "the stop took longer than {} s; the broker redelivers what was in hand",
            longest_stop.as_secs_f64()
        ))),
    }
}

fn prepare(flags: &CommandLine) -> Result<(SocketAddr, Duration, Dispatcher), Failure> {
    let settings = Settings::read(flags).map_err(|faults| Failure {
        status: 2,
        error: with_unknown(faults.to_string(), flags),
    })?;
    let telemetry = Telemetry::start(&settings.telemetry, "hookline-dispatcher").map_err(failed)?;
    descriptors::raise_limit();
    let (address, longest_stop) = (settings.http_addr, stop::longest(settings.request_timeout));
    let dispatcher = Dispatcher::prepare(settings, telemetry).map_err(|error| Failure {
        status: if error.is_about_settings() { 2 } else { 1 },
        error: error.to_string(),
    });
    // After the endpoints were read: the variables that they name may be called like settings.
    for unknown in unknown_variables(flags) {
        warn!("{unknown}");
    }
    let dispatcher = dispatcher?;
    Ok((address, longest_stop, dispatcher))
}

/// A setting that is missing may be there under a wrong name.
fn with_unknown(mut error: String, flags: &CommandLine) -> String {
    for unknown in unknown_variables(flags) {
        error = format!("{error}\n  {unknown}");
    }
    error
}

/// Returns when a stop that was asked for has taken `longest`, less what the last lines may take to be read.
async fn overdue(shutdown: &Shutdown, longest: Duration) {
    shutdown.requested().await;
    tokio::time::sleep(longest.saturating_sub(stderr::FLUSH_WITHIN)).await;
}
