//! One dead letter, or those that a filter means, are sent again: with what was published, from the first attempt on.

use hookline_common::topology::Queue;
use hookline_tests::console::{console_scenario, database_scenario, heard};
use hookline_tests::message::text;
use hookline_tests::{Receiver, eventually, status};
use lapin::types::AMQPValue;
use serde_json::json;

use super::{FAILED, are_filed, dead_letter, dispatcher, done, filed, filing_console, listed, register};
use crate::SOON;

#[tokio::test]
async fn a_retry_sends_what_was_published_and_no_more() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = filing_console(world, database).await;
        let receiver = Receiver::answering(status(200)).await;
        register(&console, &receiver, false).await;
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let letter = dead_letter("ep_crm")
            .header("created-at", text("2024-01-15T14:30:00.250Z"))
            .header("traceparent", text(trace))
            .header("tracestate", text("a=b"))
            .header("ordering-key", AMQPValue::LongInt(7))
            .header("note", AMQPValue::ByteArray(vec![0, 0xff].into()))
            .header("parked", AMQPValue::LongInt(3))
            .body("{ \"a\":1.0 }");
        letter.send(world, Queue::Failed).await;
        are_filed(world, database, 1).await;
        let retry = format!("{FAILED}/{}/ep_crm/retry", letter.id());
        let reply = console.admin().post(&retry, &json!({})).await.expect(202);
        assert_eq!(reply.json(), json!({"count": 1}));
        let sent = world.expect_in(Queue::Deliveries, 1, SOON).await.remove(0);
        assert_eq!(
            (sent.id(), &sent.body[..]),
            (letter.id().as_str(), &b"{ \"a\":1.0 }"[..])
        );
        for (name, wanted) in [
            ("company", "acme"),
            ("endpoint", "ep_crm"),
            ("origin", "manual"),
            ("created-at", "2024-01-15T14:30:00.250Z"),
            ("traceparent", trace),
            ("tracestate", "a=b"),
        ] {
            assert_eq!(sent.text(name), wanted, "{name}");
        }
        assert_eq!(
            (sent.integer("attempt"), sent.integer("ordering-key")),
            (Some(1), Some(7))
        );
        for gone in ["parked", "failed-at", "reason", "last-outcome", "last-status"] {
            assert!(!sent.headers.contains_key(gone), "{gone}");
        }
        assert_eq!(
            sent.headers.get("note"),
            Some(&AMQPValue::ByteArray(vec![0, 0xff].into()))
        );
        let row = listed(&console, "").await.remove(0);
        let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let retried_at = row["retried_at"].as_str().unwrap();
        assert_eq!(time(retried_at), time(sent.text("retried-at")));
        assert_eq!(listed(&console, "?open=true").await.len(), 0);
        let told = "SELECT status FROM deliveries WHERE next_attempt_at IS NOT NULL";
        assert_eq!(database.texts(told).await, ["retrying"]);
        let audit = console
            .admin()
            .get("/v1/companies/acme/audit?limit=1")
            .await
            .expect(200)
            .json();
        assert_eq!(audit["data"][0]["action"], "failed.retried", "{audit}");
    })
    .await;
}

#[tokio::test]
async fn what_was_retried_is_gone_when_it_is_delivered_and_comes_back_when_it_fails_again() {
    database_scenario(async |world, database| {
        let console = filing_console(world, database).await;
        let receiver = Receiver::answering(status(500)).await;
        register(&console, &receiver, false).await;
        dispatcher(world, database)
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        let event = world.publish("booking.created", "{}").await;
        are_filed(world, database, 1).await;
        let first = listed(&console, "").await.remove(0);
        assert_eq!(
            (&first["reason"], &first["attempts"]),
            (&"retries_exhausted".into(), &2.into())
        );

        // It gets the whole schedule again.
        let one = format!("{FAILED}/{}/ep_crm/retry", event.id);
        console.admin().post(&one, &json!({})).await.expect(202);
        receiver.expect(4, SOON).await;
        let again = eventually(SOON, "it comes back", async || {
            let row = listed(&console, "").await.pop()?;
            (row["failed_at"] != first["failed_at"]).then_some(row)
        })
        .await;
        assert_eq!(
            (&again["attempts"], &again["retried_at"]),
            (&2.into(), &json!(null))
        );
        assert_eq!((filed(database).await, &again["origin"]), (1, &"manual".into()));

        receiver.answer_now(status(200));
        let asked = console
            .admin()
            .post(&format!("{FAILED}/retry"), &json!({}))
            .await
            .expect(202)
            .json();
        assert_eq!(asked["count"], 1, "{asked}");
        receiver.expect(5, SOON).await;
        eventually(SOON, "it is delivered and gone", async || {
            let told = database.texts("SELECT status FROM deliveries").await;
            (filed(database).await == 0 && told == ["delivered"]).then_some(())
        })
        .await;
        let numbers: Vec<u32> = receiver
            .requests()
            .iter()
            .map(|request| request.attempt())
            .collect();
        assert_eq!(numbers, [1, 2, 1, 2, 1]);
    })
    .await;
}

#[tokio::test]
async fn what_an_endpoint_missed_while_it_was_disabled_is_delivered_when_it_is_enabled() {
    database_scenario(async |world, database| {
        let console = filing_console(world, database).await;
        let receiver = Receiver::answering(status(200)).await;
        register(&console, &receiver, true).await;
        let dispatcher = dispatcher(world, database).start().await;
        let events = world.publish_many(30, "booking.created").await;
        are_filed(world, database, 30).await;
        let row = listed(&console, "?limit=1").await.remove(0);
        assert_eq!(
            (&row["reason"], &row["attempts"]),
            (&"endpoint_disabled".into(), &0.into())
        );

        let one = format!("{FAILED}/{}/ep_crm/retry", events[0].id);
        assert_eq!(
            console.admin().post(&one, &json!({})).await.problem(409),
            "endpoint_disabled"
        );
        let all = format!("{FAILED}/retry");
        let skipped = console.admin().post(&all, &json!({})).await.expect(202).json();
        assert_eq!((&skipped["count"], &skipped["skipped"]), (&0.into(), &30.into()));
        // Nothing is sent, so that nothing is written.
        assert_eq!(skipped["retry"], json!(null));
        let written =
            "SELECT id FROM retries UNION ALL SELECT action FROM audit WHERE action = 'failed.retried'";
        assert!(database.texts(written).await.is_empty());

        let enable = json!({"disabled": false});
        let enabled = console
            .admin()
            .patch("/v1/companies/acme/endpoints/ep_crm", &enable);
        heard(&dispatcher, enabled).await.expect(200);
        let counted = console
            .admin()
            .post(&all, &json!({"dry_run": true}))
            .await
            .expect(200)
            .json();
        assert_eq!(
            counted,
            json!({"count": 30, "skipped": 0, "dry_run": true, "retry": null})
        );
        assert_eq!(receiver.count(), 0);
        let asked = console.admin().post(&all, &json!({})).await.expect(202).json();
        let progress = done(&console, asked["retry"].as_str().unwrap()).await;
        assert_eq!((&progress["done"], &progress["total"]), (&30.into(), &30.into()));
        receiver.expect(30, SOON).await;
        eventually(SOON, "none is left", async || {
            (filed(database).await == 0).then_some(())
        })
        .await;

        console
            .admin()
            .delete("/v1/companies/acme/endpoints/ep_crm")
            .await
            .expect(204);
        dead_letter("ep_crm").send(world, Queue::Failed).await;
        are_filed(world, database, 1).await;
        let gone = listed(&console, "").await.remove(0);
        let one = format!("{FAILED}/{}/ep_crm/retry", gone["event"].as_str().unwrap());
        assert_eq!(
            console.admin().post(&one, &json!({})).await.problem(409),
            "endpoint_gone"
        );
    })
    .await;
}

#[tokio::test]
async fn a_filter_means_what_it_says_and_a_second_retry_sends_nothing_twice() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = filing_console(world, database).await;
        for id in ["ep_crm", "ep_other"] {
            let wanted = json!({"url": "https://example.com/", "id": id});
            console.register("acme", &wanted).await;
        }
        let letters = [
            dead_letter("ep_crm"),
            dead_letter("ep_other"),
            dead_letter("ep_crm").properties(|properties| properties.with_type("booking.item.moved".into())),
            dead_letter("ep_crm").properties(|properties| properties.with_type("bookings".into())),
            dead_letter("ep_crm")
                .header("last-outcome", text("timeout"))
                .without("last-status"),
            dead_letter("ep_crm").header("reason", text("endpoint_disabled")),
            dead_letter("ep_crm").header("failed-at", text("2026-02-05T09:30:00Z")),
        ];
        for letter in &letters {
            letter.send(world, Queue::Failed).await;
        }
        are_filed(world, database, letters.len()).await;
        let count = async |filter: serde_json::Value| {
            let mut body = filter;
            body["dry_run"] = json!(true);
            let reply = console
                .admin()
                .post(&format!("{FAILED}/retry"), &body)
                .await
                .expect(200);
            reply.json()["count"].as_u64().unwrap()
        };
        for (filter, wanted) in [
            (json!({}), 7),
            (json!({"endpoint": "ep_other"}), 1),
            (json!({"type": "booking.*"}), 6),
            (json!({"type": "booking.item.moved"}), 1),
            (json!({"outcome": "timeout"}), 1),
            (json!({"reason": "endpoint_disabled"}), 1),
            (json!({"since": "2026-02-01T00:00:00Z"}), 1),
            (json!({"until": "2026-02-01T00:00:00Z", "endpoint": "ep_crm"}), 5),
        ] {
            assert_eq!(count(filter.clone()).await, wanted, "{filter}");
        }
        for (query, wanted) in [
            ("?endpoint=ep_other", 1),
            ("?type=booking.*", 6),
            ("?outcome=timeout", 1),
        ] {
            assert_eq!(listed(&console, query).await.len(), wanted, "{query}");
        }
        let ask = async |body: serde_json::Value| {
            let asked = console
                .admin()
                .post(&format!("{FAILED}/retry"), &body)
                .await
                .expect(202)
                .json();
            let Some(retry) = asked["retry"].as_str() else {
                return asked["count"].as_u64().unwrap();
            };
            done(&console, retry).await["done"].as_u64().unwrap()
        };
        assert_eq!(ask(json!({"type": "booking.*"})).await, 6);
        assert_eq!(ask(json!({})).await, 1);
        assert_eq!(ask(json!({})).await, 0);
        world.expect_in(Queue::Deliveries, 7, SOON).await;
        assert_eq!(ask(json!({"again": true, "endpoint": "ep_other"})).await, 1);
        world.expect_in(Queue::Deliveries, 8, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn what_was_never_there_can_not_be_retried() {
    console_scenario(async |console, _| {
        for path in ["evt_none/ep_crm/retry", "%20/ep_crm/retry"] {
            let reply = console
                .admin()
                .post(&format!("{FAILED}/{path}"), &json!({}))
                .await;
            assert_eq!(reply.problem(404), "not_found", "{path}");
        }
        for bad in [
            json!({"endpoint": ""}),
            json!({"company": "globex"}),
            json!({"since": "x"}),
        ] {
            let reply = console.admin().post(&format!("{FAILED}/retry"), &bad).await;
            assert_eq!(reply.problem(400), "invalid_request", "{bad}");
        }
    })
    .await;
}
