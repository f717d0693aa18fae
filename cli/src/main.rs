//! `hookline`, the operator's and developer's command. One command is one file in `commands/`.

mod args; // the command line
mod help; // what explains it
mod commands; // what it can do
mod error; // how it fails
mod management; // what the broker tells besides AMQP
mod out; // the only place that prints
mod settings; // flags and environment
mod table; // columns that fit the terminal
mod text; // untrusted text on a terminal

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(answer) => return args::answer(&answer),
    };
    match commands::run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
