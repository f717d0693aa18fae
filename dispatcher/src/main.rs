//! `hookline-dispatcher`: settings → run. Exit status: 0 stopped as asked, 1 failed, 2 wrong settings.

use std::process::ExitCode;

use hookline_common::settings::flags::CommandLine;
use hookline_common::shutdown::Shutdown;
use hookline_common::telemetry::Telemetry;
use hookline_dispatcher::Dispatcher;
use hookline_dispatcher::settings::{Settings, VARIABLES};
use tokio::net::TcpListener;

const ABOUT: &str =
    "Consumes events from RabbitMQ, signs them and delivers them to the endpoints of their companies";

/// A delivery is some hundred small objects, many of them freed by another thread than the one that made them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    abort_on_panic();
    let command = clap::Command::new("hookline-dispatcher")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT);
    let settings = match Settings::read(&CommandLine::read(command, VARIABLES)) {
        Ok(settings) => settings,
        Err(faults) => return fail(2, &faults.to_string()),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &format!("the async runtime cannot start: {error}")),
    };
    let ended = runtime.block_on(run(settings));
    // The broker client has threads of its own, which panic when their runtime goes away under them.
    std::mem::forget(runtime);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err((status, error)) => fail(status, &error),
    }
}

/// A panic would leave a message in hand that nobody settles. The end of the process gives it back to its queue,
/// where its returns are counted: a message that does this again and again is found out and set aside.
fn abort_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::abort();
    }));
}

async fn run(settings: Settings) -> Result<(), (u8, String)> {
    let failed = |error: &dyn std::fmt::Display| (1, error.to_string());
    let telemetry =
        Telemetry::start(&settings.telemetry, "hookline-dispatcher").map_err(|error| failed(&error))?;
    let shutdown = Shutdown::on_signals().map_err(|error| failed(&error))?;
    hookline_dispatcher::descriptors::raise_limit();
    let address = settings.http_addr;
    let dispatcher = Dispatcher::prepare(settings, telemetry)
        .map_err(|error| (if error.is_about_settings() { 2 } else { 1 }, error.to_string()))?;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        failed(&format!(
            "HOOKLINE_HTTP_ADDR={address} cannot be listened on: {error}"
        ))
    })?;
    dispatcher
        .run(listener, shutdown)
        .await
        .map_err(|error| failed(&error))
}

#[expect(
    clippy::print_stderr,
    reason = "logs may not be set up yet, and this is what an operator reads last"
)]
fn fail(status: u8, error: &str) -> ExitCode {
    eprintln!("hookline-dispatcher: {error}");
    ExitCode::from(status)
}
