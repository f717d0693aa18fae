#![allow(clippy::unwrap_used)]
use std::collections::HashMap;

use super::variables::{ADMIN_TOKEN, AMQP_URL, NAMESPACE, PREFETCH, REQUEST_TIMEOUT};
use super::*;

#[derive(Default)]
struct Given {
    variables: HashMap<&'static str, String>,
    flags: HashMap<&'static str, String>,
}

impl SettingSource for Given {
    fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
        Ok(self.variables.get(name).cloned())
    }
    fn flag(&self, flag: &str) -> Option<String> {
        self.flags.get(flag).cloned()
    }
}

fn given(variables: &[(&'static str, &str)]) -> Given {
    let variables = variables
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    Given {
        variables,
        ..Given::default()
    }
}

#[test]
fn a_flag_wins_over_its_variable_and_nothing_counts_as_not_set() {
    let mut source = given(&[("HOOKLINE_NAMESPACE", "from-variable")]);
    source.flags.insert("namespace", "from-flag".into());
    assert_eq!(
        Reader::new(&source)
            .read(&NAMESPACE, Namespace::parse)
            .unwrap()
            .to_string(),
        "from-flag"
    );
    let source = given(&[("HOOKLINE_NAMESPACE", "")]);
    assert_eq!(
        Reader::new(&source)
            .read(&NAMESPACE, Namespace::parse)
            .unwrap()
            .to_string(),
        "hookline"
    );
}

#[test]
fn all_faults_are_reported_at_once_and_no_secret_is_among_them() {
    let source = given(&[
        ("HOOKLINE_NAMESPACE", "a b"),
        ("HOOKLINE_PREFETCH", "many"),
        ("HOOKLINE_AMQP_URL", "http://user:s3cret@host"),
        ("HOOKLINE_REQUEST_TIMEOUT", "1s"),
    ]);
    let mut reader = Reader::new(&source);
    let broker = BrokerSettings::read(&mut reader);
    let prefetch = reader.read(&PREFETCH, |text| parse::number_within(text, 1, 65_535));
    let timeout = reader.read(&REQUEST_TIMEOUT, |text| {
        parse::duration(text).ok_or("must be a duration")
    });
    assert!(broker.is_none() && prefetch.is_none() && timeout.is_some());
    let faults = reader.finish(|| Some(())).unwrap_err().to_string();
    for part in [
        "HOOKLINE_NAMESPACE=\"a b\"",
        "HOOKLINE_PREFETCH=\"many\"",
        "1 to 65535",
        "HOOKLINE_AMQP_URL:",
    ] {
        assert!(faults.contains(part), "{part} in {faults}");
    }
    assert!(!faults.contains("s3cret"));
}

#[test]
fn a_secret_may_stand_in_a_file_and_then_nowhere_else() {
    let path = std::env::temp_dir().join(format!("hookline-secret-{}", std::process::id()));
    std::fs::write(&path, "amqp://user:s3cret@host\n").unwrap();
    let file = path.to_str().unwrap();
    let source = given(&[("HOOKLINE_AMQP_URL_FILE", file)]);
    assert_eq!(
        Reader::new(&source)
            .read(&AMQP_URL, BrokerUrl::parse)
            .unwrap()
            .to_string(),
        "amqp://user@host:5672/%2f"
    );
    let source = given(&[
        ("HOOKLINE_AMQP_URL_FILE", file),
        ("HOOKLINE_AMQP_URL", "amqp://host"),
    ]);
    let mut reader = Reader::new(&source);
    drop(reader.read(&AMQP_URL, BrokerUrl::parse));
    assert!(
        reader
            .finish(|| Some(()))
            .unwrap_err()
            .to_string()
            .contains("both set")
    );
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_file_that_holds_no_secret_is_a_fault_and_not_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("amqp-url");
    for nothing in ["", "\n", " \t\r\n\n"] {
        std::fs::write(&path, nothing).unwrap();
        let file = path.to_str().unwrap();
        let source = given(&[
            ("HOOKLINE_AMQP_URL_FILE", file),
            ("HOOKLINE_ADMIN_TOKEN_FILE", file),
        ]);
        let mut reader = Reader::new(&source);
        drop(reader.read(&AMQP_URL, BrokerUrl::parse));
        let parse = |text: &str| Ok::<_, String>(text.to_owned());
        assert_eq!(reader.required(&ADMIN_TOKEN, parse, "must be set"), None);
        let faults = reader.finish(|| Some(())).unwrap_err();
        let told: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
        let empty = |name: &str| format!("{name}: the file that {name}_FILE names is empty: {file}");
        assert_eq!(told, [empty("HOOKLINE_AMQP_URL"), empty("HOOKLINE_ADMIN_TOKEN")]);
    }
}
