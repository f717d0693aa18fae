//! Names and secrets that are nearly right: each is told at the start, with what was meant.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hookline_common::settings::{is_known, variables};
use hookline_tests::cli::{command, run, why};
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::endpoint::{Endpoint, SECRET, file};
use hookline_tests::scenario;

use super::SOON;

#[tokio::test]
async fn a_misspelt_setting_of_the_dispatcher_is_named_with_the_right_one() {
    scenario(async |world| {
        let secret_elsewhere =
            Endpoint::at("ep_crm", "https://crm.example.com/").with("secret_env", "\"HOOKLINE_OF_CRM\"");
        let text = file(&[secret_elsewhere]);
        let without_own: String = text
            .lines()
            .filter(|line| !line.starts_with("secret ="))
            .map(|line| format!("{line}\n"))
            .collect();
        world.endpoints_text(&without_own);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_PREFECTH", "10")
            .set("HOOKLINE_TEAPOT", "MARKER")
            .set("HOOKLINE_OF_CRM", SECRET)
            .set("HOOKLINE_TEST_BIN_DIR", "x")
            .set("HOOKLINE_DISPATCHER_SERVICE_HOST", "10.0.0.1")
            .start()
            .await;
        dispatcher
            .says(
                "HOOKLINE_PREFECTH is no setting and changes nothing; did you mean HOOKLINE_PREFETCH?",
                SOON,
            )
            .await;
        let line = dispatcher.says("HOOKLINE_TEAPOT is no setting", SOON).await;
        assert!(
            line.ends_with("HOOKLINE_TEAPOT is no setting and changes nothing"),
            "{line}"
        );
        let log = dispatcher.log();
        assert_eq!(log.matches("is no setting").count(), 2, "{log}");
        assert!(!log.contains("MARKER"), "{log}");
        // Where the right one is missing for it, the refusal names it as well.
        let refused = world
            .dispatcher()
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set("HOOKLINE_ENDPOINT_FILE", "endpoints.toml")
            .launch();
        assert_eq!(refused.ends_within(SOON).await.code(), Some(2));
        refused.says("did you mean HOOKLINE_ENDPOINTS_FILE?", SOON).await;
    })
    .await;
}

#[tokio::test]
async fn a_misspelt_setting_of_the_console_is_named_with_the_right_one() {
    database_scenario(async |world, database| {
        let setup = setup(world, database).set("HOOKLINE_RETENTOIN", "30d");
        let console = start(setup).await;
        let words = "HOOKLINE_RETENTOIN is no setting and changes nothing; did you mean HOOKLINE_RETENTION?";
        console.process().says(words, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn a_misspelt_setting_of_the_command_line_is_one_line_and_the_work_is_done() {
    scenario(async |world| {
        let arguments = ["sign", "--secret", SECRET, "--id", "evt_1", "--data", "{}"];
        let mut sign = command(world, &arguments);
        let output = sign
            .env("HOOKLINE_NAMESPCE", "x")
            .env("HOOKLINE_TEST_SERVICES", "x")
            .output()
            .await
            .unwrap();
        assert!(output.status.success());
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "hookline: warning: HOOKLINE_NAMESPCE is no setting and changes nothing; did you mean HOOKLINE_NAMESPACE?\n"
        );
        assert!(run(world, &arguments).await.stderr.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_is_only_taken_for_one_is_refused_wherever_it_is_given() {
    scenario(async |world| {
        let (secret, path) = (world.path("secret"), world.path("endpoints.toml"));
        let (secret, path) = (secret.to_str().unwrap(), path.to_str().unwrap());
        for (bad, words) in [
            ("${CRM_SECRET}", "placeholder"),
            ("{{ crm.secret }}", "placeholder"),
            (&format!("v1,{SECRET}"), "without `v1,`"),
            (&format!("'{SECRET}'"), "quotes"),
            ("whsec_", "nothing behind it"),
        ] {
            let flags = ["sign", "--id", "evt_1", "--data", "{}"];
            let given = run(world, &[&flags[..], &["--secret", bad]].concat()).await;
            assert!(why(&given, 2).contains(words), "{bad}");
            std::fs::write(secret, format!("{bad}\n")).unwrap();
            let in_file = run(world, &[&flags[..], &["--secret-file", secret]].concat()).await;
            assert!(why(&in_file, 1).contains(words), "{bad}");
            let entry = Endpoint::at("ep_crm", "https://crm.example.com/").text("secret", bad);
            std::fs::write(path, file(&[entry])).unwrap();
            let checked = run(world, &["endpoints", "check", path]).await;
            assert_eq!(checked.status.code(), Some(1), "{bad}");
            let told = String::from_utf8([checked.stdout, checked.stderr].concat()).unwrap();
            assert!(
                told.contains(words) && told.contains("ep_crm") && !told.contains("whsec_M"),
                "{told}"
            );
        }
        // The newline that an editor adds is no part of it.
        std::fs::write(secret, format!("{SECRET}\n")).unwrap();
        let good = run(
            world,
            &["sign", "--id", "evt_1", "--data", "{}", "--secret-file", secret],
        )
        .await;
        assert!(good.status.success());
    })
    .await;
}

/// No service is needed for it.
#[test]
fn every_variable_that_is_read_or_documented_is_known() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut texts: Vec<PathBuf> = vec!["README.md".into(), "Makefile".into(), "CONTRIBUTING.md".into()];
    for folder in [
        "common/src",
        "producer/src",
        "consume/src",
        "dispatcher/src",
        "cli/src",
        "bench/src",
        "tests/src",
        "scripts",
        "deploy",
        "docs",
        "examples",
    ] {
        texts.extend(files(&root.join(folder)));
    }
    let mut names = BTreeSet::new();
    for path in texts {
        let Ok(text) = std::fs::read_to_string(root.join(&path)) else {
            continue;
        };
        // Tests play mistakes: what stands behind this is theirs.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let words = text.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
        let ours = words.filter(|word| word.starts_with("HOOKLINE_") && !word.ends_with('_'));
        names.extend(ours.map(str::to_owned));
    }
    assert!(names.len() > variables::ALL.len() - 2, "{names:?}");
    let unknown: Vec<_> = names
        .iter()
        .filter(|name| !is_known(name) && !name.starts_with("HOOKLINE_TEST_"))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("node_modules") || path.ends_with("tests.rs") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
