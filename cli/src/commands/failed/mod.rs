//! `hookline failed`: dead letters that the console has filed.

mod filter; // which are meant
mod list; // all of them, a line each
mod show; // one of them in full
mod retry; // deliver them again, from the first attempt on
mod discard; // remove them for good
mod views; // what the console answers

use clap::Subcommand;

use crate::error::CliError;

const AFTER_HELP: &str = "\
Examples:
  hookline failed list --company acme --since 2h
  hookline failed show evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --endpoint ep_crm --company acme
  hookline failed retry evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --company acme
  hookline failed retry --all --company acme --endpoint ep_crm --dry-run
  hookline failed discard evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --endpoint ep_crm --company acme

They stay until they are delivered or discarded. Where no console runs, `hookline dlq` looks after them on the broker.";

/// Look after what failed for good, as the console keeps it.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum FailedCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Retry(retry::RetryArgs),
    Discard(discard::DiscardArgs),
}

pub(crate) async fn run(command: FailedCommand) -> Result<(), CliError> {
    match command {
        FailedCommand::List(args) => list::run(&args).await,
        FailedCommand::Show(args) => show::run(&args).await,
        FailedCommand::Retry(args) => retry::run(&args).await,
        FailedCommand::Discard(args) => discard::run(&args).await,
    }
}
