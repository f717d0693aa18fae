//! `hookline dlq`: look after dead letters and rejected messages, on the broker alone.
//!
//! A queue is read by holding its messages and giving them back. One leaves it only after what replaces it is
//! confirmed, or because a person said that it may go.

mod kind; // which of the two queues
mod sender; // who sent what was rejected
mod dead_letter; // one of its messages
mod filter; // which messages are meant
mod scan; // reading the queue from end to end
mod list; // all of them, a line each
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
  hookline dlq show evt_0190…
  hookline dlq retry evt_0190… --endpoint ep_crm
  hookline dlq retry --all --type 'booking.*'
  hookline dlq list --queue rejected --json | jq -r .rejected_reason | sort | uniq -c

Reading holds the messages and gives them back in their old order; while it lasts nobody else sees them. What \
other consumers hold (the console files dead letters away) is not seen here.";

const RETRY_HELP: &str = "\
A dead letter becomes a fresh delivery to its endpoint, attempt 1 of the whole schedule, and leaves the queue \
only after the broker has confirmed that delivery: killed in between it is in both, and never in none.
--all takes what was there at the start; what fails again meanwhile waits for the next time.

With --queue rejected a message goes back where it was: an event to the events exchange, a delivery to its \
endpoint. One that still cannot be understood would only be rejected again, so it is left where it is and named: \
publish the event anew as it should be, and purge this one.";

/// Look after dead letters (deliveries whose last retry failed) and rejected messages.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum DlqCommand {
    /// List them, oldest first.
    List(ListArgs),
    /// Show all deliveries of one event, with their data.
    Show(ShowArgs),
    /// Deliver again, from the first attempt on.
    #[command(after_help = RETRY_HELP)]
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
