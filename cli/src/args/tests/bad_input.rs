//! Any arguments at all: they are a command, or it is said on one line why not, and no secret is repeated.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use hookline_cases::{Mutations, Random, lines, mutated, run};

use super::*;

const CORPUS: &str = include_str!("command_lines.txt");
/// Stands where a secret does.
const MARKER: &str = "MARKER-0123456789abcdef";
const WORDS: [&str; 20] = [
    "-",
    "--",
    "=",
    ",",
    "@",
    "*",
    ".",
    "1",
    "h",
    "d",
    "help",
    "all",
    "json",
    "http://",
    "evt_",
    "{}",
    "%",
    "company",
    "2024-01-15T14:30:00Z",
    "é",
];
/// What is said of the rules takes no more, besides what is repeated of the arguments.
const MOST_OWN_BYTES: usize = 4_000;

#[test]
fn fuzz_arguments_are_a_command_or_it_is_said_on_one_line_why_not() {
    let mut whole = command();
    whole.build();
    let mut commands = Vec::new();
    all(&whole, &[], &mut commands);
    let flags: Vec<String> = commands
        .iter()
        .flat_map(|(_, command)| command.get_arguments())
        .filter_map(|argument| argument.get_long().map(|name| format!("--{name}")))
        .collect();
    let names: Vec<String> = commands
        .iter()
        .filter_map(|(words, _)| words.last().cloned())
        .collect();
    // Each command as its own help shows it, and what was found besides.
    let mut corpus: Vec<Vec<String>> = commands
        .iter()
        .flat_map(|(words, _)| examples(&shown(words, 200)))
        .collect();
    corpus.extend(
        lines(CORPUS)
            .iter()
            .map(|line| line.split(' ').map(str::to_owned).collect()),
    );
    run("arguments", 1_000, &["taken", "refused"], |random| {
        let line = &corpus[random.below(corpus.len())];
        let words = changed(random, line, &[&flags, &names]);
        let matches = whole.try_get_matches_from_mut(&words);
        match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
            Ok(cli) => {
                if let Err(error) = cli.into_command() {
                    check_line(&on_one_line(&error.to_string()), &words);
                }
                "taken"
            }
            Err(error) if error.use_stderr() => {
                // How it is said is worked out at length, and much alike: one in some shows it.
                if random.one_in(16) {
                    check_line(&on_one_line(&error.render().to_string()), &words);
                }
                "refused"
            }
            Err(_) => "help",
        }
    });
}

fn check_line(line: &str, words: &[OsString]) {
    let given: usize = words.iter().map(|word| word.len()).sum();
    // What is repeated may be written out as escapes, and stands there once or twice.
    assert!(
        line.len() <= MOST_OWN_BYTES + 20 * given,
        "{} bytes of {words:?}",
        line.len()
    );
    assert!(!line.chars().any(char::is_control), "{line:?} of {words:?}");
    // Where a secret stands behind its flag it is known as one; elsewhere it is a word like any other. To `show`, the flag says
    // that the secret is to be shown.
    let is_behind_flag = words
        .iter()
        .zip(words.iter().skip(1))
        .all(|(before, word)| word != MARKER || before == "--secret");
    if is_behind_flag && !words.iter().any(|word| word == "--" || word == "show") {
        assert!(!line.contains(MARKER), "{line} of {words:?}");
    }
}

/// The words of a command line, some of them missing, moved, changed, or other ones.
fn changed(random: &mut Random, line: &[String], others: &[&[String]]) -> Vec<OsString> {
    let mut words: Vec<OsString> = line.iter().map(OsString::from).collect();
    for _ in 0..random.below(5) {
        let at = random.below(words.len());
        match random.below(9) {
            0 if at > 0 => drop(words.remove(at)),
            1 => {
                let from = random.below(words.len());
                words.swap(at, from);
            }
            2 => words.insert(at, words[random.below(words.len())].clone()),
            3 => {
                let several = others[random.below(others.len())];
                words.insert(at + 1, several[random.below(several.len())].clone().into());
            }
            4 => words.insert(at + 1, "--".into()),
            5 => words.insert(at + 1, OsString::from_vec(vec![b'a', 0xff, random.octet()])),
            6 => words.extend(["--secret", MARKER].map(OsString::from)),
            7 if random.one_in(50) => words.extend(vec![words[at].clone(); 300]),
            _ => {
                let kept = [words[at].to_string_lossy().into_owned()];
                words[at] = mutated(
                    random,
                    &kept,
                    Mutations {
                        words: &WORDS,
                        max_bytes: 300,
                    },
                )
                .into();
            }
        }
    }
    words
}
