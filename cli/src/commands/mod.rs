//! The commands, in the order in which an event meets what they do.

pub(crate) mod dlq; // what could not be delivered or understood
pub(crate) mod listen; // a receiver for development
pub(crate) mod publish; // an event enters
pub(crate) mod tail; // attempts, as they are made
pub(crate) mod topology; // the queues on the way
pub(crate) mod endpoints; // where they end
pub(crate) mod sign; // the headers that prove who sent it
pub(crate) mod verify; // whether they hold
pub(crate) mod completions; // what the shell knows of all this

use hookline_common::shutdown::Shutdown;

use crate::args::{Cli, Command};
use crate::error::CliError;
use crate::settings;

/// Does what the command line asks for.
pub(crate) async fn run(cli: Cli) -> Result<(), CliError> {
    settings::start_logs()?;
    let Cli { flags, command } = cli;
    match command {
        Command::Publish(args) => publish::run(args, &flags).await,
        Command::Listen(args) => listen::run(args).await,
        Command::Dlq(command) => dlq::run(command, &flags).await,
        Command::Tail(args) => tail::run(args, &flags).await,
        Command::Topology(command) => topology::run(command, &flags).await,
        Command::Endpoints(command) => endpoints::run(&command),
        Command::Sign(args) => sign::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Ctrl-C and SIGTERM, so that what was begun can be ended in order. A second one ends the process at once.
fn on_signals() -> Result<Shutdown, CliError> {
    let cannot = |error| {
        CliError::Failed(format!(
            "signals cannot be listened for: {error}; check the limits of this account"
        ))
    };
    Shutdown::on_signals().map_err(cannot)
}
