//! What packages bring along agrees with the programs: the unit, the file of settings, the endpoints file. No service is needed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use hookline_common::duration;
use hookline_common::settings::{Variable, variables};
use hookline_dispatcher::{settings, stop};
use hookline_tests::cli::succeed;
use hookline_tests::scenario;

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join(path)).unwrap()
}

/// The lines `NAME=value`, those too that are commented out.
fn assignments(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .filter(|(name, _)| {
            name.chars()
                .all(|c| c.is_ascii_uppercase() || "_0123456789".contains(c))
        })
        .collect()
}

#[test]
fn systemd_waits_for_the_longest_stop() {
    let unit = file("deploy/systemd/hookline-dispatcher.service");
    let told = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec="));
    let request = duration::parse(variables::REQUEST_TIMEOUT.default.unwrap()).unwrap();
    let waits = duration::parse(told.unwrap()).unwrap();
    assert!(waits > stop::longest(request), "{waits:?}");
    assert!(
        waits < stop::longest(request) + Duration::from_secs(10),
        "{waits:?}"
    );
}

#[test]
fn the_files_of_settings_have_all_that_the_services_read_with_their_defaults() {
    has_all("examples/config/dispatcher.env", settings::VARIABLES);
    has_all(
        "examples/config/console.env",
        hookline_console::settings::VARIABLES,
    );
}

fn has_all(path: &str, variables: &[Variable]) {
    let text = file(path);
    assert!(
        text.lines().all(|line| line.is_empty() || line.starts_with('#')),
        "a setting in the example would be one that nobody chose"
    );
    let mut told = assignments(&text);
    for variable in variables {
        // What holds a secret may stand in a file of its own.
        let in_file = variable.is_secret.then(|| format!("{}_FILE", variable.name));
        let value = told
            .remove(variable.name)
            .or_else(|| told.remove(in_file?.as_str()));
        assert!(value.is_some(), "{} is missing", variable.name);
        if let Some(default) = variable.default {
            assert_eq!(value, Some(default), "{}", variable.name);
        }
    }
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn the_example_of_an_endpoint_is_one_as_soon_as_it_is_no_comment() {
    scenario(async |world| {
        let text = file("examples/config/endpoints.toml");
        let (_, entry) = text.split_once("#\n").unwrap();
        let entry: String = entry
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap()))
            .collect();
        let path = world.path("endpoints.toml");
        fs::write(&path, entry).unwrap();
        let judged = succeed(world, &["endpoints", "check", path.to_str().unwrap()]).await;
        assert!(judged.contains("ep_crm"), "{judged}");
    })
    .await;
}
