#![allow(clippy::unwrap_used)]
use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn entry(id: &str, url: &str, secret: &str) -> String {
    format!("[[endpoint]]\nid = {id:?}\ncompany = \"acme\"\nurl = {url:?}\nsecret = {secret:?}\n")
}

fn faults(text: &str) -> Vec<(Option<usize>, Option<String>, Option<String>)> {
    let faults = check(text, &CheckSettings::default()).unwrap_err();
    faults
        .first()
        .iter()
        .map(|fault| (fault.line, fault.entry.clone(), fault.key.clone()))
        .collect()
}

#[test]
fn grammar_and_guard_are_told_together_in_the_order_of_the_lines() {
    let text = [
        entry("ep_1", "https://10.0.0.1/", SECRET),
        entry("a b", "https://a.example.com/", "short"),
        entry("ep_3", "http://a.example.com/", SECRET),
    ]
    .concat();
    let name = |text: &str| Some(text.to_owned());
    assert_eq!(
        faults(&text),
        [
            (Some(4), name("ep_1"), name("url")),
            (Some(7), name("#2"), name("id")),
            (Some(10), name("#2"), name("secret")),
            (Some(14), name("ep_3"), name("url")),
        ]
    );
}

#[test]
fn what_is_no_toml_or_holds_other_things_is_no_panic() {
    for bad in [
        "[[endpoint]",
        "endpoint = 1",
        "endpoint = [1]",
        "[endpoint]\nurl = 1",
        "\0",
    ] {
        assert!(check(bad, &CheckSettings::default()).is_err(), "{bad:?}");
    }
    assert!(check("", &CheckSettings::default()).unwrap().is_empty());
}

#[test]
fn a_row_shows_the_host_and_no_token() {
    let text = entry("ep_1", "https://Hooks.example.com:8443/t0ken?k=t0ken", SECRET);
    let settings = CheckSettings::default();
    let endpoints = check(&text, &settings).unwrap();
    let target = settings.policy.check_url(&endpoints[0].url).unwrap();
    let row = Row::new(&endpoints[0], &target);
    let line = row.to_cells().join("  ");
    assert!(
        line.contains("hooks.example.com:8443") && line.contains("all"),
        "{line}"
    );
    for shown in [line, serde_json::to_string(&row).unwrap()] {
        assert!(!shown.contains("t0ken") && !shown.contains("whsec_"), "{shown}");
    }
}

#[test]
fn a_secret_that_is_no_standard_key_is_noticed_with_what_is_left() {
    let text = entry("ep_1", "https://a.example.com/", "0123456789abcdef");
    for (format, left) in [
        ("meeva", "Meeva-Signature alone"),
        ("standard", "no signature at all"),
    ] {
        let text = format!("{text}format = {format:?}\n");
        let endpoints = check(&text, &CheckSettings::default()).unwrap();
        assert!(!has_standard_key(&endpoints[0]));
        assert!(notice(&endpoints[0]).contains(left), "{format}");
    }
}
