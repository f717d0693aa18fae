//! The description of the API: committed as the program prints it, clean for a public linter, and a page for people.

use std::process::Stdio;

use hookline_tests::console::console_scenario;
use hookline_tests::dispatcher::program;
use hookline_tests::hostile::not_run;
use serde_json::Value;
use tokio::process::Command;

use crate::conformance::library::{packages, project};

/// Where it is committed.
const COMMITTED: &str = "docs/openapi.json";

#[tokio::test]
async fn what_is_committed_is_what_the_program_prints() {
    let printed = Command::new(program("hookline-console"))
        .arg("openapi")
        .output()
        .await
        .unwrap();
    assert!(printed.status.success());
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let committed: Value =
        serde_json::from_slice(&std::fs::read(project().join(COMMITTED)).unwrap()).unwrap();
    let mut differences = Vec::new();
    differ("", &committed, &printed, &mut differences);
    assert!(
        differences.is_empty(),
        "{COMMITTED} is not what the program prints; look at the differences, and if they are meant, run \
         `target/debug/hookline-console openapi > {COMMITTED}`:\n{}",
        differences.join("\n")
    );
}

/// Where two values differ, by the path of each place.
fn differ(path: &str, one: &Value, other: &Value, differences: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(ones), Value::Object(others)) => {
            for (name, value) in ones {
                differ(
                    &format!("{path}/{name}"),
                    value,
                    others.get(name).unwrap_or(&Value::Null),
                    differences,
                );
            }
            for (name, value) in others.iter().filter(|(name, _)| !ones.contains_key(*name)) {
                differ(&format!("{path}/{name}"), &Value::Null, value, differences);
            }
        }
        _ if one == other => {}
        _ => differences.push(format!("{path}: committed {one}, printed {other}")),
    }
}

#[test]
fn a_difference_is_found_wherever_it_stands() {
    let one = serde_json::json!({"a": {"b": [1, 2]}, "c": 1});
    for (other, place) in [
        (serde_json::json!({"a": {"b": [1, 3]}, "c": 1}), "/a/b: "),
        (serde_json::json!({"a": {"b": [1, 2]}}), "/c: "),
        (serde_json::json!({"a": {"b": [1, 2]}, "c": 1, "d": 1}), "/d: "),
    ] {
        let mut differences = Vec::new();
        differ("", &one, &other, &mut differences);
        assert!(
            differences.len() == 1 && differences[0].starts_with(place),
            "{differences:?}"
        );
    }
}

#[tokio::test]
async fn a_public_linter_finds_nothing_to_say() {
    let folder = "tests/openapi";
    let Some(packages) = packages("npm", folder).await else {
        not_run("the linter of descriptions", "its package cannot be had here");
        return;
    };
    let linter = async |arguments: &[&str]| {
        let output = Command::new("node")
            .arg(packages.join("@redocly/cli/bin/cli.js"))
            .args(arguments)
            .current_dir(project())
            .env("REDOCLY_TELEMETRY", "off")
            .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        (output.status.success(), told.concat())
    };
    let (runs, told) = linter(&["--version"]).await;
    if !runs {
        not_run(
            "the linter of descriptions",
            &format!("it does not run on this node: {told}"),
        );
        return;
    }
    let config = format!("--config={folder}/redocly.yaml");
    let (is_clean, told) = linter(&["lint", COMMITTED, &config]).await;
    // In the strict set a warning is an error.
    assert!(is_clean, "{told}");

    // It looks at all: an operation without an answer is told.
    let broken = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    let text = std::fs::read_to_string(project().join(COMMITTED)).unwrap();
    let mut api: Value = serde_json::from_str(&text).unwrap();
    api["paths"]["/healthz"]["get"]["responses"] = serde_json::json!({});
    std::fs::write(broken.path(), api.to_string()).unwrap();
    let (is_clean, told) = linter(&["lint", broken.path().to_str().unwrap(), &config]).await;
    assert!(!is_clean, "{told}");
}

#[tokio::test]
async fn there_is_a_page_to_read_it_that_needs_nothing_from_elsewhere() {
    console_scenario(async |console, _| {
        let stranger = console.stranger();
        let page = stranger.get("/docs").await.expect(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self';"),
            "{policy}"
        );
        assert!(
            !policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        for route in hookline_console::api::routes() {
            assert!(page.body.contains(&route.path), "{}", route.path);
        }
        // What the policy would refuse is not there: scripts, styles within, and anything of other hosts.
        for never in [
            "<script", "<style", "style=", "onclick", "http://", "https://", "src=",
        ] {
            let found = page.body.matches(never).count();
            // Addresses stand in examples, as text.
            let in_examples = if never == "https://" {
                page.body.matches("&quot;https://").count()
            } else {
                0
            };
            assert_eq!(found, in_examples, "{never}");
        }
        let style = stranger.get("/docs/style.css").await.expect(200);
        assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
        assert!(!style.body.contains("url(") && !style.body.contains("@import"));
        assert_eq!(stranger.get("/docs/other").await.problem(404), "not_found");
    })
    .await;
}
