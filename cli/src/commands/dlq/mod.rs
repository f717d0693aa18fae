//! `hookline dlq`: look after dead letters and rejected messages, on the broker alone.
//!
//! A queue is read by holding its messages and giving them back. One leaves it only after what replaces it is
//! confirmed, or because a person said that it may go.

mod kind; // which of the two queues
mod sender; // who sent what was rejected
mod dead_letter; // one of its messages
mod filter; // which messages are meant
mod scan; // reading the queue from end to end
mod summary; // how many of which endpoint and reason
mod list; // all of them, a line each
mod history; // what became of an event's attempts
mod show; // one of them in full
mod retry; // deliver them again, from the first attempt on
mod purge; // remove them for good

use clap::Subcommand;

use crate::error::CliError;
use crate::settings::Flags;
use list::ListArgs;
use purge::PurgeArgs;
use retry::RetryArgs;
use show::ShowArgs;

const AFTER_HELP: &str = "\
Examples:
  hookline dlq list --company acme --since 2h
  hookline dlq show evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4
  hookline dlq retry evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --endpoint ep_crm
  hookline dlq retry --all --type 'booking.*'
  hookline dlq purge evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4

Reading holds the messages and gives them back in their old order; while it lasts nobody else sees them. What \
other consumers hold is not seen here. Where a console runs, it files dead letters: `hookline failed` has them then.";

/// Look after dead letters (deliveries whose last retry failed) and rejected messages.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum DlqCommand {
    /// List them, oldest first.
    List(ListArgs),
    /// Show all deliveries of one event, with their data.
    Show(ShowArgs),
    /// Deliver again, from the first attempt on.
    Retry(RetryArgs),
    /// Remove for good.
    Purge(PurgeArgs),
}

pub(crate) async fn run(command: DlqCommand, flags: &Flags) -> Result<(), CliError> {
    let broker = flags.broker()?;
    match command {
        DlqCommand::List(args) => list::run(args, &broker).await,
        DlqCommand::Show(args) => show::run(args, &broker).await,
        DlqCommand::Retry(args) => retry::run(args, &broker).await,
        DlqCommand::Purge(args) => purge::run(args, &broker).await,
    }
}
