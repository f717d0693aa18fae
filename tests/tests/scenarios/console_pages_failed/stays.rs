//! What cannot be sent again, and why.

use hookline_tests::console::console_scenario;
use serde_json::json;

use super::{FAILED, RETRY, dead, member, text};

#[tokio::test]
async fn a_disabled_endpoint_must_be_enabled_first_and_a_removed_one_cannot_be() {
    console_scenario(async |console, database| {
        for (id, is_disabled) in [("ep_on", false), ("ep_off", true)] {
            let wanted = json!({"url": format!("https://{id}.example.com/").replace('_', "-"), "id": id, "disabled": is_disabled});
            console.register("acme", &wanted).await;
        }
        dead(database, "evt_1", "ep_on", "http_status", 500, 60).await;
        dead(database, "evt_2", "ep_off", "http_status", 500, 61).await;
        dead(database, "evt_3", "ep_gone", "http_status", 500, 62).await;
        database
            .execute("UPDATE dead_letters SET reason = 'endpoint_disabled', attempts = 0, last_outcome = NULL, \
                      last_status = NULL WHERE endpoint = 'ep_off'")
            .await
            .unwrap();
        let acme = member(console, "acme").await;
        let page = acme.get(FAILED).await.expect(200);
        let told = text(&page);
        assert!(told.contains("ep-off.example.com is paused. To retry its 1 delivery, resume it first"), "{told}");
        assert!(told.contains("Nothing was sent: the endpoint was paused or disabled."), "{told}");
        assert!(page.body.contains("href=\"/companies/acme/endpoints/ep_off\""));
        // Only what can be sent has a button of its own.
        assert_eq!(page.body.matches("name=\"one\"").count(), 1);

        let told = text(&acme.post(RETRY, &[("which", "all")]).await.expect(200));
        for part in [
            "This sends 1 failed delivery again",
            "ep-on.example.com 1 are sent again",
            "the endpoint is paused. Resume it first",
            "ep_gone 1 stay: the endpoint has been removed",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        for stays in ["evt_2/ep_off", "evt_3/ep_gone"] {
            let told = text(&acme.post(RETRY, &[("one", stays)]).await.expect(200));
            assert!(told.contains("Nothing can be sent again") && told.contains("stay: the endpoint"), "{told}");
            let told = text(&acme.get(&format!("{FAILED}/{stays}")).await.expect(200));
            assert!(told.contains("Resume it first") || told.contains("has been removed"), "{told}");
        }
        assert_eq!(database.texts("SELECT id FROM retries").await.len(), 0);
    })
    .await;
}
