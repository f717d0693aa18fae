//! `hookline tokens add`: makes a token, and prints it for this once.

use clap::Args;
use serde::Serialize;

use crate::api::{CreatedToken, Method};
use crate::commands::at_console::AtConsole;
use crate::commands::fields;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::text::json_line;

const AFTER_HELP: &str = "\
Examples:
  hookline tokens add --company acme
  hookline tokens add --company acme --name 'the booking service' --expires-in 90d
  hookline tokens add --company acme --json | jq -r .token > acme-token.txt

The console keeps no token, only a hash of it: what is printed here cannot be shown again.";

/// Make a token for a company.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    at: AtConsole,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// How long it is good for, 1m to 3650d; without end where it is left out.
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<String>,
    /// One JSON object: its id, the token, its name and its end.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct NewToken<'a> {
    name: Option<&'a str>,
    expires_in: Option<&'a str>,
}

pub(super) async fn run(args: &AddArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let ask = api.ask(Method::POST, &args.at.company, &["tokens"]);
    let new = NewToken {
        name: args.name.as_deref(),
        expires_in: args.expires_in.as_deref(),
    };
    let answer = api.answer(ask.json(&new)).await?;
    let mut out = Out::new();
    if args.json {
        out.line(&json_line(&answer.body))?;
        return Ok(out.flush()?);
    }
    let made: CreatedToken = answer.read()?;
    for line in fields::lines(&[("id", Some(made.id)), ("token", Some(made.token))]) {
        out.line(&line)?;
    }
    out.flush()?;
    out::note("keep the token now: it is shown this once");
    Ok(())
}
