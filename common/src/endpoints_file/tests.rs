//! What a file may hold, and every way to get it wrong.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::ids::{EventId, EventType};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// Two variables and three files.
struct Source;

impl SecretSource for Source {
    fn env(&self, name: &str) -> Option<String> {
        let value = match name {
            "CRM_SECRET" => SECRET.to_owned(),
            "WITH_NEWLINE" => format!("{SECRET}\n"),
            _ => return None,
        };
        Some(value)
    }

    fn file(&self, path: &str) -> Result<String, String> {
        match path {
            "plain" => Ok(SECRET.to_owned()),
            "edited" => Ok(format!("{SECRET}\n")),
            "edited on windows" => Ok(format!("{SECRET}\r\n")),
            "two newlines" => Ok(format!("{SECRET}\n\n")),
            "padded" => Ok(format!(" {SECRET}\n")),
            "empty" => Ok("\n".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }
}

fn read_text(text: &str) -> Result<Vec<Endpoint>, Vec<String>> {
    parse(text, Format::Meeva, &Source).map_err(|faults| faults.told().collect())
}

/// One endpoint with these further lines.
fn with(lines: &str) -> String {
    format!(
        "[[endpoint]]\nid = \"ep_crm\"\ncompany = \"acme\"\nurl = \"https://crm.example.com/hooks\"\n{lines}\n"
    )
}

fn with_secret(lines: &str) -> String {
    with(&format!("secret = \"{SECRET}\"\n{lines}"))
}

fn faults_of(text: &str) -> Vec<String> {
    read_text(text).map(|endpoints| endpoints.len()).unwrap_err()
}

#[test]
fn the_documented_example_is_read() {
    let text = format!(
        r#"
        [[endpoint]]
        id = "ep_crm"
        company = "acme"
        url = "https://crm.example.com/hooks"
        secret = "{SECRET}"             # or secret_env = "NAME", or secret_file = "path"
        format = "meetergo-flat"
        events = ["booking.*", "new_employee"]
        headers = {{ "x-team" = "crm", Authorization = "Bearer x" }}
        disabled = true

        [[endpoint]]
        id = "ep_crm"
        company = "other"
        url = "http://127.0.0.1/ is for the guard to judge"
        secret_env = "CRM_SECRET"
        "#
    );
    let endpoints = read_text(&text).unwrap();
    let [first, second] = endpoints.as_slice() else {
        unreachable!("two endpoints")
    };
    assert_eq!((first.id.as_str(), first.company.as_str()), ("ep_crm", "acme"));
    assert_eq!(first.url, "https://crm.example.com/hooks");
    assert_eq!((first.format, first.disabled), (Format::MeetergoFlat, true));
    assert!(first.wants(&EventType::parse("employee.created").unwrap()));
    assert!(!first.wants(&EventType::parse("form.submitted").unwrap()));
    let headers: Vec<_> = first
        .headers
        .iter()
        .map(|header| (header.name.as_str(), header.value.as_str()))
        .collect();
    assert_eq!(headers, [("x-team", "crm"), ("Authorization", "Bearer x")]);
    assert_eq!(first.keys.meeva(b"{}"), second.keys.meeva(b"{}"));

    assert_eq!(second.url, "http://127.0.0.1/ is for the guard to judge");
    assert_eq!(
        (second.format, second.disabled, second.headers.len()),
        (Format::Meeva, false, 0)
    );
    assert!(second.wants(&EventType::parse("form.submitted").unwrap()));
}

#[test]
fn a_file_without_endpoints_is_valid() {
    for text in ["", "\n# nothing yet\n", "endpoint = []", "\u{feff}"] {
        assert_eq!(
            read_text(text).map(|endpoints| endpoints.len()),
            Ok(0),
            "{text:?}"
        );
    }
}

#[test]
fn the_default_format_is_the_installations() {
    let endpoints = parse(&with_secret(""), Format::Standard, &Source).unwrap();
    assert_eq!(endpoints[0].format, Format::Standard);
}

#[test]
fn secrets_come_from_the_text_a_variable_or_a_file_and_the_previous_one_too() {
    let key = |name: &str, text: &str| format!("{name} = \"{text}\"\n");
    let ways = [
        ("", SECRET),
        ("_env", "CRM_SECRET"),
        ("_file", "plain"),
        ("_file", "edited"),
        ("_file", "edited on windows"),
    ];
    let expected = SigningKeys::new(&Secret::parse(SECRET).unwrap(), None).meeva(b"{}");
    for (suffix, text) in ways {
        let endpoints = read_text(&with(&key(&format!("secret{suffix}"), text))).unwrap();
        assert_eq!(endpoints[0].keys.meeva(b"{}"), expected, "{suffix} {text}");

        let lines = key("secret", OLD) + &key(&format!("previous_secret{suffix}"), text);
        let keys = read_text(&with(&lines)).unwrap().remove(0).keys;
        assert_eq!(keys.meeva(b"{}"), expected, "previous{suffix} {text}");
        let standard = keys
            .standard(&EventId::parse("evt_1").unwrap(), 1, b"{}")
            .unwrap();
        assert_eq!(standard.split(' ').count(), 2);
    }
}

#[test]
fn secrets_are_refused_without_being_shown() {
    let cases = [
        (
            "",
            "line 1: endpoint ep_crm: secret: is missing; give one of secret, secret_env, secret_file",
        ),
        (
            "secret = \"MARKER\"",
            "line 5: endpoint ep_crm: secret: the secret is 6 characters long; 16 to 256 printable ASCII characters are \
             allowed",
        ),
        (
            "secret_env = \"MARKER\"",
            "line 5: endpoint ep_crm: secret_env: the environment variable that it names is not set",
        ),
        (
            "secret_env = \"\"",
            "line 5: endpoint ep_crm: secret_env: it must be the name of an environment variable: letters, digits and _",
        ),
        (
            "secret_env = \"MARKER=\"",
            "line 5: endpoint ep_crm: secret_env: it must be the name of an environment variable: letters, digits and _",
        ),
        (
            "secret_file = \"MARKER\"",
            "line 5: endpoint ep_crm: secret_file: the file cannot be read: no such file",
        ),
        (
            "secret_file = \"empty\"",
            "line 5: endpoint ep_crm: secret_file: the secret is empty; 16 to 256 printable ASCII characters are allowed",
        ),
        (
            "secret = [\"MARKER\"]",
            "line 5: endpoint ep_crm: secret: it must be text in quotes, and is of type array",
        ),
        (
            "secret = \"MARKERMARKERMARKER\"\nsecret_env = \"CRM_SECRET\"",
            "line 6: endpoint ep_crm: secret_env: give only one of secret, secret_env, secret_file",
        ),
    ];
    for (lines, fault) in cases {
        assert_eq!(faults_of(&with(lines)), [fault], "{lines}");
    }
    for lines in [
        "secret_env = \"WITH_NEWLINE\"",
        "secret_file = \"two newlines\"",
        "secret_file = \"padded\"",
    ] {
        let faults = faults_of(&with(lines));
        assert!(
            faults.len() == 1 && faults[0].contains("whitespace before or after"),
            "{lines}: {faults:?}"
        );
    }
    let previous = faults_of(&with_secret(
        "previous_secret_env = \"A\"\nprevious_secret_file = \"plain\"",
    ));
    assert_eq!(previous.len(), 1);
    assert!(
        previous[0].contains("give only one of previous_secret, previous_secret_env, previous_secret_file")
    );
}

#[test]
fn a_broken_file_does_not_show_its_lines() {
    for text in [
        "[[endpoint]]\nsecret = \"MARKER",
        "secret = MARKER",
        "MARKER",
        "[[endpoint]]\nMARKER MARKER = 1",
        "[[endpoint]]\nid = \"a\"\nid = \"MARKER\"",
        "a = \"\\MARKER\"",
        "[MARKER",
        "a = 0xMARKER",
    ] {
        let faults = parse(text, Format::Meeva, &Source).unwrap_err();
        assert!(
            !faults.is_empty() && !format!("{faults:?}").contains("MARKER"),
            "{text:?}: {faults:?}"
        );
        let first = faults.first()[0].to_string();
        assert!(first.starts_with("line "), "{first}");
    }
}

#[test]
fn every_fault_names_line_endpoint_key_and_what_is_allowed() {
    let words = "an event pattern must be words of a-z 0-9 _ or a lone * joined by dots, at most 128 characters \
        (booking.*)";
    let cases = [
        (
            "format = \"cloudevents\"",
            "format: the format must be one of meeva, meetergo, meetergo-flat, standard",
        ),
        (
            "format = 1",
            "format: it must be text in quotes, and is of type integer",
        ),
        (
            "disabled = \"yes\"",
            "disabled: it must be true or false, and is of type string",
        ),
        (
            "events = \"booking.*\"",
            "events: it must be a list of texts in quotes: [\"…\", \"…\"], and is of type string",
        ),
        (
            "events = [1]",
            "events: it must be a list of texts in quotes: [\"…\", \"…\"], and is of type integer",
        ),
        ("events = [\"Booking.*\"]", &format!("events: {words}")),
        (
            "headers = [\"x-team\"]",
            "headers: it must be a table of texts in quotes: { \"name\" = \"value\" }, and is of type array",
        ),
        (
            "headers = { x-team = 1 }",
            "headers: it must be a table of texts in quotes: { \"name\" = \"value\" }, and is of type integer",
        ),
        (
            "headers = { Host = \"evil\" }",
            "headers: the header Host may not be set (the request has it already); use another name",
        ),
        (
            "headers = { x-team = \"a\\r\\nb\" }",
            "headers: the value of the header x-team may only have visible ASCII characters, spaces and tabs",
        ),
        (
            "headers = { x-team = \"a\", X-Team = \"b\" }",
            "headers: the header X-Team stands here twice; give it once",
        ),
    ];
    for (line, problem) in cases {
        assert_eq!(
            faults_of(&with_secret(line)),
            [format!("line 6: endpoint ep_crm: {problem}")],
            "{line}"
        );
    }
}

#[test]
fn unknown_keys_are_faults() {
    let faults = faults_of(&with_secret("event = [\"a\"]"));
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].starts_with(
            "line 6: endpoint ep_crm: event: this key is not known; allowed are id, company, url,"
        ),
        "{faults:?}"
    );
    assert_eq!(
        faults_of("endpoints = []\n\n[settings]\na = 1"),
        [
            "line 1: endpoints: this key is not known; the file may only hold [[endpoint]] tables",
            "line 3: settings: this key is not known; the file may only hold [[endpoint]] tables"
        ]
    );
    assert_eq!(
        faults_of("[endpoint]\nid = \"a\""),
        ["line 1: endpoint: write it as [[endpoint]]"]
    );
    assert_eq!(
        faults_of("endpoint = [1]"),
        ["line 1: endpoint #1: an endpoint must be a table; write [[endpoint]]"]
    );
}

#[test]
fn all_faults_come_at_once_in_the_order_of_their_lines() {
    let text = format!(
        "[[endpoint]]\nid = \"a b\"\nurl = 1\nsecret = \"short\"\nformat = \"x\"\n\n{}\n[[endpoint]]\ncompany = \"a\"\n",
        with_secret("nonsense = 1")
    );
    let starts = [
        "line 1: endpoint #1: company: is missing",
        "line 2: endpoint #1: id: an endpoint id must be 1 to 64",
        "line 3: endpoint #1: url: it must be text",
        "line 4: endpoint #1: secret: the secret is 5",
        "line 5: endpoint #1: format: the format must be",
        "line 12: endpoint ep_crm: nonsense: this key",
        "line 14: endpoint #3: id: is missing; every endpoint needs it",
        "line 14: endpoint #3: url: is missing",
        "line 14: endpoint #3: secret: is missing",
    ];
    let faults = faults_of(&text);
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    for (fault, start) in faults.iter().zip(starts) {
        assert!(fault.starts_with(start), "{fault} / {start}");
    }
}

#[test]
fn whoever_judges_a_file_is_told_of_urls_that_the_guard_refuses_too() {
    let text = with("nonsense = 1").replace("https://crm.example.com", "https://10.0.0.1");
    let policy = Policy::default();
    let faults = parse_guarded(&text, Format::Meeva, &Source, &policy).unwrap_err();
    let told: Vec<String> = faults.told().collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[1].starts_with("line 4: endpoint ep_crm: url: the address "),
        "{told:?}"
    );
    assert!(parse_guarded(&with_secret(""), Format::Meeva, &Source, &policy).is_ok());
}

#[test]
fn an_id_may_stand_once_in_a_company() {
    let text = with_secret("") + &with_secret("").replace("acme", "other") + &with_secret("");
    assert_eq!(
        faults_of(&text),
        [
            "line 14: endpoint ep_crm: id: line 2 has the same id; an id must be the only one of its kind within a company"
        ]
    );
}

#[test]
fn headers_are_limited_in_number() {
    let headers = |count: usize| {
        let all: Vec<String> = (0..count).map(|n| format!("x-{n} = \"v\"")).collect();
        with_secret(&format!("headers = {{ {} }}", all.join(", ")))
    };
    assert_eq!(read_text(&headers(20)).unwrap()[0].headers.len(), 20);
    assert_eq!(
        faults_of(&headers(21)),
        ["line 6: endpoint ep_crm: headers: at most 20 headers are allowed"]
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), lines in "([a-z_]{1,9} ?= ?[\"\\[{0-9a-z.*}\\]]{0,9}\n){0,6}") {
        for text in [text, with_secret(&lines), format!("[[endpoint]]\n{lines}")] {
            if let Err(faults) = parse(&text, Format::Meeva, &Source) {
                prop_assert!(!faults.is_empty());
            }
        }
    }
}

#[test]
fn a_rate_is_read_and_a_bad_one_is_a_fault() {
    let endpoints = read_text(&with_secret("rate = \"50/s\"")).unwrap();
    assert_eq!(endpoints[0].rate, Some(Rate::parse("50/s").unwrap()));
    assert_eq!(read_text(&with_secret("")).unwrap()[0].rate, None);
    let faults = faults_of(&with_secret("rate = \"fast\""));
    assert!(
        faults.len() == 1 && faults[0].starts_with("line 6: endpoint ep_crm: rate: a rate must be"),
        "{faults:?}"
    );
    assert!(faults_of(&with_secret("rate = 50"))[0].contains("text in quotes"));
}

#[test]
fn reading_takes_time_in_proportion_to_the_file() {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    // What the kernel has given to this thread, up to now: not what others on the machine took meanwhile.
    let processor_time = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let good = |count: usize| -> String {
        (0..count)
            .map(|n| with_secret("").replace("ep_crm", &format!("ep_{n}")))
            .collect()
    };
    // A fault each, and each needs its line.
    let bad = |count: usize| "[[endpoint]]\nid = \"ep_1\"\n".repeat(count);
    let broken = |count: usize| "[[endpoint]\n".repeat(count);
    for text in [&good as &dyn Fn(usize) -> String, &bad, &broken] {
        let (small, large) = (text(2_500), text(10_000));
        let time = |text: &str| {
            let begin = processor_time();
            drop(parse(text, Format::Meeva, &Source));
            processor_time() - begin
        };
        // The quietest of some rounds by turns: caches that others use too only ever add to them.
        let mut quietest = (Duration::MAX, Duration::MAX);
        for _ in 0..3 {
            quietest = (quietest.0.min(time(&small)), quietest.1.min(time(&large)));
        }
        let ratio = quietest.1.as_secs_f64() / quietest.0.as_secs_f64();
        assert!(ratio < 8.0, "four times the file took {ratio:.1} times the time");
    }
}
