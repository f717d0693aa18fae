//! What nobody wants is discarded, after one question.

use hookline_tests::api::Reply;
use hookline_tests::browser::{Browser, between};
use hookline_tests::console::console_scenario;
use serde_json::json;

use super::{DISCARD, FAILED, RETRY, dead, filed, member, text};

#[tokio::test]
async fn what_nobody_wants_is_discarded_after_one_question_and_nothing_else_is() {
    console_scenario(async |console, database| {
        console
            .register(
                "acme",
                &json!({"url": "https://example.com/", "id": "ep_crm", "description": "CRM"}),
            )
            .await;
        for number in 0..60 {
            dead(
                database,
                &format!("evt_{number:03}"),
                "ep_crm",
                "http_status",
                500,
                600 - number,
            )
            .await;
        }
        dead(database, "evt_other", "ep_crm", "timeout", 0, 60).await;
        let acme = member(console, "acme").await;
        // Nothing selected is nothing, and never all.
        for path in [RETRY, DISCARD] {
            let none = acme
                .post(
                    path,
                    &[("which", "picked"), ("sure", "1"), ("endpoint", "ep_crm")],
                )
                .await;
            let back = Browser::location(&none.expect(303)).unwrap().to_owned();
            assert_eq!(back, format!("{FAILED}?endpoint=ep_crm&none=1"));
            let told = text(&acme.get(&back).await.expect(200));
            assert!(told.contains("Nothing was selected"), "{told}");
        }
        assert_eq!(filed(database).await, 61);
        // Pages go on by cursor, the newest first.
        let page = acme.get(FAILED).await.expect(200);
        let older = between(&page.body, "href=\"/companies/acme/failed?after=", "\"").unwrap();
        let rest = acme.get(&format!("{FAILED}?after={older}")).await.expect(200);
        let rows = |reply: &Reply| reply.body.matches("name=\"pick\"").count();
        assert_eq!((rows(&page), rows(&rest)), (50, 11));

        let picked = [("pick", "evt_001/ep_crm"), ("pick", "evt_002/ep_crm")];
        let asked = acme.post(DISCARD, &picked).await.expect(200);
        let told = text(&asked);
        assert!(
            told.contains("Discard 2 failed deliveries?") && told.contains("CRM 2"),
            "{told}"
        );
        assert_eq!(filed(database).await, 61, "only a question");
        let sure = [&picked[..], &[("sure", "1")]].concat();
        let gone = acme.post(DISCARD, &sure).await.expect(303);
        let told = text(&acme.get(Browser::location(&gone).unwrap()).await.expect(200));
        assert!(told.contains("Discarded: 2 deliveries."), "{told}");
        assert_eq!(filed(database).await, 59);

        // By filter: what fails after the question stays.
        let all = [("which", "all"), ("outcome", "http_status")];
        let asked = acme.post(DISCARD, &all).await.expect(200);
        let told = text(&asked);
        assert!(told.contains("Discard 58 failed deliveries?"), "{told}");
        let asked_at = between(&asked.body, "name=\"asked_at\" value=\"", "\"").unwrap();
        database
            .execute(
                "UPDATE dead_letters SET failed_at = now() + interval '1 minute' WHERE event = 'evt_059'",
            )
            .await
            .unwrap();
        let sure = [&all[..], &[("sure", "1"), ("asked_at", &asked_at)]].concat();
        let gone = acme.post(DISCARD, &sure).await.expect(303);
        assert_eq!(
            Browser::location(&gone),
            Some("/companies/acme/failed?outcome=http_status&discarded=57")
        );
        let left = database.texts("SELECT event FROM dead_letters ORDER BY 1").await;
        assert_eq!(left, ["evt_059", "evt_other"]);
        let deeds = "SELECT action FROM audit WHERE action LIKE 'failed.%' AND actor LIKE 'portal:%'";
        assert_eq!(database.texts(deeds).await.len(), 2);
    })
    .await;
}
