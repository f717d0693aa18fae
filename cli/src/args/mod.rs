//! The command line, and what is answered to one that cannot be understood.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::commands::{
    certify, completions, deliveries, dlq, endpoints, event_types, events, failed, listen, man, problems,
    publish, relay, sign, status, tail, tokens, topology, verify,
};
use crate::error::CliError;
use crate::help::{print, with_whole_examples};
use crate::settings::Flags;
use crate::{out, text};

const AFTER_HELP: &str = "\
Examples:
  hookline topology apply
  hookline listen --port 9000 --secret whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD
  hookline publish --sample booking.created
  hookline relay --list-aside
  hookline tail --company acme
  hookline status
  hookline dlq list --since 2h
  hookline dlq retry --all --company acme
  hookline failed list --company acme
  hookline failed retry --all --company acme --dry-run
  hookline event-types list
  hookline endpoints list --company acme
  hookline endpoints check endpoints.toml
  hookline problems --company acme
  hookline deliveries list --company acme --status failed
  hookline certify https://crm.example.com/hooks --secret-file s

`hookline COMMAND --help` has more of each.

Settings that may hold a secret have no flag:
  HOOKLINE_AMQP_URL (or HOOKLINE_AMQP_URL_FILE, the path of a file that holds it)
      The broker: amqp:// or amqps://user:password@host:port/vhost [default: amqp://guest:guest@127.0.0.1:5672/%2f]
  HOOKLINE_OUTBOX_DATABASE_URL (or HOOKLINE_OUTBOX_DATABASE_URL_FILE)
      The database of a booking service's outbox, for relay: postgres://user:password@host:5432/database
  HOOKLINE_MANAGEMENT_URL (or HOOKLINE_MANAGEMENT_URL_FILE)
      RabbitMQ's management API, for what AMQP does not tell: http://user:password@host:15672
  HOOKLINE_API_TOKEN (or HOOKLINE_API_TOKEN_FILE)
      The token that endpoints, deliveries, problems, failed, events and tokens show to the console at
      HOOKLINE_API_URL
RUST_LOG=info or debug tells on stderr what goes on with the broker. NO_COLOR=1 leaves out colours.

Exit status: 0 done, 1 failed, 2 usage or settings.";

/// The commands that use the broker, and what the help of each and of those below it says of that.
const AT_BROKER: [&str; 6] = ["publish", "relay", "status", "dlq", "tail", "topology"];
const WHICH_BROKER: &str =
    "The broker is the one at HOOKLINE_AMQP_URL; `hookline --help` tells its form and its default.";

/// The commands that ask the console, but for what is below them and does not, and what their help says of that.
const AT_CONSOLE: [&str; 6] = [
    "endpoints",
    "deliveries",
    "problems",
    "failed",
    "events",
    "tokens",
];
const OFFLINE: &str = "check";
const WHICH_CONSOLE: &str = "The console is the one at HOOKLINE_API_URL; the token is that of HOOKLINE_API_TOKEN, or of the \
                             file that HOOKLINE_API_TOKEN_FILE names.";

/// Publish events, receive them in development, and look after dead letters and the broker's queues.
#[derive(Debug, Parser)]
#[command(
    name = "hookline",
    version,
    propagate_version = true,
    subcommand_required = true
)]
#[command(arg_required_else_help = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands, in the order in which an event meets what they do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Publish(AtBroker<publish::PublishArgs>),
    Relay(AtBroker<relay::RelayArgs>),
    Listen(listen::ListenArgs),
    Status(AtBroker<status::StatusArgs>),
    Dlq(GroupAtBroker<dlq::DlqCommand>),
    Tail(AtBroker<tail::TailArgs>),
    Topology(GroupAtBroker<topology::TopologyCommand>),
    #[command(subcommand)]
    EventTypes(event_types::EventTypesCommand),
    #[command(subcommand)]
    Endpoints(endpoints::EndpointsCommand),
    #[command(subcommand)]
    Failed(failed::FailedCommand),
    #[command(subcommand)]
    Deliveries(deliveries::DeliveriesCommand),
    Problems(problems::ProblemsArgs),
    #[command(subcommand)]
    Events(events::EventsCommand),
    #[command(subcommand)]
    Tokens(tokens::TokensCommand),
    Sign(sign::SignArgs),
    Verify(verify::VerifyArgs),
    Certify(certify::CertifyArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

// No comments for rustdoc on these two: clap would take them for the commands' own help.
//
// A command that uses the broker, with the flags that say which.
#[derive(Debug, Args)]
pub(crate) struct AtBroker<A: Args> {
    // First, for the command's own words count last.
    #[command(flatten)]
    pub(crate) flags: Flags,
    #[command(flatten)]
    pub(crate) args: A,
}

// Commands that do.
#[derive(Debug, Args)]
pub(crate) struct GroupAtBroker<C: Subcommand> {
    #[command(flatten)]
    pub(crate) flags: Flags,
    #[command(subcommand)]
    pub(crate) command: C,
}

impl Cli {
    /// What is to be done; refuses flags before the command's name that the command has no use for. One that has takes them
    /// from there as well as from behind its name.
    pub(crate) fn into_command(self) -> Result<Command, CliError> {
        let name = match &self.command {
            Command::Publish(_)
            | Command::Relay(_)
            | Command::Status(_)
            | Command::Dlq(_)
            | Command::Tail(_)
            | Command::Topology(_) => return Ok(self.command),
            Command::Listen(_) => "listen",
            Command::EventTypes(_) => "event-types",
            Command::Endpoints(_) => "endpoints",
            Command::Failed(_) => "failed",
            Command::Deliveries(_) => "deliveries",
            Command::Problems(_) => "problems",
            Command::Events(_) => "events",
            Command::Tokens(_) => "tokens",
            Command::Sign(_) => "sign",
            Command::Verify(_) => "verify",
            Command::Certify(_) => "certify",
            Command::Completions(_) => "completions",
            Command::Man(_) => "man",
        };
        match self.flags.first_given() {
            None => Ok(self.command),
            Some(flag) => Err(CliError::Usage(format!(
                "--{flag} does nothing for `hookline {name}`, which uses no broker; leave it out"
            ))),
        }
    }
}

/// The whole command line, with help whose examples can be pasted.
pub(crate) fn command() -> clap::Command {
    // The flags of the commands are taken at any place behind the command's name; those before it are for all that have them.
    let whole = Cli::command()
        .mut_arg("namespace", |flag| flag.global(false))
        .mut_arg("amqp_ca_file", |flag| flag.global(false));
    let whole = AT_BROKER.into_iter().fold(whole, |whole, name| {
        whole.mut_subcommand(name, |command| naming(WHICH_BROKER, command))
    });
    let whole = AT_CONSOLE.into_iter().fold(whole, |whole, name| {
        whole.mut_subcommand(name, |command| naming(WHICH_CONSOLE, command))
    });
    with_whole_examples(whole)
}

/// The command and those below it, with words at the end of their help that say whom they ask.
fn naming(whom: &'static str, command: clap::Command) -> clap::Command {
    if command.get_name() == OFFLINE && whom == WHICH_CONSOLE {
        return command;
    }
    let help = match command.get_after_help() {
        Some(help) => format!("{help}\n\n{whom}"),
        None => whom.to_owned(),
    };
    command
        .after_help(help)
        .mut_subcommands(|below| naming(whom, below))
}

/// Reads the arguments of this program, the program's own name included.
pub(crate) fn parse<T: Into<OsString> + Clone>(
    arguments: impl IntoIterator<Item = T>,
) -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command()))
}

/// Prints help or version where they were asked for, else why the command line is not understood, on one
/// line.
pub(crate) fn answer(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => print(error),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            out::error(&without_command(&error.render().to_string()));
        }
        _ => out::error(&on_one_line(&error.render().to_string())),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// What is told where a command is missing; `rendered` is the help of what was called.
fn without_command(rendered: &str) -> String {
    let usage = rendered.lines().find_map(|line| line.strip_prefix("Usage: "));
    let words = usage.unwrap_or("hookline").split_whitespace();
    let called: Vec<&str> = words.take_while(|word| !word.starts_with(['[', '<'])).collect();
    format!("no command is given; `{} --help` lists them", called.join(" "))
}

/// Clap's paragraphs: what is wrong, tips, the usage, and where help is.
fn on_one_line(rendered: &str) -> String {
    let paragraphs = rendered.split("\n\n").map(|paragraph| {
        let words: Vec<&str> = paragraph.split_whitespace().collect();
        words.join(" ")
    });
    let parts: Vec<String> = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect();
    text::escape(parts.join("; ").trim_start_matches("error: "))
}

#[cfg(test)]
mod tests;
