//! E10: what a form must prove, and where it must come from.

use hookline_console::api::Access;
use hookline_console::pages::pages;
use hookline_tests::console::console_scenario;
use hyper::Method;
use serde_json::json;

use super::{ENDPOINTS, ask, audit_lines, id_of, member, operator, path};

#[tokio::test]
async fn a_form_without_the_proof_of_this_session_changes_nothing() {
    console_scenario(async |console, database| {
        let operator = operator(console).await;
        let proof = operator.proof().await;
        let of_another = member(console, "acme").await.proof().await;
        for (number, page) in pages().iter().enumerate() {
            if page.method != "POST" {
                continue;
            }
            let company = format!("company-{number}");
            let id = id_of(console, database, page, &company).await;
            let path = path(page, &company, &id);
            let lines = audit_lines(console, &company).await;
            let told = &path;
            for origin in [
                None,
                Some("null"),
                Some("https://evil.example"),
                Some("http://127.0.0.1"),
            ] {
                let mut foreign = operator.clone();
                foreign.origin = origin.map(str::to_owned);
                let refused = ask(&foreign, page, &path, &proof).await;
                assert_eq!(refused.status, 403, "{told} from {origin:?}: {refused:?}");
            }
            if page.access != Access::Public {
                for wrong in ["", "x", of_another.as_str()] {
                    let refused = ask(&operator, page, &path, wrong).await;
                    assert_eq!(refused.status, 403, "{told} with {wrong}");
                }
                let json = operator
                    .send(
                        Method::POST,
                        &path,
                        Some("application/json"),
                        json!({"csrf": proof}).to_string(),
                    )
                    .await;
                assert_eq!(json.status, 415, "{told}");
            }
            // A form's fields in the address are no form.
            let looked = operator.get(&format!("{path}?csrf={proof}")).await;
            assert_ne!(looked.status, 500, "{told}");
            assert_eq!(audit_lines(console, &company).await, lines, "{told}");
        }
        // The API knows no cookie, and pages know no bearer.
        let api = operator.get("/v1/companies/acme/endpoints").await;
        assert_eq!(api.problem(401), "unauthorized");
        let bearer = console.admin().get(ENDPOINTS).await;
        assert_eq!(bearer.status, 303);
    })
    .await;
}
