//! `hookline man`: the manual pages of these commands, for `man` itself and for packages.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use hookline_common::manual;

use crate::error::CliError;
use crate::out::Out;

/// Where the manual has programs that anybody may run.
const SECTION: &str = "1";

const AFTER_HELP: &str = "\
Examples:
  hookline man | man -l -
  hookline man dlq retry | man -l -
  hookline man --dir ~/.local/share/man/man1

The pages say what --help says.";

/// Print the manual page of a command, or write those of all commands into a folder.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ManArgs {
    /// The command, like `dlq retry`; without one the page is that of `hookline` itself.
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    words: Vec<String>,
    /// Write the pages of all commands into this folder, which is made where it is missing.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the page, or writes all of them; `command` is the whole command line.
pub(crate) fn run(args: &ManArgs, command: Command) -> Result<(), CliError> {
    let mut whole = command.disable_help_subcommand(true);
    // So that each command below knows its full name.
    whole.build();
    if let Some(dir) = &args.dir {
        return fs::create_dir_all(dir)
            .and_then(|()| write_all(&whole, dir))
            .map_err(|error| {
                CliError::Failed(format!("no pages can be written to {}: {error}", dir.display()))
            });
    }
    let mut wanted = &whole;
    for word in &args.words {
        wanted = wanted.find_subcommand(word).ok_or_else(|| {
            CliError::Usage(format!(
                "there is no command `hookline {}`; `hookline --help` lists them",
                args.words.join(" ")
            ))
        })?;
    }
    let page = manual::page(wanted, SECTION)?;
    let mut out = Out::new();
    out.line(String::from_utf8_lossy(&page).trim_end())?;
    Ok(out.flush()?)
}

fn write_all(command: &Command, dir: &Path) -> std::io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    fs::write(
        dir.join(format!("{name}.{SECTION}")),
        manual::page(command, SECTION)?,
    )?;
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    below.into_iter().try_for_each(|below| write_all(below, dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each command's full name, by the way it is reached.
    fn names(command: &Command, above: &str, found: &mut Vec<String>) {
        let name = format!("{above}{}", command.get_name());
        for below in command.get_subcommands() {
            names(below, &format!("{name}-"), found);
        }
        found.push(format!("{name}.1"));
    }

    #[test]
    fn every_command_has_a_page_and_no_other_is_written() {
        let dir = std::env::temp_dir().join(format!("hookline-man-{}", std::process::id()));
        let args = ManArgs {
            words: Vec::new(),
            dir: Some(dir.clone()),
        };
        run(&args, crate::args::command()).unwrap();
        let mut wanted = Vec::new();
        names(&crate::args::command(), "", &mut wanted);
        let mut written: Vec<String> = fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let page = fs::read_to_string(dir.join("hookline-dlq-retry.1")).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        wanted.sort();
        written.sort();
        assert_eq!(written, wanted);
        assert!(
            page.contains(".SH EXAMPLES") && page.contains("hookline dlq retry"),
            "{page}"
        );
        assert!(!page.contains('\u{a0}'), "{page}");
    }
}
