//! `hookline completions`: what a shell needs to complete these commands.

use clap::{Args, ValueEnum};
use clap_complete::generate;

use crate::error::CliError;
use crate::out::Out;

const AFTER_HELP: &str = "\
Examples:
  source <(hookline completions bash)
  hookline completions bash > ~/.local/share/bash-completion/completions/hookline
  hookline completions zsh > \"${fpath[1]}/_hookline\"
  hookline completions fish > ~/.config/fish/completions/hookline.fish

The first is for this shell alone, the others for those that start later. Print it again after an update: the commands may \
have changed.";

/// Print what a shell needs to complete these commands.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl From<Shell> for clap_complete::Shell {
    fn from(shell: Shell) -> Self {
        match shell {
            Shell::Bash => Self::Bash,
            Shell::Zsh => Self::Zsh,
            Shell::Fish => Self::Fish,
        }
    }
}

/// Prints the script for `command`, which is the whole command line.
pub(crate) fn run(args: &CompletionsArgs, mut command: clap::Command) -> Result<(), CliError> {
    // Into memory first: the generator panics where it cannot write, as into a closed pipe.
    let mut script = Vec::new();
    generate(
        clap_complete::Shell::from(args.shell),
        &mut command,
        "hookline",
        &mut script,
    );
    let mut out = Out::new();
    out.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(out.flush()?)
}
