//! `hookline events`: what was recorded, for whoever was away; and one of them sent again.

mod list; // the feed
mod replay; // one once more

use clap::Subcommand;

use crate::error::CliError;

const AFTER_HELP: &str = "\
Examples:
  hookline events list --company acme
  hookline events list --company acme --after e2a --json
  hookline events replay evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --company acme";

/// Read a company's events in the order in which they were recorded, or send one again.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum EventsCommand {
    List(list::ListArgs),
    Replay(replay::ReplayArgs),
}

pub(crate) async fn run(command: EventsCommand) -> Result<(), CliError> {
    match command {
        EventsCommand::List(args) => list::run(&args).await,
        EventsCommand::Replay(args) => replay::run(&args).await,
    }
}
