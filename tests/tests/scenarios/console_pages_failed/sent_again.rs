//! What failed is sent again by its page, and followed there.

use hookline_common::topology::Queue;
use hookline_tests::browser::between;
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::{Receiver, status};
use serde_json::json;

use super::{
    DISCARD, FAILED, RETRY, are_filed, dead, dispatcher, filed, member, operator, retry_of, says, text,
};

#[tokio::test]
async fn what_failed_is_sent_again_by_its_page_and_is_delivered_once_its_endpoint_is_mended() {
    database_scenario(async |world, database| {
        let console = &start(setup(world, database)).await;
        let receiver = Receiver::answering(status(503)).await;
        let wanted = json!({"url": receiver.url(), "id": "ep_crm", "description": "CRM"});
        console.register("acme", &wanted).await;
        dispatcher(world, database).start().await;
        let acme = member(console, "acme").await;
        let none = text(&acme.get(FAILED).await.expect(200));
        assert!(none.contains("Nothing has failed for good"), "{none}");

        let events = world.publish_many(3, "booking.created").await;
        are_filed(database, 3).await;
        let page = acme.get(FAILED).await.expect(200);
        let told = text(&page);
        assert!(told.contains("CRM answers 503 since"), "{told}");
        assert!(told.contains("3 deliveries failed for good"), "{told}");
        for event in &events {
            assert!(
                page.body.contains(&format!("value=\"{}/ep_crm\"", event.id)),
                "{told}"
            );
        }
        // One, while nothing is mended: it fails once more, and its page says so.
        let one = format!("{}/ep_crm", events[0].id);
        let sent = acme.post(RETRY, &[("one", &one)]).await.expect(303);
        let told = says(&acme, &retry_of(&sent), "done, with failures").await;
        assert!(
            told.contains("Failed again 1") && told.contains("Delivered 0"),
            "{told}"
        );
        are_filed(database, 3).await;

        // Mended. The problem's own link leads to what it means.
        receiver.answer_now(status(200));
        let before = receiver.count();
        let link = between(&page.body, "href=\"/companies/acme/failed?", "\"").unwrap();
        let query = link.replace("&amp;", "&");
        assert_eq!(query, "endpoint=ep_crm&outcome=http_status&last_status=503");
        let filtered = acme.get(&format!("{FAILED}?{query}")).await.expect(200);
        assert!(text(&filtered).contains("endpoint CRM ✕"), "{}", text(&filtered));
        let picked = format!("{}/ep_crm", events[1].id);
        let asked = acme
            .post(RETRY, &[("pick", &picked), ("which", "picked")])
            .await
            .expect(200);
        let told = text(&asked);
        let wanted = "This sends 1 failed delivery again, at most 100 a second for each endpoint.";
        assert!(told.contains(wanted), "{told}");
        let all = [("which", "all"), ("endpoint", "ep_crm"), ("last_status", "503")];
        let told = text(&acme.post(RETRY, &all).await.expect(200));
        assert!(
            told.contains(&wanted.replace("1 failed delivery", "3 failed deliveries")),
            "{told}"
        );
        assert_eq!(
            (receiver.count(), filed(database).await),
            (before, 3),
            "only a question"
        );

        let sure = [&all[..], &[("sure", "1")]].concat();
        let sent = acme.post(RETRY, &sure).await.expect(303);
        let told = says(&acme, &retry_of(&sent), "All of them were delivered").await;
        assert!(
            told.contains("Delivered 3") && told.contains("3 of 3 sent"),
            "{told}"
        );
        assert_eq!(receiver.accepted().len(), 3);
        let none = text(&acme.get(FAILED).await.expect(200));
        assert!(none.contains("Nothing has failed for good"), "{none}");
        // The API tells the same.
        let id = retry_of(&sent).rsplit_once('/').unwrap().1.to_owned();
        let state = console
            .admin()
            .get(&format!("/v1/companies/acme/failed/retries/{id}"))
            .await;
        let state = state.expect(200).json();
        assert_eq!(
            (&state["delivered"], &state["under_way"]),
            (&json!(3), &json!(0)),
            "{state}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_under_way_is_left_out_unless_it_is_asked_for_and_is_no_longer_the_first_retrys() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = &start(setup(world, database)).await;
        console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        dead(database, "evt_1", "ep_crm", "timeout", 0, 60).await;
        let operator = operator(console).await;
        // Nobody delivers it: it stays under way.
        let first = retry_of(&operator.post(RETRY, &[("one", "evt_1/ep_crm")]).await.expect(303));
        let told = says(&operator, &first, "1 is still under way").await;
        assert!(told.contains("Live:"), "{told}");
        let listed = text(&operator.get(FAILED).await.expect(200));
        assert!(
            listed.contains("retried") && !listed.contains("Problems"),
            "{listed}"
        );

        let all = [("which", "all"), ("sure", "1")];
        let told = text(&operator.post(RETRY, &all).await.expect(200));
        assert!(
            told.contains("1 delivery of those chosen was retried already"),
            "{told}"
        );
        let again = [&all[..], &[("again", "1")]].concat();
        let second = retry_of(&operator.post(RETRY, &again).await.expect(303));
        says(&operator, &second, "1 is still under way").await;
        let told = says(&operator, &first, "Left otherwise 1").await;
        assert!(told.contains("Under way 0"), "{told}");
        // And neither's, once it is discarded.
        let gone = [("pick", "evt_1/ep_crm"), ("sure", "1")];
        operator.post(DISCARD, &gone).await.expect(303);
        let told = text(&operator.get(&second).await.expect(200));
        assert!(
            told.contains("Left otherwise 1") && told.contains("Under way 0"),
            "{told}"
        );
    })
    .await;
}
