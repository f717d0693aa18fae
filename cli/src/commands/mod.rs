//! The commands, in the order in which an event meets what they do.

pub(crate) mod dlq; // what could not be delivered or understood
pub(crate) mod listen; // a receiver for development
pub(crate) mod status; // how all stands
pub(crate) mod publish; // an event enters
pub(crate) mod relay; // or comes out of a database
pub(crate) mod event_types; // which kinds of them there are
pub(crate) mod tail; // attempts, as they are made
pub(crate) mod topology; // the queues on the way
pub(crate) mod endpoints; // where they end
pub(crate) mod failed; // what failed there for good, and once more
pub(crate) mod deliveries; // what became of them there
pub(crate) mod problems; // what of it somebody must mend
pub(crate) mod events; // for whoever was away
pub(crate) mod tokens; // who may look after them
pub(crate) mod sign; // the headers that prove who sent it
pub(crate) mod verify; // whether they hold
pub(crate) mod certify; // whether a receiver checks that, and takes what must be taken
pub(crate) mod completions; // what the shell knows of all this
pub(crate) mod man; // what `man` shows of it
mod at_console; // whose things, at which console
mod rows; // a list of them
mod consent; // whether a person means it
mod guard_flags; // where requests may go
mod fields; // one thing with its properties
mod signals; // how a command that runs on is ended
mod times; // when, and how long ago

use crate::args::{Cli, Command, command};
use crate::error::CliError;
use crate::settings;

/// Does what the command line asks for.
pub(crate) async fn run(cli: Cli) -> Result<(), CliError> {
    settings::start_logs()?;
    match cli.into_command()? {
        Command::Publish(at) => publish::run(at.args, &at.flags).await,
        Command::Relay(at) => relay::run(at.args, &at.flags).await,
        Command::Listen(args) => listen::run(args).await,
        Command::Status(at) => status::run(at.args, &at.flags).await,
        Command::Dlq(at) => dlq::run(at.command, &at.flags).await,
        Command::Tail(at) => tail::run(at.args, &at.flags).await,
        Command::Topology(at) => topology::run(at.command, &at.flags).await,
        Command::EventTypes(command) => event_types::run(&command),
        Command::Endpoints(command) => endpoints::run(command).await,
        Command::Failed(command) => failed::run(command).await,
        Command::Deliveries(command) => deliveries::run(command).await,
        Command::Problems(args) => problems::run(&args).await,
        Command::Events(command) => events::run(command).await,
        Command::Tokens(command) => tokens::run(command).await,
        Command::Sign(args) => sign::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Certify(args) => certify::run(args).await,
        Command::Completions(args) => completions::run(&args, command()),
        Command::Man(args) => man::run(&args, command()),
    }
}
