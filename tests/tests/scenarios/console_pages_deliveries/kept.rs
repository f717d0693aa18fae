//! What is nobody else's, and what is not there any more.

use hookline_tests::console::console_scenario;
use hookline_tests::log_rows::{Row, insert_event, make_days};
use serde_json::json;

use super::{LIST, member};

#[tokio::test]
async fn another_companys_deliveries_are_not_there() {
    console_scenario(async |console, database| {
        make_days(database, 1).await;
        let mut theirs = Row::of("evt_1", "ep_a", 5);
        theirs.company = "globex".to_owned();
        theirs.insert(database).await;
        insert_event(database, "globex", "evt_1", Some("{\"secret\":\"of globex\"}")).await;
        let acme = member(console, "acme").await;
        for company in ["acme", "globex"] {
            let one = format!("/companies/{company}/deliveries/evt_1/ep_a");
            for path in [one.clone(), format!("{one}/body")] {
                let page = acme.get(&path).await.expect(404);
                assert!(!page.body.contains("of globex"), "{path}");
            }
            acme.post(&format!("{one}/replay"), &[]).await.expect(404);
        }
        acme.get("/companies/globex/deliveries").await.expect(404);
        let theirs = member(console, "globex").await;
        let page = theirs
            .get("/companies/globex/deliveries/evt_1/ep_a")
            .await
            .expect(200);
        assert!(page.body.contains("of globex"), "{page:?}");
        let body = theirs
            .get("/companies/globex/deliveries/evt_1/ep_a/body")
            .await
            .expect(200);
        assert_eq!(
            body.body, "{\"secret\":\"of globex\"}",
            "of an endpoint that is not there, the data alone"
        );
        // Every id of a path may be anything.
        for odd in ["evt_1/%00", "%2e%2e/ep_a", "evt_1/..%2fep_a"] {
            acme.get(&format!("{LIST}/{odd}")).await.expect(404);
        }
    })
    .await;
}

#[tokio::test]
async fn where_a_payload_was_not_kept_it_is_said_why_and_nothing_can_be_sent_again() {
    console_scenario(async |console, database| {
        make_days(database, 1).await;
        for (id, disabled) in [("ep_a", false), ("ep_off", true)] {
            let wanted = json!({"id": id, "url": "https://example.com/", "disabled": disabled});
            console.register("acme", &wanted).await;
        }
        let mut test = Row::of("evt_test", "ep_a", 5).status("failed", "timeout", 0);
        test.origin = "test".to_owned();
        for row in [
            &Row::of("evt_none", "ep_a", 5),
            &test,
            &Row::of("evt_kept", "ep_off", 5),
            &Row::of("evt_kept", "ep_gone", 5),
            &Row::of("evt_kept", "ep_a", 5).status("retrying", "timeout", 0),
        ] {
            row.insert(database).await;
        }
        insert_event(database, "acme", "evt_none", None).await;
        insert_event(database, "acme", "evt_kept", Some("{}")).await;
        let acme = member(console, "acme").await;
        for (delivery, told, status) in [
            ("evt_none/ep_a", "It cannot be sent again: its payload is not here.", 409),
            ("evt_test/ep_a", "It cannot be sent again: it was a test event", 409),
            ("evt_kept/ep_off", "It can be sent once its endpoint, which is paused, is ", 409),
            ("evt_kept/ep_gone", "It cannot be sent again: its endpoint is not registered here", 404),
            ("evt_kept/ep_a", "It cannot be sent again: it is under way already", 409),
        ] {
            let page = acme.get(&format!("{LIST}/{delivery}")).await.expect(200).body;
            assert!(page.contains(told), "{told} in {page}");
            let is_explained = page.contains("the platform does not keep the payloads of all events");
            assert_eq!(is_explained, delivery == "evt_none/ep_a", "{page}");
            assert!(!page.contains("/replay\""), "{page}");
            let refused = acme
                .post(&format!("{LIST}/{delivery}/replay"), &[])
                .await
                .expect(status);
            assert!(refused.body.contains("role=\"alert\""), "{refused:?}");
        }
        // What should have been tried long ago must be lost.
        database
            .execute("UPDATE deliveries SET next_attempt_at = now() - interval '2 hours' WHERE status = 'retrying'")
            .await
            .unwrap();
        let page = acme.get(&format!("{LIST}/evt_kept/ep_a")).await.expect(200).body;
        assert!(page.contains(">Send again</button>"), "{page}");

        // A dead letter that was just retried is not retried once more, though the log still says that it failed.
        let dead = Row::of("evt_dead", "ep_a", 5).status("failed", "timeout", 0);
        dead.insert(database).await;
        dead.insert_dead(database, "{}").await;
        insert_event(database, "acme", "evt_dead", Some("{}")).await;
        database.execute("UPDATE dead_letters SET retried_at = now()").await.unwrap();
        let again = acme.post(&format!("{LIST}/evt_dead/ep_a/replay"), &[]).await.expect(409);
        assert!(again.body.contains("it was retried a moment ago"), "{again:?}");
    })
    .await;
}
