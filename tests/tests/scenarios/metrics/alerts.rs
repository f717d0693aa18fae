//! Alerts and board ask for what is declared, and each alert has its section in the runbook. No service is needed.

use std::collections::BTreeSet;

use hookline_common::metrics::{Kind, Program, all};

use super::file;

const RULES: &str = "deploy/prometheus/rules.yaml";

/// What Prometheus calls them, with what it makes of a histogram.
fn known() -> BTreeSet<String> {
    [Program::Dispatcher, Program::Console]
        .into_iter()
        .flat_map(all)
        .flat_map(|metric| {
            let name = metric.prometheus_name();
            match metric.kind {
                Kind::Histogram(_) => ["_bucket", "_sum", "_count"]
                    .map(|end| format!("{name}{end}"))
                    .to_vec(),
                Kind::Counter | Kind::Gauge => vec![name],
            }
        })
        .collect()
}

/// Every word of `text` that begins like a metric of ours.
fn named(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| word.starts_with("hookline_"))
        .map(str::to_owned)
        .collect()
}

/// The rules by their names, each with its lines.
fn alerts() -> Vec<(String, String)> {
    let rules = file(RULES);
    let mut alerts = Vec::new();
    for rule in rules.split("      - alert: ").skip(1) {
        let (name, rest) = rule.split_once('\n').unwrap();
        let rest = rest.split("\n\n").next().unwrap();
        alerts.push((name.to_owned(), rest.to_owned()));
    }
    assert!(alerts.len() > 15, "{}", alerts.len());
    alerts
}

#[test]
fn rules_and_board_ask_for_what_there_is() {
    let known = known();
    for path in [
        RULES,
        "deploy/prometheus/tests/rules.yaml",
        "deploy/grafana/hookline.json",
    ] {
        let unknown: Vec<_> = named(&file(path))
            .into_iter()
            .filter(|name| !known.contains(name))
            .collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
}

#[test]
fn what_the_board_calls_recorded_is_recorded() {
    let rules = file(RULES);
    let board = file("deploy/grafana/hookline.json");
    let recorded = board
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| word.starts_with("hookline:"));
    for name in recorded {
        assert!(rules.contains(&format!("record: {name}\n")), "{name}");
    }
}

#[test]
fn each_alert_says_how_grave_it_is_and_where_to_read_on() {
    let runbook = file("docs/RUNBOOK.md");
    for (name, rule) in alerts() {
        assert!(
            rule.contains("severity: page") || rule.contains("severity: ticket"),
            "{name}"
        );
        let anchor = format!("runbook_url: docs/RUNBOOK.md#{}", name.to_lowercase());
        assert!(rule.lines().any(|line| line.trim() == anchor), "{name}: {rule}");
        let section = runbook
            .split("\n### ")
            .find(|section| section.starts_with(&format!("{name}\n")));
        let section = section.unwrap_or_else(|| panic!("docs/RUNBOOK.md has no section {name}"));
        for part in ["**It means**", "**Look**", "**Do**"] {
            assert!(section.contains(part), "{name} does not say {part}");
        }
    }
}

#[test]
fn the_runbook_has_no_section_of_an_alert_that_is_gone() {
    let alerts: BTreeSet<_> = alerts().into_iter().map(|(name, _)| name).collect();
    let runbook = file("docs/RUNBOOK.md");
    let gone: Vec<_> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter(|title| title.starts_with("Hookline") && !alerts.contains(*title))
        .collect();
    assert!(gone.is_empty(), "{gone:?}");
    // In words a histogram goes by its own name.
    let is_known = |name: &String| {
        let known = known();
        known.contains(name) || known.contains(&format!("{name}_count"))
    };
    let unknown: Vec<_> = named(&runbook)
        .into_iter()
        .filter(|name| !is_known(name))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
