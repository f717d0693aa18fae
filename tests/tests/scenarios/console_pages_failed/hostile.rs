//! E10 to E12: whatever failed, and whatever is asked for, is shown as text.

use hookline_tests::console::console_scenario;
use hookline_tests::log_rows::Row;
use serde_json::json;

use super::{DISCARD, FAILED, RETRY, operator};

#[tokio::test]
async fn whatever_failed_and_whatever_is_asked_for_is_shown_as_text() {
    console_scenario(async |console, database| {
        let hostile = r#"<script>alert(1)</script>"><img src=x onerror=alert(2)><svg/onload=alert(3)>{{7*7}}javascript:alert(4)"#;
        let wanted = json!({"url": "https://example.com/", "id": "ep_crm", "description": hostile});
        console.register("acme", &wanted).await;
        console.register("acme", &json!({"url": "https://example.com/2", "id": "ep_bidi"})).await;
        for endpoint in ["ep_crm", "ep_bidi", "ep_gone"] {
            let row = Row::of("evt_1", endpoint, 60).status("failed", "http_status", 500);
            let data = json!({"a": hostile, "b": "\u{202e}txt.exe\u{1b}[31m\u{7f}"}).to_string();
            row.insert_dead(database, &data.replace('\'', "")).await;
        }
        // What no API would take, and somebody wrote into the database.
        database
            .execute("UPDATE endpoints SET description = U&'\\202Eevil\\001B[31m' WHERE id = 'ep_bidi'")
            .await
            .unwrap();
        let operator = operator(console).await;
        let asked = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E%3Cimg%20src=x%3E%E2%80%AE";
        let mut shown = Vec::new();
        for path in [
            FAILED.to_owned(),
            format!("{FAILED}/evt_1/ep_crm"),
            format!("{FAILED}/evt_1/ep_bidi"),
            format!("{FAILED}/evt_1/ep_gone"),
            format!("{FAILED}?discarded={asked}&none={asked}&after={asked}"),
        ] {
            shown.push(operator.get(&path).await.expect(200));
        }
        for name in ["endpoint", "type", "outcome", "last_status", "reason", "since", "until", "open"] {
            let refused = operator.get(&format!("{FAILED}?{name}={asked}")).await.expect(400);
            assert!(refused.body.contains("&lt;script&gt;alert(1)"), "{name}: what was asked for is kept");
            shown.push(refused);
        }
        for pick in ["evt_1/ep_crm", "evt_1/ep_bidi", "evt_1/ep_gone"] {
            shown.push(operator.post(RETRY, &[("pick", pick)]).await);
            shown.push(operator.post(DISCARD, &[("pick", pick)]).await);
        }
        shown.push(operator.post(RETRY, &[("pick", hostile)]).await);
        shown.push(operator.post(DISCARD, &[("which", "all"), ("type", hostile), ("asked_at", hostile)]).await);
        for reply in &shown {
            let body = &reply.body;
            for bad in ["<script>", "<img", "<svg/", "\u{202e}", "\u{1b}", "\u{7f}"] {
                assert!(!body.contains(bad), "{bad:?} in {body}");
            }
            assert!(!body.contains("href=\"javascript:") && !body.contains(" onerror=alert(2)>"), "{body}");
            let policy = reply.header("content-security-policy").unwrap();
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        }
        let bidi = &shown[2].body;
        assert!(bidi.contains("&lt;U+202E&gt;") && bidi.contains('␛'), "{bidi}");
    })
    .await;
}
