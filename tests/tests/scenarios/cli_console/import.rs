//! `hookline endpoints import`: a file brought into the console, looked at first.

use hookline_tests::cli::{out, why};
use hookline_tests::console::{database_scenario, setup, start};
use serde_json::{Value, json};

use super::Shell;

fn entry(company: &str, id: &str, rest: &str) -> String {
    format!("[[endpoint]]\ncompany = {company:?}\nid = {id:?}\nurl = \"https://example.com/{id}\"\n{rest}\n")
}

fn fates(rows: &[Value]) -> Vec<(u64, &str, &str, &str)> {
    let text = |row: &'_ Value, name: &str| row[name].as_str().unwrap().to_owned().leak() as &str;
    rows.iter()
        .map(|row| {
            (
                row["row"].as_u64().unwrap(),
                text(row, "company"),
                text(row, "id"),
                text(row, "result"),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_file_of_several_companies_is_imported_with_secrets_that_stand_elsewhere() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let admin = Shell::admin(world, &console);
        let secret = world.path("secret");
        std::fs::write(&secret, "secret-in-a-file-0123\n").unwrap();
        let file = world.path("import.toml");
        let text = [
            entry(
                "globex",
                "ep_1",
                &format!("secret_file = {secret:?}\nprevious_secret = \"previous-secret-0123\""),
            ),
            entry("acme", "ep_2", "secret_env = \"HOOKLINE_CRM_SECRET\""),
            entry(
                "globex",
                "ep_3",
                "secret = \"secret-of-ep_3-0123\"\nevents = [\"booking.*\"]",
            ),
        ]
        .concat();
        std::fs::write(&file, &text).unwrap();
        let import = async |more: &str| {
            let line = format!("endpoints import {}{more}", file.display());
            let words: Vec<&str> = line.split(' ').collect();
            let mut command = admin.command(&words);
            command.env("HOOKLINE_CRM_SECRET", "secret-in-a-variable");
            let output = command.output().await.unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                !stderr.contains("secret-") && !out(&output).contains("secret-"),
                "{stderr}"
            );
            // A variable that holds a secret is no misspelt setting.
            assert!(!stderr.contains("is no setting"), "{stderr}");
            output
        };
        let results = |output: std::process::Output| -> Vec<Value> {
            assert!(output.status.success(), "{output:?}");
            let text = out(&output);
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        let all = |result: &'static str| {
            vec![
                (1, "globex", "ep_1", result),
                (2, "acme", "ep_2", result),
                (3, "globex", "ep_3", result),
            ]
        };

        assert_eq!(fates(&results(import(" --dry-run --json").await)), all("created"));
        assert!(admin.objects("endpoints list --company globex").await.is_empty());
        // Without a terminal nobody can be asked.
        assert!(why(&import("").await, 2).contains("--yes"));
        assert_eq!(fates(&results(import(" --yes --json").await)), all("created"));
        for (company, id, secret) in [
            ("globex", "ep_1", "secret-in-a-file-0123"),
            ("acme", "ep_2", "secret-in-a-variable"),
        ] {
            let shown = admin
                .object(&format!("endpoints show {id} --company {company} --secret"))
                .await;
            assert_eq!(shown["secret"], json!(secret));
        }
        // Again: nothing to do, and nothing to ask.
        let again = import(" --yes").await;
        assert!(out(&again).contains("unchanged"), "{again:?}");
        assert_eq!(fates(&results(import(" --yes --json").await)), all("unchanged"));

        // At a terminal one is asked, once it is known what would happen.
        let changed = text.replace("booking.*", "form.*").replace(
            "secret_env = \"HOOKLINE_CRM_SECRET\"",
            "secret = \"newer-secret-0123\"",
        );
        std::fs::write(&file, changed).unwrap();
        let line = format!("endpoints import {}", file.display());
        let (code, screen) = admin.on_a_terminal(&line, "n\n").await;
        assert!(
            code == Some(1) && screen.contains("2 to change, 1 unchanged, 0 refused. Do it?"),
            "{screen}"
        );
        let events = async || admin.object("endpoints show ep_3 --company globex").await["events"].clone();
        assert_eq!(events().await, json!(["booking.*"]));
        let (code, screen) = admin.on_a_terminal(&line, "y\n").await;
        assert!(code == Some(0) && screen.contains("2 changed"), "{screen}");
        assert_eq!(events().await, json!(["form.*"]));
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_is_told_and_keeps_nothing_else_out() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let admin = Shell::admin(world, &console);
        let file = world.path("import.toml");
        let secret = "secret = \"0123456789abcdef\"";
        let mut text: String = (0..7)
            .map(|number| entry("acme", &format!("ep_{number}"), secret))
            .collect();
        text.push_str(&entry("globex", "ep_bad", secret).replace("example.com", "10.0.0.1"));
        std::fs::write(&file, &text).unwrap();
        let output = admin
            .run(&format!("endpoints import {} --yes", file.display()))
            .await;
        let told = why(&output, 1);
        assert!(told.contains("2 of 8 endpoints were refused"), "{told}");
        let report = out(&output);
        assert!(
            report.contains("as many as it may have") && report.contains("10.0.0.1"),
            "{report}"
        );
        assert_eq!(admin.objects("endpoints list --company acme").await.len(), 6);

        // A file with faults goes nowhere.
        std::fs::write(&file, entry("initech", "ep_1", "secret_env = \"NOT_SET\"")).unwrap();
        let output = admin
            .run(&format!("endpoints import {} --yes", file.display()))
            .await;
        assert!(why(&output, 1).contains("one fault"));
        assert!(out(&output).contains("secret_env"), "{output:?}");
    })
    .await;
}

#[tokio::test]
async fn a_list_is_followed_to_its_end_and_no_id_is_cut() {
    const ENDPOINTS: usize = 420;
    database_scenario(async |world, database| {
        let roomy = setup(world, database).set("HOOKLINE_ENDPOINTS_PER_COMPANY", "1000");
        let console = start(roomy).await;
        let admin = Shell::admin(world, &console);
        let file = world.path("import.toml");
        let ids: Vec<String> = (0..ENDPOINTS).map(|number| format!("ep_{number:0>60}")).collect();
        // So long that the console takes the file in parts alone.
        let rest = format!("secret = \"{}\"\nevents = [\"booking.*\"]", "s".repeat(250));
        let text: String = ids.iter().map(|id| entry("acme", id, &rest)).collect();
        std::fs::write(&file, text).unwrap();
        let report = admin
            .objects(&format!("endpoints import {} --yes", file.display()))
            .await;
        assert_eq!(report.len(), ENDPOINTS);
        let listed = admin.objects("endpoints list --company acme").await;
        let listed: Vec<&str> = listed.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(listed, ids);
        let (code, screen) = admin.on_a_terminal("endpoints list --company acme", "").await;
        assert!(code == Some(0) && ids.iter().all(|id| screen.contains(id.as_str())));
    })
    .await;
}
