//! What explains the command line: help whose examples can be pasted, however narrow the terminal is.

use std::io::IsTerminal as _;

use clap::Command;

use crate::out::Out;
use crate::settings;

/// Stands for a blank within an example until the help is printed: there clap breaks no line.
const UNBROKEN: char = '\u{a0}';

/// Keeps each example of this command and those below it on a line of its own.
pub(crate) fn with_whole_examples(command: Command) -> Command {
    let text = command.get_after_help().map(|text| pinned(&text.to_string()));
    let command = match text {
        Some(text) => command.after_help(text),
        None => command,
    };
    command.mut_subcommands(with_whole_examples)
}

/// The lines between `Examples:` and the next blank one without any place to break them.
fn pinned(text: &str) -> String {
    let mut is_example = false;
    let lines = text.lines().map(|line| {
        is_example = match line {
            "Example:" | "Examples:" => true,
            line => is_example && !line.is_empty(),
        };
        if is_example {
            line.replace(' ', &UNBROKEN.to_string())
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Help or version as it is printed where there are no colours.
#[cfg(test)]
pub(crate) fn plain(help: &clap::Error) -> String {
    help.render().to_string().replace(UNBROKEN, " ")
}

/// Prints help or version, as it was asked for.
pub(crate) fn print(help: &clap::Error) {
    let is_coloured = settings::wants_colour() && std::io::stdout().is_terminal();
    let text = help.render();
    let text = if is_coloured {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    let text = text.replace(UNBROKEN, " ");
    let text = text.trim_end_matches('\n');
    // A reader that has gone has seen enough.
    let mut out = Out::new();
    drop(out.line(text).and_then(|()| out.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_examples_are_kept_whole() {
        let text = "a b\nExamples:\n  x y 'z'\n\na b";
        assert_eq!(
            pinned(text),
            "a b\nExamples:\n\u{a0}\u{a0}x\u{a0}y\u{a0}'z'\n\na b"
        );
    }
}
