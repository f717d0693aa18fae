//! `hookline event-types`: which types of events there are, and what a receiver gets of them. Offline.

mod list; // all of them
mod show; // one in full

use clap::Subcommand;

use crate::error::CliError;

const AFTER_HELP: &str = "\
Examples:
  hookline event-types list
  hookline event-types show booking.created --format meetergo";

/// See which types of events there are, and what receivers get of them.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum EventTypesCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
}

pub(crate) fn run(command: &EventTypesCommand) -> Result<(), CliError> {
    match command {
        EventTypesCommand::List(args) => list::run(args),
        EventTypesCommand::Show(args) => show::run(args),
    }
}
