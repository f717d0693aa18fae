//! Endpoints that answer 410 or only fail are disabled, their companies told, and nothing is lost.

use hookline_common::topology::Queue;
use hookline_tests::answer::status;
use hookline_tests::console::{Console, MASTER_KEY, database_scenario, setup, start};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Setup;
use hookline_tests::receiver::Receiver;
use hookline_tests::world::World;
use hookline_tests::{SOON, cli, eventually};
use serde_json::{Value, json};

/// A dispatcher that reads endpoints where the console keeps them, and retries a few times quickly.
fn dispatcher<'a>(world: &'a World, database: &Database) -> Setup<'a> {
    world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database.url().as_str())
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
        .set("HOOKLINE_RETRY_SCHEDULE", "1s,1s,1s,1s,1s,1s,1s,1s")
}

/// Registers an endpoint of the company acme at a receiver, and returns its path.
async fn register(console: &Console, id: &str, receiver: &Receiver, events: &[&str]) -> String {
    let body = json!({"id": id, "url": format!("{}?token=t0ken", receiver.url()), "events": events});
    console.register("acme", &body).await;
    format!("/v1/companies/acme/endpoints/{id}")
}

async fn shown(console: &Console, path: &str) -> Value {
    console.admin().get(path).await.expect(200).json()
}

/// Waits until an endpoint is as `wanted` says.
async fn becomes(console: &Console, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(SOON, &format!("{path} {what}"), async || {
        let endpoint = shown(console, path).await;
        wanted(&endpoint).then_some(endpoint)
    })
    .await
}

async fn publish(console: &Console, event_type: &str) -> String {
    let event = json!({"type": event_type, "data": {}});
    let sent = console.admin().post("/v1/companies/acme/events", &event).await;
    sent.expect(202).json()["id"].as_str().unwrap().to_owned()
}

fn is_disabled(endpoint: &Value) -> bool {
    endpoint["disabled"] == true
}

/// The counter of endpoints that the console has disabled.
async fn counted(console: &Console) -> Option<f64> {
    console
        .process()
        .metric("hookline_endpoints_disabled_total")
        .await
}

#[tokio::test]
async fn who_answers_410_is_disabled_and_only_who_named_the_type_is_told() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Failed);
        let console = start(setup(world, database)).await;
        dispatcher(world, database).start().await;
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
        let log = console.process().log();
        let line = log
            .lines()
            .find(|line| line.contains("an endpoint is disabled"))
            .unwrap();
        assert!(
            line.contains("WARN")
                && line.contains("acme")
                && line.contains("ep_gone")
                && line.contains("410"),
            "{line}"
        );
        assert!(!log.contains("t0ken"));
        assert_eq!(counted(&console).await, Some(1.0));

        // What it would get is kept, the retry of the first event too.
        let second = publish(&console, "booking.created").await;
        let mut failed = world.expect_in(Queue::Failed, 2, SOON).await;
        failed.sort_by_key(|message| message.id() != first);
        for (message, id) in failed.iter().zip([&first, &second]) {
            assert_eq!((message.id(), message.text("endpoint")), (id.as_str(), "ep_gone"));
            assert_eq!(message.text("reason"), "endpoint_disabled");
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
        let third = publish(&console, "booking.cancelled").await;
        eventually(SOON, "it gets what comes", async || {
            gone.accepted()
                .iter()
                .any(|request| request.id() == third)
                .then_some(())
        })
        .await;
        cli::succeed(world, &["dlq", "retry", "--all", "--endpoint", "ep_gone"]).await;
        eventually(SOON, "it gets what it missed", async || {
            (gone.accepted().len() == 3).then_some(())
        })
        .await;
        let good = becomes(&console, &gone_path, "is well", |endpoint| {
            endpoint["health"]["last_success_at"].is_string()
        })
        .await;
        assert_eq!(good["disabled"], false, "{good}");
        assert_eq!(told.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn who_only_fails_for_long_enough_is_disabled_and_who_succeeds_in_between_is_not() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Failed);
        let console = start(setup(world, database).set("HOOKLINE_DISABLE_AFTER", "6s")).await;
        dispatcher(world, database).start().await;
        let failing = Receiver::answering(status(500)).await;
        let failing_path = register(&console, "ep_failing", &failing, &["a"]).await;
        // It takes an attempt now and then, so that it never fails for as long.
        let mut count = 0;
        let flaky = Receiver::scripted(move |_| {
            count += 1;
            status(if count % 3 == 0 { 200 } else { 500 })
        })
        .await;
        let flaky_path = register(&console, "ep_flaky", &flaky, &["b"]).await;
        publish(&console, "a").await;
        for _ in 0..5 {
            publish(&console, "b").await;
        }
        let disabled = becomes(&console, &failing_path, "is disabled", is_disabled).await;
        let health = &disabled["health"];
        assert!(health["consecutive_failures"].as_u64().unwrap() > 1, "{disabled}");
        let time = |name: &str| -> jiff::Timestamp { health[name].as_str().unwrap().parse().unwrap() };
        let failed_for = time("last_failure_at").duration_since(time("failing_since"));
        assert!(failed_for.as_secs() >= 6, "{disabled}");
        assert!(
            disabled["disabled_reason"].as_str().unwrap().contains("in a row"),
            "{disabled}"
        );
        assert_eq!(counted(&console).await, Some(1.0));

        eventually(SOON, "all arrive where it sometimes works", async || {
            (flaky.accepted().len() == 5).then_some(())
        })
        .await;
        let flaky = becomes(&console, &flaky_path, "is well", |endpoint| {
            endpoint["health"]["last_success_at"].is_string()
        })
        .await;
        assert_eq!(flaky["disabled"], false, "{flaky}");
        world.expect_in(Queue::Failed, 1, SOON).await;
        // The list tells the same as each alone.
        let listed = shown(&console, "/v1/companies/acme/endpoints").await;
        for (row, id) in listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .zip(["ep_failing", "ep_flaky"])
        {
            assert_eq!(row["id"], id);
            assert!(row["health"]["last_failure_at"].is_string(), "{row}");
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_disabled_for_test_events_or_for_what_is_from_before_or_where_that_is_off() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Failed);
        let console = start(setup(world, database)).await;
        dispatcher(world, database).start().await;
        let gone = Receiver::answering(status(410)).await;
        let tested = register(&console, "ep_tested", &gone, &["never"]).await;
        let sent = console
            .admin()
            .post(&format!("{tested}/test?wait=30s"), &json!({"type": "booking.created"}))
            .await;
        assert_eq!(sent.expect(200).json()["status"], 410);
        let other = register(&console, "ep_other", &gone, &["never"]).await;
        // What the log says of a time before it was registered, as a late record does.
        database
            .execute(
                "INSERT INTO endpoint_health (company, endpoint, consecutive_failures, failing_since, last_failure_at, gone_at) \
                 VALUES ('acme', 'ep_other', 9, now() - interval '9 days', now() - interval '1 day', now() - interval '1 day')",
            )
            .await
            .unwrap();
        // By the time that this one is, the others have been looked at.
        let witness = register(&console, "ep_witness", &gone, &["a"]).await;
        publish(&console, "a").await;
        becomes(&console, &witness, "is disabled", is_disabled).await;
        for path in [&tested, &other] {
            let endpoint = shown(&console, path).await;
            assert_eq!(endpoint["disabled"], false, "{endpoint}");
        }
        let untouched = shown(&console, &tested).await;
        assert_eq!(untouched["health"]["last_failure_at"], Value::Null, "{untouched}");

        // Removed, nothing is known of it any more. What is on its way to it would wait for it to come back.
        world.expect_in(Queue::Failed, 1, SOON).await;
        console.admin().delete(&witness).await.expect(204);
        let known = database.texts("SELECT endpoint FROM endpoint_health ORDER BY 1").await;
        assert_eq!(known, ["ep_other"]);

        console.process().stop().await;
        let console = start(setup(world, database).set("HOOKLINE_DISABLE_AFTER", "off")).await;
        let kept = register(&console, "ep_kept", &gone, &["b"]).await;
        publish(&console, "b").await;
        let failing = becomes(&console, &kept, "fails", |endpoint| {
            endpoint["health"]["consecutive_failures"].as_u64() >= Some(4)
        })
        .await;
        assert_eq!(failing["disabled"], false, "{failing}");
        gone.answer_now(status(204));
        eventually(SOON, "it arrives", async || (gone.accepted().len() == 1).then_some(())).await;
    })
    .await;
}

#[tokio::test]
async fn events_of_our_own_cannot_be_published_over_http_and_go_where_they_are_named() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        dispatcher(world, database).start().await;
        let named = Receiver::answering(status(204)).await;
        register(&console, "ep_named", &named, &["endpoint.disabled"]).await;
        let all = Receiver::answering(status(204)).await;
        register(&console, "ep_all", &all, &[]).await;
        let event = json!({"type": "endpoint.disabled", "data": {}});
        let refused = console.admin().post("/v1/companies/acme/events", &event).await;
        assert!(refused.body.contains("Hookline's own"), "{refused:?}");
        assert_eq!(refused.problem(400), "invalid_request");
        // What comes over the broker is not lost: it is an event like ours, and goes where one goes.
        let event = hookline_producer::Event::new("acme", "endpoint.disabled", "{}".to_owned()).unwrap();
        world.producer().await.publish(&event).await.unwrap();
        named.expect_one(SOON).await;
        let other = publish(&console, "booking.created").await;
        assert_eq!(all.expect_one(SOON).await.id(), other);
    })
    .await;
}
