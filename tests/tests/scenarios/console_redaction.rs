//! No secret in the open: everything that a console prints, at its most talkative, and everything that it answers, is searched
//! for what must not be there.

use hookline_tests::console::{MASTER_KEY, database_scenario, setup, start};
use hookline_tests::eventually;
use hyper::Method;
use serde_json::json;

use crate::SOON;

/// Stands in every secret of this scenario.
const MARKER: &str = "MARKER0MARKER0MARKER0MARKER0MARKER0MARKER0";
const OF_ACME: &str = "/v1/companies/acme/endpoints";

#[tokio::test]
async fn no_secret_is_printed_at_trace_level_or_shown_as_a_metric_or_in_a_problem() {
    database_scenario(async |world, database| {
        let admin_token = format!("admin-{MARKER}");
        let setup = setup(world, database)
            .set("RUST_LOG", "trace")
            .set("HOOKLINE_ADMIN_TOKEN", &admin_token);
        let console = start(setup).await;
        let admin = console.admin().with_token(Some(&admin_token));
        let secret = format!("whsec_{MARKER}aA==");
        let url = format!("https://example.com/hooks?token={MARKER}");
        let wanted = json!({"url": url, "secret": secret, "id": "ep_crm", "headers": {"x-key": MARKER}});
        admin.post(OF_ACME, &wanted).await.expect(201);
        let one = format!("{OF_ACME}/ep_crm");
        let file = format!(
            "[[endpoint]]\nid = \"ep_file\"\ncompany = \"acme\"\nurl = \"{url}\"\nsecret = \"{secret}\"\n"
        );
        let broken = format!("{file}secret = \"{secret}\"\nheaders = {{ host = \"{MARKER}\" }}\n");
        let import = async |text: &str| {
            let path = format!("{OF_ACME}/import");
            admin
                .send_bytes(Method::POST, &path, Some("application/toml"), text)
                .await
        };
        let mut told = vec![
            admin.get(OF_ACME).await.expect(200),
            admin
                .patch(&one, &json!({"headers": {"x-more": MARKER}}))
                .await
                .expect(200),
            admin.get("/v1/companies/acme/audit").await.expect(200),
            import(&file).await.expect(200),
            import(&broken).await.expect(400),
            admin.get(OF_ACME).await.expect(200),
        ];
        // Refused, and not repeated.
        for refused in [
            json!({"url": format!("https://user:{MARKER}@example.com/")}),
            json!({"url": format!("http://10.0.0.1/?token={MARKER}")}),
            json!({"url": "https://example.com/", "secret": format!("\"{secret}\"")}),
            json!({"url": "https://example.com/", "headers": {"host": MARKER}}),
            json!({"url": "https://example.com/", "headers": {"x-a": format!("{MARKER}\n")}}),
        ] {
            told.push(admin.post(OF_ACME, &refused).await.expect(400));
        }
        let token = admin
            .post("/v1/companies/acme/tokens", &json!({}))
            .await
            .expect(201)
            .json();
        let token = token["token"].as_str().unwrap().to_owned();
        let acme = admin.with_token(Some(&token));
        acme.get(&format!("{one}/secret")).await.expect(200);
        let rotated = acme
            .post(&format!("{one}/rotate-secret"), &json!({}))
            .await
            .expect(200)
            .json();
        let rotated = rotated["secret"].as_str().unwrap().to_owned();
        // Whoever has half of one is not told the rest.
        admin
            .with_token(Some(&format!("{admin_token}x")))
            .get(OF_ACME)
            .await
            .expect(401);
        // What somebody else chose cannot forge a line of the log.
        admin
            .get("/v1/companies/%0d%0aERROR%1b%5b31mforged/endpoints")
            .await
            .expect(404);
        // And a failure that is logged at its loudest.
        database
            .execute("UPDATE endpoints SET secret = 'x' WHERE id = 'ep_crm'")
            .await
            .unwrap();
        told.push(admin.get(&format!("{one}/secret")).await.expect(500));
        told.push(admin.get("/metrics").await.expect(200));

        for reply in &told {
            let shown = reply.body.replace(&format!("?token={MARKER}"), "");
            assert!(!shown.contains(MARKER), "{reply:?}");
        }
        let log = eventually(SOON, "the failure is logged", async || {
            let log = console.process().log();
            log.contains("a request failed").then_some(log)
        })
        .await;
        assert!(
            log.contains("TRACE") || log.contains("DEBUG"),
            "it was talkative: {log}"
        );
        let password = database.url().password().unwrap_or_default();
        let login = format!(":{password}@");
        for line in log.lines() {
            for never in [MARKER, &token, &rotated, MASTER_KEY, &login] {
                assert!(!line.contains(never), "{line}");
            }
            assert!(
                !line.contains('\u{1b}') && !line.starts_with("ERROR\u{1b}"),
                "{line}"
            );
        }
    })
    .await;
}
