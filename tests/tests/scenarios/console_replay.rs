//! Replay: an event goes out again as it was, where its payload was kept.

use hookline_common::topology::Queue;
use hookline_tests::SOON;
use hookline_tests::console::{database_scenario, setup, start_connected};
use hookline_tests::log_rows::{Row, insert_event, make_days};
use serde_json::json;

const EVENTS: &str = "/v1/companies/acme/events";

#[tokio::test]
async fn an_event_is_published_again_under_its_id_with_its_time_and_its_bytes() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = start_connected(setup(world, database)).await;
        make_days(database, 1).await;
        let data = "{ \"b\": 1.0,\t\"b\" : \"\\u00eb\" }";
        insert_event(database, "acme", "evt_1", Some(data)).await;
        let acme = console.company("acme").await;
        let replayed = acme.post(&format!("{EVENTS}/evt_1/replay"), &json!({})).await;
        assert_eq!(
            replayed.expect(202).json(),
            json!({"event": "evt_1", "endpoint": null})
        );
        // Not where producers publish, who cannot say that one is sent again.
        let messages = world.expect_in(Queue::Deliveries, 1, SOON).await;
        let [message] = messages.as_slice() else {
            panic!("{messages:?}")
        };
        assert_eq!((message.id(), message.text("company")), ("evt_1", "acme"));
        assert_eq!(message.text("created-at"), "2030-01-15T14:30:00.250Z");
        assert!(!message.text("retried-at").is_empty() && message.text("endpoint").is_empty());
        assert_eq!(message.body, data.as_bytes());
        let audit = acme.get("/v1/companies/acme/audit").await.expect(200).json();
        let line = &audit["data"][0];
        assert_eq!(
            (&line["action"], &line["object"]),
            (&json!("event.replayed"), &json!("evt_1"))
        );
        assert!(line["actor"].as_str().unwrap().starts_with("token:"), "{line}");
    })
    .await;
}

#[tokio::test]
async fn one_endpoint_alone_can_have_it_again_also_from_a_dead_letter() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = start_connected(setup(world, database)).await;
        make_days(database, 1).await;
        let acme = console.company("acme").await;
        let made = console
            .register(
                "acme",
                &json!({"url": "https://example.com/", "events": ["other.thing"]}),
            )
            .await;
        let endpoint = made["id"].as_str().unwrap();
        insert_event(database, "acme", "evt_1", None).await;
        Row::of("evt_1", endpoint, 9)
            .status("failed", "timeout", 0)
            .insert_dead(database, "{\"kept\":1}")
            .await;
        let path = format!("{EVENTS}/evt_1/replay");
        let replayed = acme
            .post(&path, &json!({"endpoint": endpoint}))
            .await
            .expect(202)
            .json();
        assert_eq!(replayed, json!({"event": "evt_1", "endpoint": endpoint}));
        let messages = world.expect_in(Queue::Deliveries, 1, SOON).await;
        let [message] = messages.as_slice() else {
            panic!("{messages:?}")
        };
        assert_eq!((message.id(), message.text("endpoint")), ("evt_1", endpoint));
        assert_eq!(
            (message.text("origin"), message.body.as_slice()),
            ("manual", &b"{\"kept\":1}"[..])
        );
        assert_eq!(message.text("created-at"), "2030-01-15T14:30:00.250Z");

        // Not to an endpoint that is disabled, or that nobody has.
        let one = format!("/v1/companies/acme/endpoints/{endpoint}");
        acme.patch(&one, &json!({"disabled": true})).await.expect(200);
        let refused = acme.post(&path, &json!({"endpoint": endpoint})).await;
        assert_eq!(refused.problem(409), "endpoint_disabled");
        let refused = acme.post(&path, &json!({"endpoint": "ep_nobody"})).await;
        assert_eq!(refused.problem(404), "not_found");
        for bad in [
            json!({"endpoint": "a b"}),
            json!({"endpoints": []}),
            json!({"endpoint": 1}),
        ] {
            assert_eq!(
                acme.post(&path, &bad).await.problem(400),
                "invalid_request",
                "{bad}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_not_kept_or_is_not_known_is_told_apart_and_nothing_is_sent() {
    database_scenario(async |world, database| {
        let console = start_connected(setup(world, database)).await;
        make_days(database, 1).await;
        let acme = console.company("acme").await;
        insert_event(database, "acme", "evt_none", None).await;
        Row::of("evt_sent", "ep_a", 3).insert(database).await;
        insert_event(database, "globex", "evt_theirs", Some("{}")).await;
        for (event, status, code) in [
            ("evt_none", 409, "payload_not_kept"),
            ("evt_sent", 409, "payload_not_kept"),
            ("evt_theirs", 404, "not_found"),
            ("evt_nobodys", 404, "not_found"),
            ("%20", 404, "not_found"),
        ] {
            let refused = acme.post(&format!("{EVENTS}/{event}/replay"), &json!({})).await;
            assert_eq!(refused.problem(status), code, "{event}");
        }
        let audit = acme.get("/v1/companies/acme/audit").await.expect(200).json();
        assert_eq!(
            audit["data"].as_array().unwrap().len(),
            1,
            "only the token was made: {audit}"
        );
        assert!(world.read(Queue::Deliveries).await.is_empty());
    })
    .await;
}
