//! `hookline endpoints`: where companies want their events. All but `check` ask the console.

mod file; // a file of them, as it is read
mod check; // a file of them, offline
mod list; // which there are
pub(crate) mod add; // one more
mod show; // one in full
mod pause; // and its opposite
mod remove; // for good
mod rotate; // a new secret
mod send_test; // a sample of an event
mod import; // a file of them, into the console

use clap::Subcommand;

use crate::error::CliError;

const AFTER_HELP: &str = "\
Examples:
  hookline endpoints add --company acme --url https://crm.example.com/hooks --events 'booking.*'
  hookline endpoints list --company acme
  hookline endpoints test ep_crm --company acme --type booking.created --wait 10s
  hookline endpoints import endpoints.toml
  hookline endpoints check endpoints.toml";

/// Look after endpoints at the console, or check a file of them.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum EndpointsCommand {
    List(list::ListArgs),
    Add(add::AddArgs),
    Show(show::ShowArgs),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Remove(remove::RemoveArgs),
    Rotate(rotate::RotateArgs),
    Test(send_test::TestArgs),
    Import(import::ImportArgs),
    Check(check::CheckArgs),
}

pub(crate) async fn run(command: EndpointsCommand) -> Result<(), CliError> {
    match command {
        EndpointsCommand::List(args) => list::run(&args).await,
        EndpointsCommand::Add(args) => add::run(&args).await,
        EndpointsCommand::Show(args) => show::run(&args).await,
        EndpointsCommand::Pause(args) => pause::pause(&args).await,
        EndpointsCommand::Resume(args) => pause::resume(&args).await,
        EndpointsCommand::Remove(args) => remove::run(&args).await,
        EndpointsCommand::Rotate(args) => rotate::run(&args).await,
        EndpointsCommand::Test(args) => send_test::run(&args).await,
        EndpointsCommand::Import(args) => import::run(&args).await,
        EndpointsCommand::Check(args) => check::run(&args),
    }
}
