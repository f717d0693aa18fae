//! `hookline deliveries`: what became of events, as the console's log has it.

mod list; // which there are
mod show; // one in full

use clap::Subcommand;

use crate::error::CliError;

const AFTER_HELP: &str = "\
Examples:
  hookline deliveries list --company acme --status failed --since 2h
  hookline deliveries show evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 ep_crm --company acme";

/// See what became of events at endpoints.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum DeliveriesCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
}

pub(crate) async fn run(command: DeliveriesCommand) -> Result<(), CliError> {
    match command {
        DeliveriesCommand::List(args) => list::run(&args).await,
        DeliveriesCommand::Show(args) => show::run(&args).await,
    }
}
