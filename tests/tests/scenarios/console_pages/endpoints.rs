//! An endpoint's life by forms alone.

use hookline_tests::browser::{Browser, between};
use hookline_tests::console::console_scenario;
use serde_json::{Value, json};

use super::{ENDPOINTS, member};

#[tokio::test]
async fn an_endpoint_is_looked_after_by_forms_alone_and_by_the_same_rules_as_over_the_api() {
    console_scenario(async |console, _| {
        let acme = member(console, "acme").await;
        let form = acme.get(&format!("{ENDPOINTS}/new")).await.expect(200);
        let id = between(&form.body, "name=\"id\" value=\"", "\"").unwrap();
        let proof = acme.proof().await;
        let checked = acme
            .bare_post(
                "/companies/acme/check-url",
                &[("csrf", &proof), ("url", "https://10.0.0.1/")],
            )
            .await
            .expect(200);
        let api = console.company("acme").await;
        let refused = api
            .post(
                "/v1/companies/acme/endpoints",
                &json!({"url": "https://10.0.0.1/"}),
            )
            .await;
        let detail = refused.expect(400).json()["detail"]
            .as_str()
            .unwrap()
            .to_lowercase();
        let fault = checked.json()["fault"].as_str().unwrap().to_lowercase();
        assert!(fault.starts_with(&detail), "{fault}\n{detail}");

        let fields = [
            ("id", id.as_str()),
            ("url", "https://example.com/hooks"),
            ("format", "meetergo"),
            ("which", "some"),
            ("event", "form.submitted"),
            ("others", "booking.*"),
            ("header_name", "x-team"),
            ("header_value", "crm"),
            ("description", "CRM"),
            ("rate", "50/s"),
        ];
        let added = acme.post(ENDPOINTS, &fields).await.expect(200);
        let secret = format!("whsec_{}", between(&added.body, "whsec_", "<").unwrap());
        let of_api = format!("/v1/companies/acme/endpoints/{id}");
        let reveal = api.get(&format!("{of_api}/secret")).await.expect(200).json();
        assert_eq!(reveal["secret"], json!(secret));
        // The same form again is the same endpoint.
        let again = acme.post(ENDPOINTS, &fields).await.expect(303);
        assert!(Browser::location(&again).unwrap().ends_with("done=exists"));
        let shown = api.get(&of_api).await.expect(200).json();
        for (member, value) in [
            ("url", json!("https://example.com/hooks")),
            ("format", json!("meetergo")),
            ("events", json!(["form.submitted", "booking.*"])),
            ("headers", json!({"x-team": "***"})),
            ("description", json!("CRM")),
            ("rate", json!("50/s")),
        ] {
            assert_eq!(shown[member], value, "{member}");
        }
        let one = format!("{ENDPOINTS}/{id}");
        let list = acme.get(ENDPOINTS).await.expect(200);
        assert!(list.body.contains("form_submission"), "in the format's own words");

        acme.post(&format!("{one}/pause"), &[]).await.expect(303);
        assert_eq!(api.get(&of_api).await.json()["disabled"], json!(true));
        acme.post(&format!("{one}/resume"), &[]).await.expect(303);
        assert_eq!(api.get(&of_api).await.json()["disabled"], json!(false));
        let edit = [
            ("url", "https://example.com/other"),
            ("format", "meeva"),
            ("which", "all"),
            ("kept_name", "x-team"),
            ("kept_value", ""),
            ("header_name", "x-more"),
            ("header_value", "1"),
            ("description", ""),
            ("rate", ""),
        ];
        acme.post(&format!("{one}/edit"), &edit).await.expect(303);
        let shown = api.get(&of_api).await.expect(200).json();
        assert_eq!(shown["headers"], json!({"x-team": "***", "x-more": "***"}));
        assert_eq!(
            (&shown["rate"], &shown["description"]),
            (&Value::Null, &Value::Null)
        );

        let rotated = acme
            .post(&format!("{one}/rotate"), &[("overlap", "1h")])
            .await
            .expect(200);
        assert!(rotated.body.contains("whsec_") && !rotated.body.contains(&secret));
        assert_eq!(
            acme.post(&format!("{one}/rotate"), &[("overlap", "1h")])
                .await
                .status,
            409
        );
        assert!(
            rotated.body.contains("<h1>Secret rotated</h1>"),
            "{}",
            rotated.body
        );
        // The old secret ends after a question, and looking at the question ends nothing.
        let asked = acme.get(&format!("{one}/complete")).await.expect(200);
        assert!(asked.body.contains("End the old secret now?"), "{}", asked.body);
        assert!(api.get(&of_api).await.json()["overlap_until"].is_string());
        acme.post(&format!("{one}/complete"), &[]).await.expect(303);
        let asked = acme.get(&format!("{one}/complete")).await.expect(200);
        assert!(asked.body.contains("It has ended already"), "{}", asked.body);
        assert_eq!(api.get(&of_api).await.json()["overlap_until"], Value::Null);

        for number in 2..=6 {
            console
                .register("acme", &json!({"url": format!("https://{number}.example.com/")}))
                .await;
        }
        let full = acme.get(&format!("{ENDPOINTS}/new")).await.expect(200);
        assert!(full.body.contains("6 of 6") && !full.body.contains("name=\"url\""));
        let seventh = acme
            .post(ENDPOINTS, &[("url", "https://7.example.com/"), ("which", "all")])
            .await;
        assert_eq!(seventh.status, 409);
        acme.post(&format!("{one}/remove"), &[]).await.expect(303);
        assert_eq!(api.get(&of_api).await.problem(404), "not_found");
    })
    .await;
}
