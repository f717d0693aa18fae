//! Settings, whatever stands in the environment: all that is wrong is told at once, a line each, short, and no secret among it; what is
//! taken keeps to its bounds.

use std::collections::BTreeMap;
use std::time::Duration;

use hookline_cases::{Mutations, Random, lines, mutated, run};
use hookline_common::settings::{
    Faults, NotText, SettingSource, Variable, is_known, otel, unknown_variables, variables,
};
use hookline_console::settings as console;
use hookline_dispatcher::settings as dispatcher;

const CORPUS: &str = include_str!("corpus/settings.txt");
const WORDS: [&str; 26] = [
    ",",
    "=",
    ":",
    "/",
    "//",
    "@",
    "://",
    "0",
    "1",
    "s",
    "ms",
    "m",
    "h",
    "d",
    "GB",
    "/0",
    "/33",
    "true",
    "on",
    "off",
    "none",
    "127.0.0.1",
    "[::1]",
    "%",
    "%2f",
    "localhost",
];
/// Stands in the value of each variable that holds a secret, and so in nothing that is told.
const MARKER: &str = "MARKER";
/// What one line says at most, in bytes: a value of 100 letters and what is said of it in 800, each of which may be an escape.
const LONGEST_LINE: usize = 5_000;

/// What is set. `None` is a value that is no text.
#[derive(Debug, Default)]
struct Given {
    variables: BTreeMap<String, Option<String>>,
    flags: BTreeMap<String, String>,
}

impl SettingSource for Given {
    fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
        match self.variables.get(name) {
            Some(None) => Err(NotText),
            Some(Some(value)) => Ok(Some(value.clone())),
            None => Ok(None),
        }
    }

    fn flag(&self, flag: &str) -> Option<String> {
        self.flags.get(flag).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.variables.keys().cloned().collect()
    }
}

#[test]
fn fuzz_settings_are_taken_within_their_bounds_or_all_that_is_wrong_is_told() {
    let corpus = lines(CORPUS);
    // A file that fills the memory of whoever reads it to its end, and takes no room.
    let huge = tempfile::NamedTempFile::new().unwrap();
    huge.as_file().set_len(1 << 40).unwrap();
    let paths = [
        "/",
        "/dev/zero",
        "/dev/null",
        "/proc/self/environ",
        "/nowhere",
        "",
        "a\0b",
        huge.path().to_str().unwrap(),
    ];
    run("settings", 600, &["taken", "refused"], |random| {
        // The console takes what there is of event types each time anew, which is most of the time that this takes.
        let is_dispatcher = !random.one_in(32);
        let known = if is_dispatcher {
            dispatcher::VARIABLES
        } else {
            console::VARIABLES
        };
        let given = environment(random, known, &corpus, &paths);
        let faults = if is_dispatcher {
            dispatcher::Settings::read(&given)
                .map(|settings| check_dispatcher(&settings, &given))
                .err()
        } else {
            console::Settings::read(&given)
                .map(|settings| check_console(&settings, &given))
                .err()
        };
        if random.one_in(8) {
            for unknown in unknown_variables(&given) {
                let told = unknown.to_string();
                assert!(told.len() < LONGEST_LINE && !told.contains(MARKER), "{told}");
            }
        }
        let Some(faults) = faults else {
            return "taken";
        };
        check_faults(&faults, known, &given);
        "refused"
    });
}

fn check_dispatcher(settings: &dispatcher::Settings, given: &Given) {
    let printed = format!("{settings:?}");
    assert!(!printed.contains(MARKER), "{given:?}: {printed}");
    let delays = settings.schedule.delays();
    assert!(
        delays.len() <= 20 && delays.iter().all(|delay| delay.as_seconds() <= 7 * 24 * 3600),
        "{given:?}"
    );
    assert!(
        (Duration::from_millis(100)..=Duration::from_secs(600)).contains(&settings.request_timeout),
        "{given:?}"
    );
    assert!(
        (1..=10_000).contains(&settings.endpoint_concurrency) && settings.prefetch > 0,
        "{given:?}"
    );
    assert!(
        (100_000_000..=1_000_000_000_000_000).contains(&settings.attempts_max_bytes),
        "{given:?}"
    );
}

fn check_console(settings: &console::Settings, given: &Given) {
    let printed = format!("{settings:?}");
    assert!(!printed.contains(MARKER), "{given:?}: {printed}");
    let day = Duration::from_secs(24 * 3600);
    assert!((day..=3650 * day).contains(&settings.retention), "{given:?}");
    assert!((1..=1000).contains(&settings.endpoints_per_company), "{given:?}");
}

fn check_faults(faults: &Faults, known: &[Variable], given: &Given) {
    let told = faults.to_string();
    assert!(!told.contains(MARKER), "{given:?}: {told}");
    let mut lines = told.split('\n');
    lines.next();
    let count = lines.clone().count();
    assert!(count > 0 && count == faults.0.len(), "{given:?}: {told}");
    for line in lines {
        assert!(
            line.len() <= LONGEST_LINE && !line.chars().any(char::is_control),
            "{given:?}: {line:?}"
        );
        let is_named = |variable: &Variable| line.trim_start().starts_with(variable.name);
        assert!(known.iter().chain(otel::ALL).any(is_named), "{given:?}: {line}");
    }
}

/// What a program needs, and some variables besides, rightly or wrongly set.
fn environment(random: &mut Random, known: &[Variable], corpus: &[String], paths: &[&str]) -> Given {
    let mut given = Given::default();
    let needed = [
        ("HOOKLINE_ENDPOINTS_FILE", "/etc/hookline/endpoints.toml"),
        ("HOOKLINE_DATABASE_URL", "postgres://u:MARKER@localhost/d"),
        (
            "HOOKLINE_MASTER_KEY",
            "MARKERQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        ),
        ("HOOKLINE_ADMIN_TOKEN", "MARKER-0123456789"),
    ];
    for (name, value) in needed {
        if !random.one_in(20) {
            given.variables.insert(name.to_owned(), Some(value.to_owned()));
        }
    }
    for _ in 0..random.below(5) {
        let variable = if random.one_in(3) {
            otel::ALL[random.below(otel::ALL.len())]
        } else {
            known[random.below(known.len())]
        };
        let name = variable.name.to_owned();
        if variable.is_secret {
            let value = format!("{MARKER}{}", value(random, &variable, corpus, paths));
            match random.below(6) {
                0 => given.variables.insert(name, None),
                1 => given
                    .variables
                    .insert(format!("{name}_FILE"), Some(random.pick(paths).to_owned())),
                // The secret itself in the place of the file's name.
                3 => given.variables.insert(format!("{name}_FILE"), Some(value)),
                2 => given.variables.insert(name, Some(format!("amqp://u:{value}@h"))),
                _ => given.variables.insert(name, Some(value)),
            };
            continue;
        }
        let value = value(random, &variable, corpus, paths);
        match random.below(8) {
            0 => given.variables.insert(name, None),
            1 => given.flags.insert(variable.flag(), value).map(Some),
            _ => given.variables.insert(name, Some(value)),
        };
    }
    if random.one_in(4) {
        let all = variables::ALL;
        let near = all[random.below(all.len())].name.to_owned();
        let name = mutated(
            random,
            &[near],
            Mutations {
                words: &["_", "HOOK"],
                max_bytes: 200,
            },
        );
        if !is_known(&name) {
            given.variables.insert(name, Some(MARKER.to_owned()));
        }
    }
    given
}

fn value(random: &mut Random, variable: &Variable, corpus: &[String], paths: &[&str]) -> String {
    if variable.name.ends_with("_FILE") && random.one_in(2) {
        return random.pick(paths).to_owned();
    }
    match (random.below(4), variable.default) {
        (0, Some(default)) => mutated(
            random,
            &[default.to_owned()],
            Mutations {
                words: &WORDS,
                max_bytes: 300,
            },
        ),
        (1, _) => corpus[random.below(corpus.len())].clone(),
        _ => mutated(
            random,
            corpus,
            Mutations {
                words: &WORDS,
                max_bytes: 3_000,
            },
        ),
    }
}
