//! Moving in: what other services export becomes an endpoints file that is taken, and the document names only what is there.

use std::path::Path;
use std::process::{Output, Stdio};

use hookline_tests::World;
use hookline_tests::cli::{command, out, run, succeed};
use hookline_tests::console::{ADMIN_TOKEN, database_scenario, setup, start};
use hookline_tests::endpoint::SECRET;
use hookline_tests::scenario;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::conformance::library::project;

/// An answer of each service's API with two endpoints, as far as it matters here; and an endpoint that cannot come along.
fn exports() -> [(&'static str, Value, Value); 4] {
    let svix = json!({"id": "ep_svix", "url": "https://a.example.com/svix", "secret": SECRET, "disabled": true,
        "filterTypes": ["booking.created", "booking.cancelled"], "channels": null});
    let convoy = json!({"uid": "ep_convoy", "owner_id": "acme", "url": "https://a.example.com/convoy", "status": "active",
        "secrets": [{"value": "an-older-secret-of-it", "expires_at": "2031-01-01T00:00:00Z"}, {"value": "convoy-secret-text"}],
        "authentication": {"type": "api_key", "api_key": {"header_name": "x-key", "header_value": "k\"1"}}});
    let outpost = json!({"id": "ep_outpost", "type": "webhook", "topics": ["*"], "disabled_at": null,
        "config": {"url": "https://a.example.com/outpost", "custom_headers": "{\"x-team\":\"crm\"}"},
        "credentials": {"secret": SECRET, "previous_secret": "the-one-before-this"}});
    let hook0 = json!({"subscription_id": "4f1b1e0a-8b1f-4f4d-9c2a-1b5c9a3d7e21", "is_enabled": true,
        "event_types": ["billing.invoice.paid"], "secret": "0d0ea1e0-8b1f-4f4d-9c2a-1b5c9a3d7e21",
        "target": {"type": "http", "method": "POST", "url": "https://a.example.com/hook0", "headers": {}}});
    let without = |mut endpoint: Value, pointer: &str| {
        *endpoint.pointer_mut(pointer).unwrap() = Value::Null;
        endpoint
    };
    [
        ("svix", json!({"data": [svix]}), without(svix, "/secret")),
        (
            "convoy",
            json!({"data": {"content": [convoy]}}),
            without(convoy, "/secrets"),
        ),
        ("outpost", json!([outpost]), without(outpost, "/credentials")),
        ("hook0", json!([hook0]), without(hook0, "/secret")),
    ]
}

async fn endpoints_of(service: &str, export: &Value) -> Output {
    let mut child = Command::new("python3")
        .arg(project().join("examples/migrating/endpoints.py"))
        .args([service, "--company", "acme"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(export.to_string().as_bytes()).await.unwrap();
    drop(stdin);
    child.wait_with_output().await.unwrap()
}

/// At the console, as the operator.
async fn at_console(world: &World, port: u16, arguments: &[&str]) -> String {
    let mut command = command(world, arguments);
    command
        .env("HOOKLINE_API_URL", format!("http://127.0.0.1:{port}"))
        .env("HOOKLINE_API_TOKEN", ADMIN_TOKEN);
    let output = command.output().await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    out(&output)
}

#[tokio::test]
async fn what_other_services_export_is_checked_and_imported() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let port = console.process().port();
        for (service, export, without_secret) in exports() {
            let written = endpoints_of(service, &export).await;
            let told = String::from_utf8_lossy(&written.stderr).into_owned();
            assert!(written.status.success(), "{service}: {told}");
            let file = world.path(&format!("{service}.toml"));
            std::fs::write(&file, &written.stdout).unwrap();
            let file = file.to_str().unwrap();
            let checked = succeed(world, &["endpoints", "check", file, "--json"]).await;
            let row: Value = serde_json::from_str(checked.trim()).unwrap();
            assert_eq!(
                (&row["company"], &row["format"]),
                (&json!("acme"), &json!("standard"))
            );
            assert_eq!(row["disabled"], json!(service == "svix"), "{row}");

            let planned = at_console(world, port, &["endpoints", "import", file, "--dry-run"]).await;
            assert!(planned.contains("created"), "{service}: {planned}");
            at_console(world, port, &["endpoints", "import", file, "--yes"]).await;

            let left_out = endpoints_of(service, &json!([without_secret])).await;
            let told = String::from_utf8_lossy(&left_out.stderr).into_owned();
            assert_eq!(left_out.status.code(), Some(1), "{service}: {told}");
            assert!(
                told.contains("left out") && out(&left_out).trim().is_empty(),
                "{told}"
            );
        }
        let listed = at_console(world, port, &["endpoints", "list", "--company", "acme", "--json"]).await;
        assert_eq!(listed.lines().count(), 4, "{listed}");
        let convoy = [
            "endpoints",
            "show",
            "ep_convoy",
            "--company",
            "acme",
            "--secret",
            "--json",
        ];
        let shown: Value = serde_json::from_str(&at_console(world, port, &convoy).await).unwrap();
        assert_eq!(shown["secret"], "convoy-secret-text");
    })
    .await;
}

/// The commands of a document: in code spans and in fenced blocks.
fn commands(document: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(document).unwrap().replace('\n', "\u{1}");
    let pieces = text.split('`').flat_map(|piece| piece.split('\u{1}'));
    let lines = pieces.map(str::trim).filter(|line| line.starts_with("hookline "));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn every_command_of_the_document_is_there_with_its_options() {
    scenario(async |world| {
        let all = commands(&project().join("docs/MIGRATING.md"));
        assert!(all.len() > 8, "{all:?}");
        for line in all {
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            let name = words.iter().take_while(|word| {
                word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
            });
            let help = [&name.copied().collect::<Vec<_>>()[..], &["--help"]].concat();
            let output = run(world, &help).await;
            assert!(
                output.status.success(),
                "{line}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            let help = out(&output);
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(option), "{line}: {option} is not in\n{help}");
            }
        }
    })
    .await;
}
