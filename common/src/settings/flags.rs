//! The command line of a service: one flag for each setting that is no secret.

use std::io::Write as _;
use std::process;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Environment, NotText, SettingSource, Variable};
use crate::manual;

/// Prints the manual page; for packages, so it is not in `--help`.
const MAN: &str = "man";

/// The command line and the environment; a flag wins over its variable.
pub struct CommandLine {
    flags: ArgMatches,
}

impl CommandLine {
    /// Reads this process's arguments. `--help` and `--version` print and end it; an unknown flag ends it with 2.
    #[must_use]
    pub fn read(command: Command, variables: &[Variable]) -> Self {
        let command = with_flags(command, variables);
        let man = Arg::new(MAN).long(MAN).action(ArgAction::SetTrue).hide(true);
        let flags = command.clone().arg(man).get_matches();
        if flags.get_flag(MAN) {
            let printed = manual::page(&command, "8").and_then(|page| std::io::stdout().write_all(&page));
            process::exit(i32::from(printed.is_err()));
        }
        Self { flags }
    }

    /// The subcommand that was given, if any.
    #[must_use]
    pub fn subcommand(&self) -> Option<&str> {
        self.flags.subcommand_name()
    }
}

impl SettingSource for CommandLine {
    fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
        Environment.variable(name)
    }

    fn names(&self) -> Vec<String> {
        Environment.names()
    }

    fn flag(&self, flag: &str) -> Option<String> {
        self.flags.try_get_one::<String>(flag).ok().flatten().cloned()
    }
}

/// Adds a flag for each variable, and tells of those that have none.
#[must_use]
pub fn with_flags(command: Command, variables: &[Variable]) -> Command {
    let plain = variables.iter().filter(|variable| !variable.is_secret);
    let command = plain.fold(command, |command, variable| {
        let default = variable
            .default
            .map(|default| format!(", default: {default}"))
            .unwrap_or_default();
        let help = format!("{} [env: {}{default}]", variable.help, variable.name);
        command.arg(
            Arg::new(variable.flag())
                .long(variable.flag())
                .value_name("VALUE")
                .help(help),
        )
    });
    let secrets = variables.iter().filter(|variable| variable.is_secret);
    let lines = secrets.map(|variable| {
        // The one that everybody may know, and never what is set.
        let default = variable
            .default
            .map(|default| format!(" [default: {default}]"))
            .unwrap_or_default();
        format!(
            "  {0} (or {0}_FILE, the path of a file that holds it)\n      {1}{default}\n",
            variable.name, variable.help
        )
    });
    let lines: String = lines.collect();
    if lines.is_empty() {
        return command;
    }
    command.after_help(format!("Settings that may hold a secret have no flag:\n{lines}"))
}

#[cfg(test)]
mod tests {
    use super::super::variables;
    use super::*;

    #[test]
    fn help_tells_the_default_of_each_variable_that_has_one() {
        let help = with_flags(Command::new("it"), variables::ALL)
            .render_help()
            .to_string();
        // On one line, wherever it was wrapped.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let with_default = variables::ALL
            .iter()
            .filter_map(|variable| Some((variable, variable.default?)));
        for (variable, default) in with_default {
            let told = if variable.is_secret {
                format!("{} [default: {default}]", variable.help)
            } else {
                format!("[env: {}, default: {default}]", variable.name)
            };
            assert!(help.contains(&told), "{told} in\n{help}");
        }
    }
}
