//! The endpoints file, as operators write and break it: all faults at once, each with its line, and never a value of the file, since
//! any may be a secret.

use std::collections::BTreeSet;

use hookline_cases::{Mutations, Random, blocks, mutated, run};
use hookline_common::endpoint::{Format, StaticHeader};
use hookline_common::endpoints_file::{SecretSource, WithSecrets, parse_with_secrets};
use hookline_common::guard::check_header;
use hookline_common::toml_file::FileFaults;

const CORPUS: &str = include_str!("corpus/endpoints.txt");
const WORDS: [&str; 34] = [
    "[[endpoint]]\n",
    "[endpoint]\n",
    "endpoint = []\n",
    "[[endpoint.headers]]\n",
    "id = ",
    "company = ",
    "url = ",
    "secret = ",
    "secret_env = ",
    "secret_file = ",
    "previous_secret = ",
    "format = ",
    "events = ",
    "headers = ",
    "rate = ",
    "disabled = ",
    "\"acme\"\n",
    "\"\"\"",
    "'''",
    "\"\\u0000\"",
    "\"\\uD800\"",
    "{ a = 1 }",
    "[",
    "]",
    "=",
    "true\n",
    "1979-05-27\n",
    "inf\n",
    "0x_1\n",
    "1_000\n",
    "\"*\"",
    "a.b.c = 1\n",
    "#",
    ",",
];
/// Stands in every value that may be a secret, and so in nothing that is told.
const MARKER: &str = "MARKER";

/// One variable and two files; whatever else is named is not there.
struct Secrets;

impl SecretSource for Secrets {
    fn env(&self, name: &str) -> Option<String> {
        (name == "CRM_SECRET").then(|| "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned())
    }

    fn file(&self, path: &str) -> Result<String, String> {
        match path {
            "plain" => Ok(format!("{MARKER}-0123456789abcdef\n")),
            "empty" => Ok(String::new()),
            _ => Err("no such file".to_owned()),
        }
    }
}

#[test]
fn fuzz_an_endpoints_file_is_read_or_its_faults_are_told_and_none_of_its_values() {
    let corpus = blocks(CORPUS);
    run("endpoints files", 1_500, &["read", "refused"], |random| {
        let is_written = random.one_in(2);
        let text = if is_written {
            written(random)
        } else {
            mutated(
                random,
                &corpus,
                Mutations {
                    words: &WORDS,
                    max_bytes: 2_000,
                },
            )
        };
        match parse_with_secrets(&text, Format::Meeva, &Secrets) {
            Ok(endpoints) => {
                check_endpoints(&text, &endpoints);
                "read"
            }
            Err(faults) => {
                check_faults(&text, &faults, is_written);
                "refused"
            }
        }
    });
}

fn check_endpoints(text: &str, endpoints: &[WithSecrets]) {
    // Nothing is made of nothing: each endpoint takes a table, and the keys that it cannot be without.
    assert!(endpoints.len() <= text.len() / 20, "{text:?}");
    let mut ids = BTreeSet::new();
    for WithSecrets { endpoint, .. } in endpoints {
        assert!(
            ids.insert((endpoint.company.to_string(), endpoint.id.to_string())),
            "{text:?}"
        );
        assert!(endpoint.headers.len() <= StaticHeader::MAX_PER_ENDPOINT);
        let mut names = BTreeSet::new();
        for header in &endpoint.headers {
            assert_eq!(check_header(&header.name, &header.value), Ok(()), "{text:?}");
            assert!(names.insert(header.name.to_ascii_lowercase()), "{text:?}");
        }
        assert!(endpoint.keys.meeva(b"{}").starts_with("sha256="));
        assert!(!format!("{endpoint:?}").contains(MARKER));
    }
}

fn check_faults(text: &str, faults: &FileFaults, may_hold_no_value: bool) {
    assert!(
        !faults.is_empty() && faults.count() <= 3 * text.len() + 3,
        "{} faults of {text:?}",
        faults.count()
    );
    let faults = faults.first();
    assert!(!faults.is_empty() && faults.len() <= FileFaults::KEPT, "{text:?}");
    assert!(faults.is_sorted_by_key(|fault| fault.line), "{text:?}");
    let lines = text.split('\n').count();
    for fault in faults {
        assert!(
            fault.line.is_none_or(|line| (1..=lines).contains(&line)),
            "{fault} of {text:?}"
        );
        let told = fault.to_string();
        assert!(
            told.len() < 1_000 && !told.contains(['\n', '\r', '\0', '\u{1b}']),
            "{told:?} of {text:?}"
        );
        assert!(
            !(may_hold_no_value && told.contains(MARKER)),
            "{told:?} of {text:?}"
        );
    }
}

/// A file of some endpoints, each key of which may be missing, wrong, of another type or there twice.
fn written(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(3) {
        text.push_str("[[endpoint]]\n");
        let usual = [
            "id = \"ep_1\"",
            "company = \"acme\"",
            "url = \"https://a.example.com/?MARKER\"",
            "secret = \"MARKER-0123456789abcdef\"",
        ];
        for line in usual {
            if !random.one_in(12) {
                text.push_str(line);
                text.push('\n');
            }
        }
        for _ in 0..random.below(4) {
            text.push_str(random.pick(&LINES));
            text.push('\n');
        }
    }
    if text.matches("\"ep_1\"").count() > 1 && !random.one_in(4) {
        // Different ids, for a file that is refused for that alone shows little.
        let mut parts = text.split("\"ep_1\"").enumerate();
        let first = parts.next().map(|(_, part)| part.to_owned()).unwrap_or_default();
        text = parts.fold(first, |text, (number, part)| {
            format!("{text}\"ep_{number}\"{part}")
        });
    }
    text
}

const LINES: [&str; 46] = [
    "id = \"MARKER with space\"",
    "id = 7",
    "id = [\"MARKER\"]",
    "company = \"MARKER/\"",
    "company = {}",
    "url = \"\"",
    "url = 1.5",
    "secret = \"MARKER\"",
    "secret = \" MARKER-0123456789abcdef\"",
    "secret = 'MARKER\u{7f}0123456789'",
    "secret = [\"MARKER\"]",
    "secret = 1979-05-27",
    "secret_env = \"CRM_SECRET\"",
    "secret_env = \"MARKER\"",
    "secret_env = \"MARKER 1\"",
    "secret_file = \"plain\"",
    "secret_file = \"empty\"",
    "secret_file = \"/MARKER\"",
    "previous_secret = \"MARKER-0123456789abcdef\"",
    "previous_secret = \"\"",
    "previous_secret_env = \"CRM_SECRET\"",
    "previous_secret_file = \"MARKER\"",
    "format = \"meetergo-flat\"",
    "format = \"MARKER\"",
    "format = true",
    "events = [\"booking.*\", \"new_employee\"]",
    "events = [\"MARKER\"]",
    "events = [[\"a\"]]",
    "events = []",
    "events = [1, \"*\", true]",
    "headers = { x-team = \"MARKER\" }",
    "headers = { x-team = \"MARKER\\u0000\" }",
    "headers = { Host = \"MARKER\" }",
    "headers = { a = \"1\", A = \"MARKER\" }",
    "headers = { \"é\" = \"MARKER\" }",
    "headers = [[\"a\", \"MARKER\"]]",
    "headers.x = \"MARKER\"",
    "rate = \"50/s\"",
    "rate = \"MARKER/s\"",
    "rate = -1",
    "disabled = true",
    "disabled = \"MARKER\"",
    "unknown = \"MARKER\"",
    "\"\" = \"MARKER\"",
    "\"a\\nb\" = \"MARKER\"",
    "# MARKER",
];
