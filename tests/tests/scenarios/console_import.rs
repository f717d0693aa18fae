//! The endpoints file, brought into the registry.

use hookline_tests::api::Reply;
use hookline_tests::console::{Console, console_scenario};
use hyper::Method;
use serde_json::{Value, json};

async fn import(console: &Console, query: &str, file: &str) -> Reply {
    let path = format!("/v1/companies/acme/endpoints/import{query}");
    console
        .admin()
        .send_bytes(Method::POST, &path, Some("application/toml"), file)
        .await
}

fn entry(company: &str, id: &str, rest: &str) -> String {
    format!(
        "[[endpoint]]\ncompany = \"{company}\"\nid = \"{id}\"\nurl = \"https://example.com/{id}\"\n\
         secret = \"secret-of-{id}-0123456789\"\n{rest}\n"
    )
}

fn results(reply: Reply) -> Vec<(String, String)> {
    let rows = reply.expect(200).json()["results"].as_array().unwrap().clone();
    let text = |row: &Value, member: &str| row[member].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| (text(row, "id"), text(row, "result")))
        .collect()
}

fn all(ids: &[&str], result: &str) -> Vec<(String, String)> {
    ids.iter()
        .map(|id| ((*id).to_owned(), result.to_owned()))
        .collect()
}

async fn listed(console: &Console) -> Value {
    console
        .admin()
        .get("/v1/companies/acme/endpoints")
        .await
        .expect(200)
        .json()["data"]
        .clone()
}

#[tokio::test]
async fn a_file_is_looked_at_first_then_imported_and_then_there_is_nothing_left_to_do() {
    console_scenario(async |console, _| {
        let rest =
            "headers = { \"x-key\" = \"v\" }\nrate = \"5/s\"\nprevious_secret = \"previous-secret-0123\"";
        let file = format!(
            "{}{}",
            entry("acme", "ep_a", rest),
            entry("acme", "ep_b", "disabled = true")
        );
        let ids = ["ep_a", "ep_b"];
        assert_eq!(
            results(import(console, "?dry_run=true", &file).await),
            all(&ids, "created")
        );
        assert_eq!(listed(console).await, json!([]), "a dry run keeps nothing");
        assert_eq!(results(import(console, "", &file).await), all(&ids, "created"));
        let there = listed(console).await;
        assert_eq!(
            (&there[0]["rate"], &there[1]["disabled"]),
            (&json!("5/s"), &json!(true))
        );
        assert!(there[0]["overlap_until"].is_string());
        assert_eq!(results(import(console, "", &file).await), all(&ids, "unchanged"));
        assert_eq!(listed(console).await, there);
        let shown = console
            .admin()
            .get("/v1/companies/acme/endpoints/ep_a/secret")
            .await
            .expect(200)
            .json();
        assert_eq!(shown["secret"], json!("secret-of-ep_a-0123456789"));

        // One that differs is changed, in what differs alone.
        let changed = file.replace("disabled = true", "format = \"standard\"");
        let told = results(import(console, "?dry_run=true", &changed).await);
        assert_eq!(
            told,
            [all(&["ep_a"], "unchanged"), all(&["ep_b"], "changed")].concat()
        );
        import(console, "", &changed).await.expect(200);
        assert_eq!(listed(console).await[1]["format"], json!("standard"));
        let other_secret = changed.replace("secret-of-ep_b", "newer-one-ep_b");
        assert_eq!(results(import(console, "", &other_secret).await)[1].1, "changed");
    })
    .await;
}

#[tokio::test]
async fn each_row_has_its_own_fate() {
    console_scenario(async |console, _| {
        let mut file: String = (0..7)
            .map(|number| entry("acme", &format!("ep_{number}"), ""))
            .collect();
        file.push_str(&entry("globex", "ep_x", ""));
        file.push_str(&entry("acme", "ep_bad", "").replace("https://example.com/", "https://10.0.0.1/"));
        let fates = results(import(console, "", &file).await);
        let fates: Vec<&str> = fates.iter().map(|(_, fate)| fate.as_str()).collect();
        assert_eq!(fates[..6], ["created"; 6]);
        assert_eq!(fates[6..], ["refused", "skipped", "refused"]);
        assert_eq!(listed(console).await.as_array().unwrap().len(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_file_with_faults_is_refused_whole_and_reads_nothing_of_the_consoles() {
    console_scenario(async |console, _| {
        let file = entry("acme", "ep_a", "").replace(
            "secret = \"secret-of-ep_a-0123456789\"",
            "secret_env = \"HOOKLINE_MASTER_KEY\"",
        );
        let file = format!(
            "{file}{}",
            entry("acme", "ep_b", "colour = \"red\"").replace("secret =", "secret_file =")
        );
        let refused = import(console, "", &file).await;
        assert_eq!(refused.problem(400), "invalid_request");
        assert_eq!(
            refused.json()["errors"].as_array().unwrap().len(),
            3,
            "{refused:?}"
        );
        assert_eq!(
            import(console, "", "no toml [").await.problem(400),
            "invalid_request"
        );
        assert_eq!(listed(console).await, json!([]));
        let json = console
            .admin()
            .post("/v1/companies/acme/endpoints/import", &json!({}))
            .await;
        assert_eq!(json.problem(415), "unsupported_media_type");
        assert_eq!(
            import(console, "?dry_run=perhaps", "").await.problem(400),
            "invalid_request"
        );
    })
    .await;
}

#[tokio::test]
async fn an_import_that_enables_an_endpoint_or_sends_it_elsewhere_lets_it_start_afresh() {
    console_scenario(async |console, database| {
        let health = async |id: &str| {
            let path = format!("/v1/companies/acme/endpoints/{id}");
            console.admin().get(&path).await.expect(200).json()["health"].clone()
        };
        let file = |rest: &str| {
            format!(
                "{}{}{}",
                entry("acme", "ep_enabled", rest),
                entry("acme", "ep_other", "rate = \"1/s\""),
                entry("acme", "ep_moved", "")
            )
        };
        import(console, "", &file("disabled = true")).await.expect(200);
        // One that has only failed for five days, or is gone, is disabled within a second where it is not already.
        for (id, days, gone_at) in [("ep_enabled", 6, "now()"), ("ep_other", 4, "NULL"), ("ep_moved", 4, "NULL")] {
            let failing = format!(
                "INSERT INTO endpoint_health (company, endpoint, consecutive_failures, failing_since, last_failure_at, gone_at) \
                 VALUES ('acme', '{id}', 7, now() - interval '{days} days', now(), {gone_at})"
            );
            database.execute(&failing).await.unwrap();
        }
        let wanted = file("")
            .replace("1/s", "2/s")
            .replace("https://example.com/ep_moved", "https://example.com/elsewhere");
        // A dry run changes nothing.
        import(console, "?dry_run=true", &wanted).await.expect(200);
        assert_eq!(health("ep_enabled").await["consecutive_failures"], 7);
        let told = results(import(console, "", &wanted).await);
        assert!(told.iter().all(|(_, result)| result == "changed"), "{told:?}");
        for id in ["ep_enabled", "ep_moved"] {
            let health = health(id).await;
            assert_eq!(
                (&health["consecutive_failures"], &health["failing_since"]),
                (&json!(0), &json!(null)),
                "{id}: {health}"
            );
            assert!(health["last_failure_at"].is_string(), "{id}: {health}");
        }
        assert_eq!(health("ep_other").await["consecutive_failures"], 7, "another rate mends nothing");
        let gone = "SELECT endpoint FROM endpoint_health WHERE gone_at IS NOT NULL";
        assert!(database.texts(gone).await.is_empty());
    })
    .await;
}
