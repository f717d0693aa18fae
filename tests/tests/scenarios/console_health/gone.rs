//! Who answers 410 is disabled, its company told, and nothing is lost.

use hookline_tests::answer::status;
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::receiver::Receiver;
use hookline_tests::{SOON, eventually};
use serde_json::{Value, json};

use super::{are_counted, are_filed, becomes, dispatcher, is_disabled, publish, register, shown};

#[tokio::test]
async fn who_answers_410_is_disabled_and_only_who_named_the_type_is_told() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        // So many that one is left when the dispatcher knows that the endpoint is disabled, where that takes its time.
        dispatcher(world, database)
            .set("HOOKLINE_RETRY_SCHEDULE", ["1s"; 20].join(","))
            .start()
            .await;
        let gone = Receiver::answering(status(410)).await;
        let gone_path = register(&console, "ep_gone", &gone, &["booking.*"]).await;
        let told = Receiver::answering(status(204)).await;
        register(&console, "ep_told", &told, &["endpoint.disabled"]).await;
        let all = Receiver::answering(status(204)).await;
        let all_path = register(&console, "ep_all", &all, &[]).await;
        let stars = Receiver::answering(status(204)).await;
        register(&console, "ep_stars", &stars, &["*", "endpoint.*", "*.disabled"]).await;

        let first = publish(&console, "booking.created").await;
        let disabled = becomes(&console, &gone_path, "is disabled", is_disabled).await;
        assert!(
            disabled["disabled_reason"].as_str().unwrap().contains("410"),
            "{disabled}"
        );
        assert!(
            disabled["health"]["consecutive_failures"].as_u64().unwrap() >= 1,
            "{disabled}"
        );
        assert_eq!(disabled["health"]["last_success_at"], Value::Null);

        // Its company is told, once, and without the query of the URL.
        let request = told.expect_one(SOON).await;
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["type"], "endpoint.disabled");
        let data = &body["data"];
        assert_eq!(
            (&data["endpoint"], &data["reason"], &data["disabledAt"]),
            (&json!("ep_gone"), &json!("gone"), &disabled["updated_at"]),
            "{body}"
        );
        assert!(!body.to_string().contains("t0ken"), "{body}");
        // What the catalogue says of it is what came.
        let described = shown(&console, "/v1/event-types/endpoint.disabled").await;
        assert_eq!(described["operational"], true);
        let members = |data: &Value| {
            let mut names: Vec<String> = data.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        assert_eq!(members(data), members(&described["sample"]));
        eventually(SOON, "nothing waits to be told", async || {
            let waiting = database.texts("SELECT id FROM operational_events").await;
            waiting.is_empty().then_some(())
        })
        .await;

        // Who did it stands in the audit, in the log without secrets, and is counted.
        let audit = shown(&console, "/v1/companies/acme/audit").await;
        let entry = &audit["data"][0];
        assert_eq!(
            (&entry["actor"], &entry["action"], &entry["object"]),
            (&json!("hookline"), &json!("endpoint.disabled"), &json!("ep_gone")),
            "{audit}"
        );
        let line = console.process().says("an endpoint is disabled", SOON).await;
        assert!(
            line.contains("WARN")
                && line.contains("acme")
                && line.contains("ep_gone")
                && line.contains("410"),
            "{line}"
        );
        assert!(!console.process().log().contains("t0ken"));
        are_counted(&console, 1.0).await;

        // What it would get is kept, the retry of the first event too.
        let second = publish(&console, "booking.created").await;
        let failed = are_filed(&console, 2).await;
        for id in [&first, &second] {
            let letter = failed.iter().find(|letter| letter["event"] == **id).unwrap();
            assert_eq!(
                (&letter["endpoint"], &letter["reason"]),
                (&json!("ep_gone"), &json!("endpoint_disabled")),
                "{letter}"
            );
        }

        // The others got both events, and nothing of ours.
        for receiver in [&all, &stars] {
            let got = receiver.expect(2, SOON).await;
            let ids: Vec<&str> = got.iter().map(|request| request.id()).collect();
            assert_eq!(ids.len(), 2, "{ids:?}");
            assert!(
                ids.contains(&first.as_str()) && ids.contains(&second.as_str()),
                "{ids:?}"
            );
        }
        let healthy = becomes(&console, &all_path, "has succeeded", |endpoint| {
            endpoint["health"]["last_success_at"].is_string()
        })
        .await;
        assert_eq!(healthy["health"]["consecutive_failures"], 0);

        // Enabled again, it starts afresh: events flow, what failed can be retried, and the old 410 is forgotten.
        gone.answer_now(status(200));
        let enabled = console
            .admin()
            .patch(&gone_path, &json!({"disabled": false}))
            .await;
        let enabled = enabled.expect(200).json();
        assert_eq!(
            (&enabled["disabled_reason"], &enabled["health"]["failing_since"]),
            (&Value::Null, &Value::Null)
        );
        // The dispatcher learns of it by and by; what comes before that is kept.
        let mut published = 2;
        eventually(SOON, "it gets what comes", async || {
            publish(&console, "booking.cancelled").await;
            published += 1;
            (!gone.accepted().is_empty()).then_some(())
        })
        .await;
        eventually(SOON, "all else is filed", async || {
            let filed = database.texts("SELECT count(*)::text FROM dead_letters").await;
            let filed: usize = filed[0].parse().unwrap();
            (filed + gone.accepted().len() == published).then_some(())
        })
        .await;
        let all = console
            .admin()
            .post("/v1/companies/acme/failed/retry", &json!({"endpoint": "ep_gone"}))
            .await;
        let missed = all.expect(202).json()["count"].as_u64().unwrap();
        assert!((2..published as u64).contains(&missed), "{missed} of {published}");
        eventually(SOON, "it gets what it missed", async || {
            (gone.accepted().len() == published).then_some(())
        })
        .await;
        let good = becomes(&console, &gone_path, "is well", |endpoint| {
            endpoint["health"]["last_success_at"].is_string()
        })
        .await;
        assert_eq!(good["disabled"], false, "{good}");
        assert_eq!(told.count(), 1);
        are_filed(&console, 0).await;
    })
    .await;
}
