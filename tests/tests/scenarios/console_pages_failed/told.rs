//! Which settings are told to whom.

use hookline_tests::console::{database_scenario, setup, start};
use serde_json::json;

use super::{member, operator};

#[tokio::test]
async fn only_the_operator_is_told_of_settings_that_only_the_operator_can_change() {
    database_scenario(async |world, database| {
        // As it is where nothing more is let through.
        let setup = setup(world, database)
            .unset("HOOKLINE_ALLOW_HTTP")
            .unset("HOOKLINE_ALLOW_CIDRS");
        let console = &start(setup).await;
        let (operator, acme) = (operator(console).await, member(console, "acme").await);
        for url in [
            "http://example.com/",
            "https://localhost/",
            "https://10.0.0.1/",
            "https://[::1]/",
        ] {
            for (browser, is_told) in [(&operator, true), (&acme, false)] {
                let checked = browser
                    .post("/companies/acme/check-url", &[("url", url)])
                    .await
                    .expect(200);
                let fault = checked.json()["fault"].as_str().unwrap().to_owned();
                assert!(fault.contains("not allowed"), "{url}: {fault}");
                assert_eq!(fault.contains("HOOKLINE_"), is_told, "{url}: {fault}");
                let fields = [("url", url), ("which", "all")];
                let refused = browser
                    .post("/companies/acme/endpoints", &fields)
                    .await
                    .expect(400);
                assert_eq!(refused.body.contains("HOOKLINE_"), is_told, "{url}");
            }
        }
        let api = console.company("acme").await;
        let refused = api
            .post(
                "/v1/companies/acme/endpoints",
                &json!({"url": "http://example.com/"}),
            )
            .await;
        assert!(!refused.expect(400).body.contains("HOOKLINE_"));
    })
    .await;
}
