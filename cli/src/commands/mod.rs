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
mod signals; // how a command that runs on is ended

use clap::CommandFactory as _;

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
        Command::Completions(args) => completions::run(&args, Cli::command()),
    }
}
