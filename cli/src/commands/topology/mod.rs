//! `hookline topology`: make the exchange and the queues so, or tell how they differ.

mod args; // what is asked for, and where
mod apply; // made so
mod check; // compared
mod trouble; // what is wrong
mod policies; // with policies
mod replicas; // with replicas
mod judge; // with all of them
mod print; // as lines

use clap::Subcommand;

use self::args::{ApplyArgs, CheckArgs};
use crate::error::CliError;
use crate::settings::Flags;

const AFTER_HELP: &str = "\
Examples:
  hookline topology apply
  hookline topology apply --migrate
  hookline topology apply --replicas 3
  hookline topology check && echo as it must be
  hookline topology check --retry-schedule 1m,5m,30m --json

Producers and dispatchers declare what they need by themselves; this is for accounts that may not, and for \
looking.
Each delay of the retry schedule has a queue of its own: give the schedule that the dispatchers have, \
and HOOKLINE_ATTEMPTS_MAX_BYTES, which has no flag here.

Migrate puts a new queue in the place of one that exists with other arguments, and moves its messages: none is \
lost, and their order stays. Stop the dispatchers before; producers may go on. A run that is ended at any point is \
gone on with by the next one.

Check creates nothing but the binding of the events queue, which a broker cannot be asked for and which is made \
again. With HOOKLINE_MANAGEMENT_URL (RabbitMQ's management API: http://user:password@host:15672) it also sees \
policies, replicas and leaders.";

const AFTER_HELP_OF_APPLY: &str = "\
Examples:
  hookline topology apply
  # stop the dispatchers before; producers may go on
  hookline topology apply --migrate
  # wait until three nodes run
  hookline topology apply --replicas 3 --wait 5m";

const AFTER_HELP_OF_CHECK: &str = "\
Examples:
  hookline topology check && echo as it must be
  hookline topology check --retry-schedule 1m,5m,30m --json";

/// Create the exchange and the queues on the broker, or check them.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum TopologyCommand {
    /// Create what is missing and print what stands; changes nothing that exists, unless asked to migrate.
    #[command(after_help = AFTER_HELP_OF_APPLY)]
    Apply(ApplyArgs),
    /// Compare, and print what was found: exit status 1 names every difference and the way out.
    #[command(after_help = AFTER_HELP_OF_CHECK)]
    Check(CheckArgs),
}

pub(crate) async fn run(command: TopologyCommand, flags: &Flags) -> Result<(), CliError> {
    match command {
        TopologyCommand::Apply(args) => apply::run(&args, flags).await,
        TopologyCommand::Check(args) => check::run(&args, flags).await,
    }
}
