//! E11: what others wrote is text; in a real browser it is `make test-browser` that sees so.

use hookline_tests::console::console_scenario;
use serde_json::json;

use super::{ENDPOINTS, operator};

#[tokio::test]
async fn what_others_wrote_is_text() {
    console_scenario(async |console, database| {
        let hostile = r#"<script>alert(1)</script>"><img src=x onerror=alert(2)>'<svg/onload=alert(3)>{{7*7}}${7*7}javascript:alert(4)"#;
        let made = console
            .register(
                "acme",
                &json!({"url": "https://example.com/?<script>", "description": hostile, "headers": {"x-a": "<b>"}}),
            )
            .await;
        let token = json!({ "name": &hostile[..100] });
        console
            .admin()
            .post("/v1/companies/acme/tokens", &token)
            .await
            .expect(201);
        // What no API would take, and somebody wrote into the database.
        database
            .execute("UPDATE tokens SET name = name || U&'\\202E\\001B[31m'")
            .await
            .unwrap();
        let operator = operator(console).await;
        let id = made["id"].as_str().unwrap();
        let mut shown = Vec::new();
        for path in [
            ENDPOINTS.to_owned(),
            format!("{ENDPOINTS}/{id}"),
            format!("{ENDPOINTS}/{id}/edit"),
            format!("{ENDPOINTS}/{id}/remove"),
            format!("{ENDPOINTS}/{id}/test"),
            "/companies/acme/tokens".to_owned(),
            "/companies/acme/audit".to_owned(),
            "/companies?company=%3Cscript%3Ealert(1)%3C/script%3E&open=1".to_owned(),
            "/sign-in?next=/%22%3E%3Cscript%3E".to_owned(),
        ] {
            shown.push(operator.get(&path).await);
        }
        let fields = [("url", hostile), ("description", hostile), ("others", hostile), ("which", "some")];
        let refused = operator.post(ENDPOINTS, &fields).await.expect(400);
        assert!(refused.body.contains("&lt;script&gt;alert(1)"), "what was typed is kept");
        shown.push(refused);
        for reply in &shown {
            let body = &reply.body;
            for bad in ["<script>", "<img", "<svg/", "\u{202e}", "\u{1b}"] {
                assert!(!body.contains(bad), "{bad:?} in {body}");
            }
            assert!(!body.contains("href=\"javascript:"), "{body}");
        }
        let tokens = &shown[5].body;
        assert!(tokens.contains("&lt;U+202E&gt;") && tokens.contains('␛'), "{tokens}");
    })
    .await;
}
