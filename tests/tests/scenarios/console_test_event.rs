//! Send Test Event: one attempt, whatever the endpoint's filter and state say, and what became of it.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use hookline_common::topology::Queue;
use hookline_tests::SOON;
use hookline_tests::answer::status;
use hookline_tests::api::Reply;
use hookline_tests::browser::Browser;
use hookline_tests::console::{Console, MASTER_KEY, database_scenario, setup, start};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Setup;
use hookline_tests::eventually::{always, eventually};
use hookline_tests::receiver::Receiver;
use hookline_tests::world::World;
use serde_json::{Value, json};

/// A dispatcher that reads endpoints where the console keeps them.
fn dispatcher<'a>(world: &'a World, database: &Database) -> Setup<'a> {
    world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database.url().as_str())
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
}

/// Registers an endpoint, and returns the path of its test events.
async fn register(console: &Console, company: &str, body: Value) -> String {
    let made = console.register(company, &body).await;
    let id = made["id"].as_str().unwrap();
    format!("/v1/companies/{company}/endpoints/{id}/test")
}

/// The endpoint of such a path.
fn endpoint_of(path: &str) -> &str {
    path.trim_end_matches("/test").rsplit('/').next().unwrap()
}

#[tokio::test]
async fn a_test_event_is_one_attempt_whatever_filter_and_state_say_and_its_record_is_answered() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        dispatcher(world, database).start().await;
        let acme = console.company("acme").await;
        let receiver = Receiver::answering(status(500).body("no luck")).await;
        let endpoint = json!({"url": receiver.url(), "format": "meetergo", "events": ["form.*"]});
        let path = register(&console, "acme", endpoint).await;
        let disable = path.trim_end_matches("/test");
        acme.patch(disable, &json!({"disabled": true})).await.expect(200);

        // By the format's own name; the attempt fails, and is not made again.
        let sent = acme
            .post(&format!("{path}?wait=30s"), &json!({"type": "booking_created"}))
            .await;
        let attempt = sent.expect(200).json();
        for (name, value) in [
            ("type", json!("booking.created")),
            ("company", json!("acme")),
            ("origin", json!("test")),
            ("attempt", json!(1)),
            ("outcome", json!("http_status")),
            ("status", json!(500)),
            ("response", json!("no luck")),
            ("final", json!(true)),
        ] {
            assert_eq!(attempt[name], value, "{name}: {attempt}");
        }
        let request = receiver.expect_one(SOON).await;
        assert_eq!(Some(request.id()), attempt["event"].as_str());
        let sent: Value = serde_json::from_slice(&request.body).unwrap();
        let shown = acme
            .get("/v1/event-types/booking.created")
            .await
            .expect(200)
            .json();
        assert_eq!(
            (&sent["event"], &sent["data"]),
            (&json!("booking_created"), &shown["sample"])
        );
        // The first retry would come after a second.
        always(Duration::from_secs(3), "there is no retry", async || {
            receiver.count() == 1
        })
        .await;

        // It is in the log, and nothing has happened that the company's feed should tell.
        let recorded = format!(
            "/v1/companies/acme/deliveries/{}/{}",
            request.id(),
            endpoint_of(&path)
        );
        eventually(SOON, "the attempt is recorded", async || {
            (acme.get(&recorded).await.status == 200).then_some(())
        })
        .await;
        let feed = acme.get("/v1/companies/acme/events").await.expect(200).json();
        assert_eq!(feed["data"], json!([]));

        // Several who wait each get their own.
        receiver.answer_now(status(204));
        let asked = [
            "booking.created",
            "booking.cancelled",
            "form.submitted",
            "employee.created",
        ];
        let url = format!("{path}?wait=30s");
        let replies = join_all(asked.map(async |name| acme.post(&url, &json!({"type": name})).await)).await;
        for (name, reply) in asked.iter().zip(replies) {
            let attempt = reply.expect(200).json();
            assert_eq!(
                (&attempt["type"], &attempt["outcome"]),
                (&json!(name), &json!("delivered"))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_wait_or_an_attempt_in_time_the_event_is_on_its_way() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let acme = console.company("acme").await;
        let receiver = Receiver::answering(status(204)).await;
        let path = register(&console, "acme", json!({"url": receiver.url()})).await;
        // Nobody works yet, and there is no log to follow.
        let mut events = Vec::new();
        for query in ["", "?wait=0s", "?wait=1s"] {
            let sent = acme
                .post(&format!("{path}{query}"), &json!({"type": "form.submitted"}))
                .await;
            events.push(sent.expect(202).json()["event"].as_str().unwrap().to_owned());
        }
        let waiting = world.expect_in(Queue::Deliveries, 3, SOON).await;
        for (message, event) in waiting.iter().zip(&events) {
            assert_eq!((message.id(), message.text("origin")), (event.as_str(), "test"));
        }
        dispatcher(world, database)
            .set("HOOKLINE_RECORDS", "off")
            .start()
            .await;
        assert_eq!(receiver.expect(3, SOON).await.len(), 3);
        // Attempts that are not recorded cannot be answered.
        let sent = acme
            .post(&format!("{path}?wait=1s"), &json!({"type": "form.submitted"}))
            .await;
        assert!(sent.expect(202).json()["event"].is_string());
        receiver.expect(4, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_tested_is_refused() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let acme = console.company("acme").await;
        let path = register(&console, "acme", json!({"url": "https://example.com/"})).await;
        let of_globex = register(&console, "globex", json!({"url": "https://example.com/"})).await;
        for (body, told) in [
            (json!({"type": "no.such"}), "/v1/event-types"),
            (json!({}), "missing field"),
            (json!({"type": "form.submitted", "data": {}}), "unknown field"),
        ] {
            let refused = acme.post(&path, &body).await;
            assert_eq!(refused.problem(400), "invalid_request");
            assert!(refused.body.contains(told), "{refused:?}");
        }
        for wait in ["31s", "x", "-1s", "10"] {
            let refused = acme
                .post(&format!("{path}?wait={wait}"), &json!({"type": "form.submitted"}))
                .await;
            assert_eq!(refused.problem(400), "invalid_request", "{wait}");
        }
        let foreign = of_globex.replace("globex", "acme");
        let refused = acme.post(&foreign, &json!({"type": "form.submitted"})).await;
        assert_eq!(refused.problem(404), "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_company_has_so_many_sent_at_once_and_others_do_not_wait_for_it() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        dispatcher(world, database).start().await;
        let (acme, globex) = (console.company("acme").await, console.company("globex").await);
        let receiver = Receiver::answering(status(204)).await;
        let path = register(&console, "acme", json!({"url": receiver.url()})).await;
        let of_globex = register(&console, "globex", json!({"url": receiver.url()})).await;
        let sample = json!({"type": "form.submitted"});
        // A token that nobody has used yet is looked up, and few of those are at once. Then no more wait for an answer than its
        // company may have at the database at once.
        acme.get("/v1/companies/acme/endpoints").await.expect(200);
        let began = std::time::Instant::now();
        let posts = stream::iter(0..200).map(|_| acme.post(&path, &sample));
        let replies: Vec<Reply> = posts.buffer_unordered(4).collect().await;
        let sent = replies.iter().filter(|reply| reply.status == 202).count();
        let one_more_each_second = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
        assert!((60..=60 + one_more_each_second).contains(&sent), "{sent}");
        let refused = replies.iter().find(|reply| reply.status == 429).unwrap();
        assert_eq!(refused.json()["code"], "rate_limited");
        assert_eq!(refused.header("retry-after"), Some("1"));
        // Its people, and the operator for it, have no more.
        for person in [
            Browser::of_company(&console, "acme").await,
            Browser::of_operator(&console).await,
        ] {
            let page = format!("/companies/acme/endpoints/{}/test", endpoint_of(&path));
            let asked = eventually(SOON, "the page is refused, too", async || {
                let asked = person.post(&page, &[("type", "form.submitted")]).await;
                (asked.status == 429).then_some(asked)
            })
            .await;
            assert!(asked.header("retry-after").is_some(), "{asked:?}");
            assert!(asked.body.contains("too many test events"), "{asked:?}");
        }
        globex.post(&of_globex, &sample).await.expect(202);
    })
    .await;
}
