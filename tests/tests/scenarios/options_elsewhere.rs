//! The options of commands that run for long, or need more than a broker: each is tried by a scenario of its command.

use std::fs;
use std::path::{Path, PathBuf};

use hookline_tests::cli::{run, succeed};
use hookline_tests::endpoint::{Endpoint, SECRET, file};
use hookline_tests::{World, scenario};

use crate::options::{is_tried, listed};

/// Commands, and the files or folders of scenarios that try what they can.
const TRIED_BY: &[(&str, &[&str])] = &[
    ("relay", &["outbox", "options_elsewhere.rs"]),
    ("tail", &["tail.rs"]),
    (
        "topology",
        &[
            "topology_check.rs",
            "topology_migrate.rs",
            "operating.rs",
            "status.rs",
        ],
    ),
    ("endpoints check", &["endpoints_check.rs", "options_elsewhere.rs"]),
    ("endpoints", &["cli_console"]),
    ("failed", &["cli_console"]),
    ("deliveries", &["cli_console"]),
    ("problems", &["cli_console"]),
    ("events", &["cli_console"]),
    ("tokens", &["cli_console"]),
    ("certify", &["certify", "options_elsewhere.rs"]),
    ("completions", &["help.rs"]),
    ("man", &["options_elsewhere.rs"]),
];

/// What all commands that ask the same have; each is tried by one of them.
const OF_MANY: [&str; 5] = [
    "namespace",
    "amqp-ca-file",
    "api-url",
    "retry-schedule",
    "event-types-file",
];

/// Command lines that end at once, and an option that makes the end another one. FILE is an endpoints file, FOLDER one to write to.
const DIFFER: &[(&str, &str)] = &[
    ("endpoints check FILE", "--deny-cidrs 1.1.1.1/32"),
    ("endpoints check FILE --json", "--default-format standard"),
    ("man", "--dir FOLDER"),
    ("relay", "--window 0"),
    ("certify https://127.0.0.1/ --secret SECRET", "--header host=x"),
    (
        "certify https://127.0.0.1/ --secret SECRET --allow-cidrs 127.0.0.0/8",
        "--deny-cidrs 127.0.0.1/32",
    ),
    (
        "certify https://localhost/ --secret SECRET",
        "--allow-hosts localhost",
    ),
    ("certify https://127.0.0.1/ --secret SECRET", "--ca-file /nowhere"),
];

/// All commands that have none below them, by the words that name them.
async fn commands(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(words) = open.pop() {
        let arguments: Vec<&str> = words.split_whitespace().chain(["--help"]).collect();
        let help = succeed(world, &arguments).await;
        let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let below: Vec<&str> = lines
            .take_while(|line| !line.is_empty())
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help")
            .collect();
        if below.is_empty() {
            found.push(words);
        } else {
            open.extend(
                below
                    .iter()
                    .map(|name| format!("{words} {name}").trim().to_owned()),
            );
        }
    }
    found
}

/// What stands in these scenarios.
fn text_of(paths: &[&str]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut open: Vec<PathBuf> = paths.iter().map(|path| folder.join(path)).collect();
    let mut text = String::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    text
}

#[tokio::test]
async fn an_option_of_what_needs_more_changes_something_or_is_refused() {
    scenario(async |world| {
        let entry = Endpoint::at("ep_crm", "https://1.1.1.1/hook");
        let path = world.path("checked.toml");
        fs::write(&path, file(&[entry])).unwrap();
        let folder = world.path("pages");
        fs::create_dir(&folder).unwrap();
        for (line, option) in DIFFER {
            let mut ends = Vec::new();
            for words in [(*line).to_owned(), format!("{line} {option}")] {
                let words = words
                    .replace("FILE", path.to_str().unwrap())
                    .replace("FOLDER", folder.to_str().unwrap())
                    .replace("SECRET", SECRET);
                let output = run(world, &words.split(' ').collect::<Vec<_>>()).await;
                ends.push((output.status.code(), output.stdout, output.stderr));
            }
            assert_ne!(ends[0], ends[1], "{line} {option}");
        }
    })
    .await;
}

#[tokio::test]
async fn no_command_has_an_option_that_no_scenario_tries() {
    scenario(async |world| {
        let commands = commands(world).await;
        assert!(commands.len() > 30, "{commands:?}");
        let mut untried = Vec::new();
        for command in commands.iter().filter(|command| !is_tried(command)) {
            let (_, paths) = TRIED_BY
                .iter()
                .find(|(name, _)| command == name || command.starts_with(&format!("{name} ")))
                .unwrap_or_else(|| panic!("nothing tries the options of {command}"));
            let text = text_of(paths);
            for option in listed(world, command).await {
                let is_used = text.contains(&format!("--{option}"));
                if !is_used && !OF_MANY.contains(&option.as_str()) {
                    untried.push(format!("{command} --{option}"));
                }
            }
        }
        assert!(untried.is_empty(), "{untried:#?}");
    })
    .await;
}
