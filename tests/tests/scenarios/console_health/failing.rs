//! Who only fails is disabled; who does not, or fails in what does not count, is not.

use std::time::{Duration, Instant};

use hookline_tests::answer::{Gate, status};
use hookline_tests::console::{database_scenario, heard, setup, start};
use hookline_tests::receiver::Receiver;
use hookline_tests::{SOON, eventually};
use serde_json::{Value, json};

use super::{are_counted, are_filed, becomes, dispatcher, is_disabled, publish, register, shown};

#[tokio::test]
async fn who_only_fails_for_long_enough_is_disabled_and_who_succeeds_in_between_is_not() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database).set("HOOKLINE_DISABLE_AFTER", "6s")).await;
        dispatcher(world, database).start().await;
        let failing = Receiver::answering(status(500)).await;
        let failing_path = register(&console, "ep_failing", &failing, &["a"]).await;
        // It takes an attempt now and then, and the first one after a while, so that it never fails for as long, however far
        // apart a busy machine makes its attempts.
        let (mut count, mut taken_at) = (0, Instant::now());
        let flaky = Receiver::scripted(move |_| {
            count += 1;
            if count % 3 == 0 || taken_at.elapsed() > Duration::from_secs(2) {
                taken_at = Instant::now();
                status(200)
            } else {
                status(500)
            }
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
        are_counted(&console, 1.0).await;

        eventually(SOON, "all arrive where it sometimes works", async || {
            (flaky.accepted().len() == 5).then_some(())
        })
        .await;
        let flaky = becomes(&console, &flaky_path, "is well", |endpoint| {
            endpoint["health"]["last_success_at"].is_string()
        })
        .await;
        assert_eq!(flaky["disabled"], false, "{flaky}");
        are_filed(&console, 1).await;
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
        let console = start(setup(world, database)).await;
        let dispatcher = dispatcher(world, database)
            .set("HOOKLINE_REQUEST_TIMEOUT", "600s")
            .start()
            .await;
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
        let witness = heard(&dispatcher, register(&console, "ep_witness", &gone, &["a"])).await;
        publish(&console, "a").await;
        becomes(&console, &witness, "is disabled", is_disabled).await;
        for path in [&tested, &other] {
            let endpoint = shown(&console, path).await;
            assert_eq!(endpoint["disabled"], false, "{endpoint}");
        }
        let untouched = shown(&console, &tested).await;
        assert_eq!(untouched["health"]["last_failure_at"], Value::Null, "{untouched}");

        // Removed, nothing is known of it any more. What is on its way to it would wait for it to come back.
        are_filed(&console, 1).await;
        console.admin().delete(&witness).await.expect(204);
        let known = database.texts("SELECT endpoint FROM endpoint_health ORDER BY 1").await;
        assert_eq!(known, ["ep_other"]);

        console.process().stop().await;
        let console = start(setup(world, database).set("HOOKLINE_DISABLE_AFTER", "off")).await;
        // Its fifth attempt has no answer before the failures are told of, or the attempts might be used up by then.
        let gate = Gate::closed();
        let later = status(204).behind(&gate);
        let back = Receiver::scripted(move |request| {
            if request.attempt() <= 4 {
                status(410)
            } else {
                later.clone()
            }
        })
        .await;
        let kept = heard(&dispatcher, register(&console, "ep_kept", &back, &["b"])).await;
        publish(&console, "b").await;
        let failing = becomes(&console, &kept, "fails", |endpoint| {
            endpoint["health"]["consecutive_failures"].as_u64() >= Some(4)
        })
        .await;
        assert_eq!(failing["disabled"], false, "{failing}");
        gate.open();
        eventually(SOON, "it arrives", async || (back.accepted().len() == 1).then_some(())).await;
    })
    .await;
}
