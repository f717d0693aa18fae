//! `hookline dlq`: look after dead letters and rejected messages, on the broker alone.
//!
//! A queue is read by holding its messages and giving them back. One leaves it only after what replaces it is
//! confirmed, or because a person said that it may go.

mod filter; // which of them are meant
mod letter; // what one of them is
mod list; // all of them, a line each
mod purge; // away with them
mod retry; // once more from the first attempt on
mod show; // one of them in full
mod sweep; // reading the queue from end to end

use clap::{Args, Subcommand, ValueEnum};
use hookline_common::topology::Queue;
use hookline_producer::EventId;

use crate::error::CliError;
use crate::settings::Flags;
use filter::FilterArgs;

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

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Stop after so many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The event's id.
    #[arg(value_name = "EVENT_ID")]
    id: EventId,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// Ids of events; all their endpoints unless --endpoint says which.
    #[arg(
        value_name = "EVENT_ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    ids: Vec<EventId>,
    /// Every one that the filters let through.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PurgeArgs {
    /// Ids of events; every one that the filters let through by default.
    #[arg(value_name = "EVENT_ID")]
    ids: Vec<EventId>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Which of the two queues is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// Dead letters: their last retry failed, or their endpoint is disabled.
    Failed,
    /// Messages that could not be understood, or that crashed their consumers.
    Rejected,
}

impl Which {
    fn queue(self) -> Queue {
        match self {
            Self::Failed => Queue::Failed,
            Self::Rejected => Queue::Rejected,
        }
    }

    /// What a command needs to look after this queue.
    fn flag(self) -> &'static str {
        match self {
            Self::Failed => "",
            Self::Rejected => " --queue rejected",
        }
    }

    /// Where a message may be that is not in the queue.
    fn elsewhere(self) -> &'static str {
        match self {
            Self::Failed => "it may be delivered, still be retried, or be removed already",
            Self::Rejected => "it may have been retried or removed already",
        }
    }

    /// What so many of its messages are called.
    fn count(self, number: u64) -> String {
        let plural = if number == 1 { "" } else { "s" };
        match self {
            Self::Failed => format!("{number} dead letter{plural}"),
            Self::Rejected => format!("{number} rejected message{plural}"),
        }
    }
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
