//! `hookline-console`: settings → run. Exit status: 0 done or stopped as asked, 1 failed, 2 wrong settings.

use std::process::ExitCode;

use hookline_common::healthcheck;
use hookline_common::huge_pages;
use hookline_common::settings::flags::CommandLine;
use hookline_common::settings::unknown_variables;
use hookline_common::shutdown::Shutdown;
use hookline_common::stderr;
use hookline_common::telemetry::Telemetry;
use hookline_console::settings::{HTTP_ADDR, Settings, VARIABLES, read_store};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tracing::warn;

const ABOUT: &str = "The API through which companies' endpoints are registered and looked after";

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Where that fails, it takes more memory and works as well.
    drop(huge_pages::have_none());
    let command = clap::Command::new("hookline-console")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .subcommand(healthcheck::command())
        .subcommand(clap::Command::new("migrate").about("Bring the database's schema up to date, and end"))
        .subcommand(
            clap::Command::new("openapi").about("Print the description of the API in OpenAPI, and end"),
        )
        .subcommand(
            clap::Command::new("metrics")
                .about("Print the description of all metrics in Markdown, and end")
                .hide(true),
        )
        .subcommand(clap::Command::new("sign-in-link").about(
            "Print a link that signs the operator in to the dashboard, once and within 15 minutes, and end",
        ))
        .subcommand(
            clap::Command::new("reseal").about(
                "Seal everything in the database under the newest key of HOOKLINE_MASTER_KEY, and end",
            ),
        );
    let flags = CommandLine::read(command, VARIABLES);
    let ended = Runtime::new()
        .map_err(|error| failed(format!("the async runtime cannot start: {error}")))
        .and_then(|runtime| {
            let ended = runtime.block_on(run(flags));
            // Taken down, it would wait for what is under way on its threads, and a name server that never answers keeps one for
            // ever. And the broker client has threads of its own, which panic when their runtime goes away under them.
            std::mem::forget(runtime);
            ended
        });
    match ended {
        Ok(()) => {
            stderr::flush();
            ExitCode::SUCCESS
        }
        Err(Failure { status, error }) => {
            stderr::last_words(&format!("hookline-console: {error}"));
            ExitCode::from(status)
        }
    }
}

/// Why the process ends, and its exit status.
#[derive(Debug)]
struct Failure {
    status: u8,
    error: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.error)
    }
}

fn failed(error: impl ToString) -> Failure {
    let error = error.to_string();
    Failure { status: 1, error }
}

async fn run(flags: CommandLine) -> Result<(), Failure> {
    // Commands end like any other; the service hears what services are told.
    let shutdown = match flags.subcommand() {
        Some(_) => Shutdown::on_signals().map_err(failed)?,
        None => Shutdown::on_service_signals().map_err(failed)?.0,
    };
    match flags.subcommand() {
        Some(healthcheck::NAME) => healthcheck::run(&flags, &HTTP_ADDR).map_err(|error| Failure {
            status: error.status(),
            error: error.to_string(),
        }),
        Some("openapi") => {
            use std::io::Write as _;
            let text = hookline_console::api::description();
            std::io::stdout().write_all(text.as_bytes()).map_err(failed)
        }
        Some("metrics") => {
            use std::io::Write as _;
            let text = hookline_common::metrics::document();
            std::io::stdout().write_all(text.as_bytes()).map_err(failed)
        }
        Some("migrate") => {
            let settings = read_store(&flags, false).map_err(|faults| wrong(faults, &flags))?;
            until_stopped(&shutdown, hookline_console::migrate(settings)).await
        }
        Some("sign-in-link") => {
            use std::io::Write as _;
            let settings = read_store(&flags, false).map_err(|faults| wrong(faults, &flags))?;
            until_stopped(&shutdown, async {
                let path = hookline_console::sign_in_path(settings).await.map_err(failed)?;
                let link = format!("{}{path}\n", hookline_console::guessed_address(&flags));
                std::io::stdout().write_all(link.as_bytes()).map_err(failed)
            })
            .await
        }
        Some(_) => {
            let settings = read_store(&flags, true).map_err(|faults| wrong(faults, &flags))?;
            until_stopped(&shutdown, async {
                let done = hookline_console::reseal(settings).await?;
                let told = format!("{} of {} endpoints were sealed anew\n", done.changed, done.all);
                stderr::writer().push(told.as_bytes());
                Ok::<_, hookline_store::StoreError>(())
            })
            .await
        }
        None => serve(flags, shutdown).await,
    }
}

async fn until_stopped<E: ToString>(
    shutdown: &Shutdown,
    work: impl Future<Output = Result<(), E>>,
) -> Result<(), Failure> {
    tokio::select! {
        done = work => done.map_err(failed),
        () = shutdown.requested() => Err(failed("stopped before it was done; run it again")),
    }
}

async fn serve(flags: CommandLine, shutdown: Shutdown) -> Result<(), Failure> {
    let settings = Settings::read(&flags).map_err(|faults| wrong(faults, &flags))?;
    let telemetry = Telemetry::start(&settings.telemetry, "hookline-console").map_err(failed)?;
    for unknown in unknown_variables(&flags) {
        warn!("{unknown}");
    }
    let address = settings.http_addr;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        failed(format!(
            "HOOKLINE_HTTP_ADDR={address} cannot be listened on: {error}"
        ))
    })?;
    hookline_console::run(settings, telemetry, listener, shutdown)
        .await
        .map_err(failed)
}

/// A setting that is missing may be there under a wrong name.
fn wrong(faults: impl ToString, flags: &CommandLine) -> Failure {
    let mut error = faults.to_string();
    for unknown in unknown_variables(flags) {
        error = format!("{error}\n  {unknown}");
    }
    Failure { status: 2, error }
}
