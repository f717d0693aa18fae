//! `hookline`, the operator's and developer's command. One command is one file in `commands/`.

mod args; // the command line
mod help; // what explains it
mod api; // the console, where endpoints are looked after
mod catalogue; // the types of events
mod commands; // what it can do
mod error; // how it fails
mod out; // the only place that prints
mod settings; // flags and environment
mod table; // columns that fit the terminal
mod text; // untrusted text on a terminal

use std::process::ExitCode;

use hookline_common::stderr;
use tokio::runtime::Runtime;

use crate::args::{Cli, Command};
use crate::error::CliError;

fn main() -> ExitCode {
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(answer) => return args::answer(&answer),
    };
    // An endpoints file may name variables for its secrets that are called like settings.
    let names_variables = matches!(cli.command, Command::Endpoints(_));
    if !names_variables {
        warn_of_unknown();
    }
    let ended = run(cli);
    if names_variables {
        warn_of_unknown();
    }
    // Before the error, which is the last that is told.
    stderr::flush();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    let runtime = Runtime::new().map_err(|error| {
        CliError::Failed(format!(
            "the async runtime cannot start: {error}; check the limits of this account"
        ))
    })?;
    let ended = runtime.block_on(commands::run(cli));
    // Taken down, it would wait for what is under way on its threads: for a name server that never answers, or for whoever does not
    // read. And the broker client has threads of its own, which panic when their runtime goes away under them.
    std::mem::forget(runtime);
    ended
}

/// A misspelt setting is easily taken for one that does not work.
fn warn_of_unknown() {
    if let Some(line) = settings::unknown() {
        out::note(&format!("hookline: warning: {}", text::escape(&line)));
    }
}
