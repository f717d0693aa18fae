//! The commands, in the order in which an event meets what they do.

pub(crate) mod dlq; // what could not be delivered or understood
pub(crate) mod listen; // a receiver for development
pub(crate) mod publish; // an event enters
pub(crate) mod topology; // the queues on the way

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
        Command::Topology(command) => topology::run(command, &flags).await,
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
