//! Nobody reaches what failed at another company.

use hookline_common::topology::Queue;
use hookline_tests::browser::Browser;
use hookline_tests::console::{database_scenario, setup, start};
use serde_json::json;

use super::{FAILED, RETRY, dead, filed, member, text};

#[tokio::test]
async fn nobody_reaches_what_failed_at_another_company() {
    database_scenario(async |world, database| {
        // Nobody takes up what acme sends again.
        world.leaves(Queue::Deliveries);
        let console = &start(setup(world, database)).await;
        console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        console
            .register("globex", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        dead(database, "evt_secret", "ep_crm", "http_status", 500, 60).await;
        let (acme, globex) = (member(console, "acme").await, member(console, "globex").await);
        let sent = acme
            .post(RETRY, &[("one", "evt_secret/ep_crm")])
            .await
            .expect(303);
        let (_, retry) = Browser::location(&sent).unwrap().rsplit_once('/').unwrap();
        for path in [
            FAILED.to_owned(),
            format!("{FAILED}/evt_secret/ep_crm"),
            format!("{FAILED}/retries/{retry}"),
            "/companies/globex/failed/evt_secret/ep_crm".to_owned(),
            format!("/companies/globex/failed/retries/{retry}"),
        ] {
            let refused = globex.get(&path).await;
            assert_eq!(refused.status, 404, "{path}");
            assert!(!refused.body.contains("evt_secret"), "{path}");
        }
        // Their own forms mean their own.
        for path in [
            "/companies/globex/failed/retry",
            "/companies/globex/failed/discard",
        ] {
            for picked in [("pick", "evt_secret/ep_crm"), ("which", "all")] {
                let told = text(&globex.post(path, &[picked]).await.expect(200));
                assert!(
                    told.contains("not there any more") && !told.contains("evt_secret"),
                    "{told}"
                );
                globex.post(path, &[picked, ("sure", "1"), ("again", "1")]).await;
            }
        }
        assert_eq!(filed(database).await, 1);
        assert_eq!(database.texts("SELECT company FROM retries").await, ["acme"]);
    })
    .await;
}
