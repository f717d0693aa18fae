//! `hookline tokens`: the tokens with which a company's own programs use the console.

mod list; // which there are
mod add; // one more
mod revoke; // no longer

use clap::Subcommand;

use crate::error::CliError;

const AFTER_HELP: &str = "\
Examples:
  hookline tokens add --company acme --name 'the booking service' --expires-in 90d
  hookline tokens list --company acme
  hookline tokens revoke tok_4d1f --company acme

A company's token sees that company alone. All of this needs the operator's token.";

/// Look after a company's API tokens.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum TokensCommand {
    List(list::ListArgs),
    Add(add::AddArgs),
    Revoke(revoke::RevokeArgs),
}

pub(crate) async fn run(command: TokensCommand) -> Result<(), CliError> {
    match command {
        TokensCommand::List(args) => list::run(&args).await,
        TokensCommand::Add(args) => add::run(&args).await,
        TokensCommand::Revoke(args) => revoke::run(&args).await,
    }
}
