//! What charts, manifests and Compose say of the programs is what the programs do. What Helm and schemas can tell is judged by
//! `make check-deploy`; here is what only the programs know.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hookline_common::guard::{allowed_v6_network, refused_v4_networks, refused_v6_networks};
use hookline_common::settings::{Variable, otel, variables};
use hookline_common::topology::{Namespace, Queue};
use hookline_tests::dispatcher::program;
use hookline_tests::{eventually, scenario};
use serde_json::Value;
use tokio::process::Command;

use crate::SOON;

/// What the chart sets by itself, from values that say more than a setting.
const BY_THE_CHART: [&str; 5] = [
    "HOOKLINE_HTTP_ADDR",
    "HOOKLINE_ENDPOINTS_FILE",
    "HOOKLINE_AMQP_CA_FILE",
    "HOOKLINE_CA_FILE",
    "HOOKLINE_MIGRATE_ON_START",
];

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join(path)).unwrap()
}

#[test]
fn network_policies_refuse_what_the_guard_refuses() {
    let list = |networks: Vec<String>| -> String {
        networks
            .iter()
            .map(|network| format!("  - {network}\n"))
            .collect()
    };
    let wanted = format!(
        "ipv4:\n{}# Of IPv6 only this is let through, less what follows.\nipv6Of: {}\nipv6:\n{}",
        list(refused_v4_networks().map(|network| network.to_string()).collect()),
        allowed_v6_network(),
        list(refused_v6_networks().map(|network| network.to_string()).collect()),
    );
    let text = file("deploy/helm/hookline/files/refused-networks.yaml");
    let (_, told) = text.split_at(text.find("ipv4:").unwrap());
    assert_eq!(
        told, wanted,
        "below its first lines, deploy/helm/hookline/files/refused-networks.yaml must be:\n{wanted}and then `make render-deploy`"
    );
}

/// The settings that the chart's values may have, for each program: all that it reads, and no others.
#[test]
fn the_chart_takes_the_settings_that_the_programs_read() {
    let schema: Value = serde_json::from_str(&file("deploy/helm/hookline/values.schema.json")).unwrap();
    let taken = |of: &str| -> BTreeSet<String> {
        let properties = &schema["$defs"][of]["properties"];
        properties.as_object().unwrap().keys().cloned().collect()
    };
    let dispatcher = plain(hookline_dispatcher::settings::VARIABLES);
    let console = plain(hookline_console::settings::VARIABLES);
    assert_eq!(taken("dispatcherSettings"), dispatcher);
    assert_eq!(taken("consoleSettings"), console);
    let both: BTreeSet<String> = dispatcher.intersection(&console).cloned().collect();
    assert_eq!(taken("bothSettings"), both);
}

/// Those that may stand in values: no secrets, which are files, and not what the chart sets.
fn plain(variables: &[Variable]) -> BTreeSet<String> {
    variables
        .iter()
        .chain(otel::ALL)
        .filter(|variable| !BY_THE_CHART.contains(&variable.name))
        .filter(|variable| !variable.is_secret || variable.name.starts_with("OTEL_"))
        .map(|variable| {
            let ending = if variable.is_secret { "_FILE" } else { "" };
            format!("{}{ending}", variable.name)
        })
        .collect()
}

/// What may not stand in values can be set all the same: a secret is mounted as a file, all else comes from values of other names.
#[test]
fn the_chart_mounts_every_secret_and_sets_the_rest_that_the_programs_read() {
    let cannot_be_set = |program: &str, variables: &[Variable]| -> Vec<String> {
        let template = file(&format!("deploy/helm/hookline/templates/{program}.yaml"));
        let names = variables.iter().filter_map(|variable| match variable {
            _ if variable.name.starts_with("OTEL_") => None,
            secret if secret.is_secret => Some(format!("{}_FILE", secret.name)),
            set if BY_THE_CHART.contains(&set.name) => Some(set.name.to_owned()),
            _ => None,
        });
        names
            .filter(|name| !template.contains(&format!("- name: {name}\n")))
            .collect()
    };
    let none: [String; 0] = [];
    assert_eq!(
        cannot_be_set("dispatcher", hookline_dispatcher::settings::VARIABLES),
        none
    );
    assert_eq!(
        cannot_be_set("console", hookline_console::settings::VARIABLES),
        none
    );
    // It finds what is missing.
    assert_eq!(
        cannot_be_set("dispatcher", &[variables::ADMIN_TOKEN]),
        ["HOOKLINE_ADMIN_TOKEN_FILE"]
    );
}

#[test]
fn scaling_goes_by_the_window_and_the_queues_that_there_are() {
    let values = file("deploy/helm/hookline/values.yaml");
    let each = values
        .lines()
        .find_map(|line| line.trim().strip_prefix("messagesPerReplica: "));
    assert_eq!(each, variables::PREFETCH.default);
    let namespace = Namespace::parse(variables::NAMESPACE.default.unwrap()).unwrap();
    let template = file("deploy/helm/hookline/templates/scaling.yaml");
    let (_, rest) = template.split_once("\"^%s\\\\.(").unwrap();
    let (names, _) = rest.split_once(")$\"").unwrap();
    let counted: BTreeSet<String> = names.split('|').map(|name| format!("hookline.{name}")).collect();
    let working = [Queue::Events, Queue::Deliveries, Queue::Due].map(|queue| namespace.queue(queue));
    assert_eq!(counted, BTreeSet::from(working));
}

/// Each name in an `environment` of a service of ours is a setting that its program reads.
#[test]
fn compose_sets_what_the_programs_read() {
    let text = file("docker-compose.yml");
    let mut service = "";
    let mut seen = 0;
    for line in text.lines() {
        let word = line.trim().split(':').next().unwrap();
        if line.starts_with("  ") && !line.starts_with("   ") {
            service = word;
        }
        if !line.starts_with("      ") || !(word.starts_with("HOOKLINE_") || word.starts_with("OTEL_")) {
            continue;
        }
        let read: &[Variable] = match service {
            "dispatcher" => hookline_dispatcher::settings::VARIABLES,
            "console" => hookline_console::settings::VARIABLES,
            // Each command reads its own.
            "register" | "hookline" => variables::ALL,
            other => panic!("{other} is no program of ours, and {word} means nothing to it"),
        };
        seen += 1;
        assert!(
            read.iter().chain(otel::ALL).any(|variable| variable.name == word),
            "{service} does not read {word}"
        );
    }
    assert!(seen > 20, "{seen} settings were found");
}

#[tokio::test]
async fn a_dispatcher_says_whether_it_is_alive_though_the_broker_is_away() {
    scenario(async |world| {
        world.endpoints([]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", "amqp://guest:guest@127.0.0.1:1/%2f")
            .launch();
        let address = format!("127.0.0.1:{}", dispatcher.port());
        eventually(SOON, "a healthy answer", async || {
            healthcheck("hookline-dispatcher", &address).await.0.then_some(())
        })
        .await;
        // Frozen, it takes connections and answers nothing: that is not alive, and is said within seconds.
        dispatcher.signal("STOP").await;
        let (is_healthy, told) = healthcheck("hookline-dispatcher", &address).await;
        assert!(!is_healthy && told.contains("/healthz does not answer"), "{told}");
        dispatcher.signal("CONT").await;
        dispatcher.stop().await;
        let (is_healthy, told) = healthcheck("hookline-dispatcher", &address).await;
        assert!(!is_healthy && told.contains("is it running"), "{told}");
        let (is_healthy, _) = healthcheck("hookline-console", &address).await;
        assert!(!is_healthy);
    })
    .await;
}

async fn healthcheck(name: &str, address: &str) -> (bool, String) {
    let output = Command::new(program(name))
        .arg("healthcheck")
        .env_clear()
        .env("HOOKLINE_HTTP_ADDR", address)
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.success(), told)
}
