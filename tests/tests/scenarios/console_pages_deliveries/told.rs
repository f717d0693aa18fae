//! What became of an event: what was sent, what came back, what comes next, and once more.

use hookline_common::schedule::Delay;
use hookline_common::topology::Queue;
use hookline_tests::answer::status;
use hookline_tests::browser::{Browser, between};
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::log_rows::{Row, insert_event, make_days};
use hookline_tests::receiver::{Received, Receiver};
use hookline_tests::{SOON, eventually};
use serde_json::{Value, json};

use super::{HOSTILE, LIST, dispatcher, is_harmless, member, publish, says, unescaped, words};

#[tokio::test]
async fn what_became_of_an_event_is_told_with_what_was_sent_what_came_back_and_what_comes_next() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Retry(Delay::from_seconds(60)));
        world.leaves(Queue::Retry(Delay::from_seconds(300)));
        let console = start(setup(world, database).set("HOOKLINE_RETRY_SCHEDULE", "1m,5m,30m")).await;
        dispatcher(world, database, "1m,5m,30m").start().await;
        let good = Receiver::answering(status(204)).await;
        // Not one that holds back what comes after it.
        let bad = Receiver::scripted(|_| {
            status(500)
                .header("x-why", HOSTILE)
                .body(format!("{{\"error\":{},\"bidi\":\"\u{202e}\"}}", json!(HOSTILE)))
        })
        .await;
        for (id, receiver, description) in [("ep_good", &good, "Calendar"), ("ep_bad", &bad, HOSTILE)] {
            let url = format!("{}?token=s3cret", receiver.url());
            let headers = json!({"x-key": "k3y"});
            let wanted = json!({"id": id, "url": url, "description": description, "headers": headers});
            console.register("acme", &wanted).await;
        }
        let acme = member(&console, "acme").await;
        let data = json!({"note": HOSTILE, "turned": "\u{202e}exe.txt", "control": "\u{1b}[31m"});
        let event = publish(&console, &data).await;

        let retrying = says(&acme, &event, "ep_bad", "answered 500").await;
        is_harmless(&retrying);
        for part in [
            "class=\"badge warn\">retrying",
            "Next attempt <time",
            "(2 of 4).",
            "data-countdown",
            "failed while it handled the event (500)",
            "Attempt 1",
            "&lt;script&gt;alert(1)",
            "&lt;U+202E&gt;exe.txt",
            "Content-Type: application/json",
            "POST http://127.0.0.1:",
        ] {
            assert!(
                retrying.to_lowercase().contains(&part.to_lowercase()),
                "{part} in {retrying}"
            );
        }
        let title = between(&retrying, "data-countdown>in ", "<").unwrap();
        assert!(title.ends_with(" s") || title == "1 min", "{title}");
        assert_eq!(retrying.matches("<details id=\"attempt-").count(), 1);
        assert!(
            between(&retrying, "<details id=\"attempt-", ">")
                .unwrap()
                .ends_with(" open")
        );
        for secret in ["s3cret", "k3y", "v1,", "sha256=", "whsec_"] {
            assert!(!retrying.contains(secret), "{secret} in {retrying}");
        }

        // The command makes the same request again, but for signatures.
        let command = between(&retrying, "<div id=\"curl\">", "</div>").unwrap();
        let command = unescaped(&between(&command, "<code>", "</code>").unwrap());
        let words = words(&command);
        let sent: Vec<Received> = bad.requests();
        let body = &words[words.iter().position(|word| word == "--data-raw").unwrap() + 1];
        assert_eq!(body.as_bytes(), &sent[0].body[..]);
        assert!(words.contains(&format!("webhook-id: {event}")), "{words:?}");
        assert!(
            !words
                .iter()
                .any(|word| word.contains("***") && !word.contains("?***")),
            "{words:?}"
        );

        let delivered = says(&acme, &event, "ep_good", "answered 204").await;
        is_harmless(&delivered);
        assert!(delivered.contains("badge good\">delivered") && delivered.contains("Send again"));
        assert!(!delivered.contains("Next attempt"), "{delivered}");
        // The whole of what was sent can be taken along.
        let whole = acme
            .get(&format!("{LIST}/{event}/ep_good/body"))
            .await
            .expect(200);
        assert_eq!(whole.body.as_bytes(), &good.requests()[0].body[..]);
        assert_eq!(
            whole.header("content-disposition"),
            Some(format!("attachment; filename=\"{event}.json\"").as_str())
        );

        let list = acme.get(LIST).await.expect(200).body;
        is_harmless(&list);
        assert!(
            list.contains("data-renew=\"") && list.contains("As of "),
            "{list}"
        );
        assert!(
            list.contains("failed while it handled the event (500)") && list.contains("Answered 204"),
            "{list}"
        );
        assert_eq!(list.matches("data-row>").count(), 2, "{list}");
        // It stands as it stood, and a script has nothing to show anew.
        let version = between(&list, "data-version=\"", "\"").unwrap();
        let again = acme.get(LIST).await.expect(200).body;
        assert_eq!(between(&again, "data-version=\"", "\""), Some(version.clone()));
        publish(&console, &json!({})).await;
        eventually(SOON, "the list has something new", async || {
            let list = acme.get(LIST).await.body;
            (between(&list, "data-version=\"", "\"").as_ref() != Some(&version)).then_some(())
        })
        .await;
        good.expect(2, SOON).await;
        bad.expect(2, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn what_failed_for_good_is_retried_and_what_was_delivered_sent_again() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        dispatcher(world, database, "1s").start().await;
        let receiver = Receiver::answering(status(500).body("no luck")).await;
        console
            .register("acme", &json!({"id": "ep_crm", "url": receiver.url()}))
            .await;
        let acme = member(&console, "acme").await;
        let event = publish(&console, &json!({"n": 1})).await;
        let failed = says(&acme, &event, "ep_crm", "Failed for good after 2 attempts.").await;
        assert!(
            failed.contains(">Retry</button>") && failed.contains("no luck"),
            "{failed}"
        );
        // Filed, so that it is the dead letter that is sent again.
        eventually(SOON, "it is filed", async || {
            let count = database.texts("SELECT count(*)::text FROM dead_letters").await;
            (count == ["1"]).then_some(())
        })
        .await;

        receiver.answer_now(status(200));
        let replay = format!("{LIST}/{event}/ep_crm/replay");
        let sent = acme.post(&replay, &[]).await.expect(303);
        let to = Browser::location(&sent).unwrap();
        assert_eq!(to, format!("{LIST}/{event}/ep_crm?done=again"));
        assert!(
            acme.get(to)
                .await
                .expect(200)
                .body
                .contains("Sent again. Its attempt")
        );
        let delivered = says(&acme, &event, "ep_crm", "after 3 attempts").await;
        assert!(delivered.contains("Sent again, attempt 1"), "{delivered}");
        assert!(database.texts("SELECT event FROM dead_letters").await.is_empty());

        // Not in the same second: that would be a button that was pressed twice.
        eventually(SOON, "it is sent once more", async || {
            (acme.post(&replay, &[]).await.status == 303).then_some(())
        })
        .await;
        says(&acme, &event, "ep_crm", "after 4 attempts").await;
        let requests = receiver.expect(4, SOON).await;
        assert!(requests.iter().all(|request| request.id() == event));
        assert_eq!(requests[0].body, requests[3].body);
        let audit = console
            .admin()
            .get("/v1/companies/acme/audit")
            .await
            .expect(200)
            .json();
        let deeds: Vec<&Value> = audit["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| &line["action"])
            .collect();
        assert_eq!(
            deeds[..2],
            [&json!("event.replayed"), &json!("failed.retried")],
            "{audit}"
        );
        assert!(
            audit["data"][0]["actor"].as_str().unwrap().starts_with("portal:"),
            "{audit}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_event_that_is_sent_again_days_later_is_still_one_delivery_and_one_event() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        make_days(database, 6).await;
        dispatcher(world, database, "1s").start().await;
        let receivers = [
            Receiver::answering(status(204)).await,
            Receiver::answering(status(204)).await,
        ];
        let days = 5 * 86_400;
        for (id, receiver) in ["ep_a", "ep_b"].into_iter().zip(&receivers) {
            console
                .register("acme", &json!({"id": id, "url": receiver.url()}))
                .await;
            Row::of("evt_1", id, days).insert(database).await;
        }
        insert_event(database, "acme", "evt_1", Some("{}")).await;
        database
            .execute("UPDATE events SET recorded_at = recorded_at - interval '5 days'")
            .await
            .unwrap();
        // To all that want it, and to one of them alone.
        let replay = "/v1/companies/acme/events/evt_1/replay";
        console.admin().post(replay, &json!({})).await.expect(202);
        eventually(SOON, "it is sent once more", async || {
            let once_more = console.admin().post(replay, &json!({"endpoint": "ep_b"})).await;
            (once_more.status == 202).then_some(())
        })
        .await;
        receivers[0].expect(1, SOON).await;
        receivers[1].expect(2, SOON).await;
        let rows = "SELECT endpoint || ' ' || attempts FROM deliveries ORDER BY 1";
        eventually(SOON, "all three attempts are counted", async || {
            (database.texts(rows).await == ["ep_a 2", "ep_b 3"]).then_some(())
        })
        .await;
        assert_eq!(database.texts("SELECT count(*)::text FROM events").await, ["1"]);
        let origins = "SELECT DISTINCT origin FROM attempts";
        assert_eq!(database.texts(origins).await, ["manual"]);
    })
    .await;
}
