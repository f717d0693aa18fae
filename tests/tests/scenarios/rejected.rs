//! What cannot be understood is set aside with its reason, and what stands beside it is delivered.

use hookline_common::topology::{Namespace, Queue};
use hookline_tests::cli::{objects, out, run, succeed, why};
use hookline_tests::endpoint::endpoint;
use hookline_tests::message::{HandMade, text};
use hookline_tests::{Receiver, eventually, scenario, status};
use lapin::types::{AMQPValue, FieldArray, FieldTable};

use crate::SOON;

fn number(number: i32) -> AMQPValue {
    AMQPValue::LongInt(number)
}

/// Messages of the `events` queue that break the format, each with the reason for which it is rejected.
fn broken_events() -> Vec<(&'static str, HandMade)> {
    let event = HandMade::event;
    let with_id = |id: &str| event().properties(|it| it.with_message_id(id.into()));
    let without_id = event().properties(|it| {
        let rest = lapin::BasicProperties::default().with_content_type("application/json".into());
        rest.with_type("booking.created".into())
            .with_timestamp(it.timestamp().unwrap())
    });
    let with_type = |name: &str| event().properties(|it| it.with_type(name.into()));
    vec![
        (
            "bad_content_type",
            event().properties(|it| it.with_content_type("text/plain".into())),
        ),
        (
            "bad_content_encoding",
            event().properties(|it| it.with_content_encoding("gzip".into())),
        ),
        ("bad_message_id", without_id),
        ("bad_message_id", with_id("evt.1")),
        ("bad_message_id", with_id(&"x".repeat(65))),
        ("bad_type", with_type("Booking Created")),
        ("bad_type", with_type("")),
        (
            "bad_timestamp",
            event().properties(|it| it.with_timestamp(u64::MAX)),
        ),
        ("bad_created_at", event().header("created-at", text("yesterday"))),
        (
            "bad_created_at",
            event().header("created-at", text("2024-01-15T14:30:00+0200")),
        ),
        ("bad_created_at", event().header("created-at", number(1))),
        ("bad_company", event().without("company")),
        ("bad_company", event().header("company", text(".."))),
        ("bad_company", event().header("company", AMQPValue::Boolean(true))),
        (
            "bad_company",
            event().header("company", AMQPValue::LongString(vec![0xff, 0xfe].into())),
        ),
        (
            "data_too_long",
            event().body(format!("{{\"a\":\"{}\"}}", "x".repeat(200_000))),
        ),
        ("data_not_utf8", event().body(b"{\"a\":\"\xff\"}".to_vec())),
        ("data_has_bom", event().body("\u{feff}{}")),
        ("data_not_json", event().body("{\"a\":")),
        ("data_not_json", event().body("")),
        ("data_not_json", event().body("{}{}")),
        ("data_not_an_object", event().body("[1,2]")),
    ]
}

/// The same for the `deliveries` queue.
fn broken_deliveries() -> Vec<(&'static str, HandMade)> {
    let delivery = || HandMade::delivery("ep_crm");
    vec![
        ("bad_endpoint", delivery().header("endpoint", text("a b"))),
        ("bad_endpoint", delivery().header("endpoint", number(1))),
        ("bad_attempt", delivery().without("attempt")),
        ("bad_attempt", delivery().header("attempt", number(0))),
        ("bad_attempt", delivery().header("attempt", number(-1))),
        ("bad_attempt", delivery().header("attempt", number(1_000_000_000))),
        ("bad_attempt", delivery().header("attempt", text("1"))),
        ("bad_origin", delivery().without("origin")),
        ("bad_origin", delivery().header("origin", text("nobody"))),
        ("bad_parked", delivery().header("parked", number(-1))),
        ("bad_parked", delivery().header("parked", text("often"))),
        ("data_not_json", delivery().body("nonsense")),
    ]
}

#[tokio::test]
async fn every_message_that_breaks_the_format_is_rejected_with_its_reason_and_its_neighbours_are_delivered() {
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        let (mut expected, mut neighbours) = (Vec::new(), Vec::new());
        for (queue, broken) in [
            (Queue::Events, broken_events()),
            (Queue::Deliveries, broken_deliveries()),
        ] {
            for (reason, message) in broken {
                let case = format!("{:03}", expected.len());
                message.header("case", text(&case)).send(world, queue).await;
                expected.push((case, reason));
                let neighbour = HandMade::event();
                neighbour.send(world, Queue::Events).await;
                neighbours.push(neighbour.id());
            }
        }
        let rejected = world.expect_in(Queue::Rejected, expected.len(), SOON).await;
        let mut seen: Vec<_> = rejected
            .iter()
            .map(|message| (message.text("case").to_owned(), message.text("rejected-reason")))
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, expected);
        let mut delivered: Vec<_> = receiver
            .expect(neighbours.len(), SOON)
            .await
            .iter()
            .map(|request| request.id().to_owned())
            .collect();
        delivered.sort_unstable();
        neighbours.sort_unstable();
        assert_eq!(delivered, neighbours);
        assert!(dispatcher.is_ready().await);
    })
    .await;
}

#[tokio::test]
async fn a_rejected_message_is_kept_as_it_came() {
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        world.endpoints([]);
        let dispatcher = world.dispatcher().start().await;
        let message = HandMade::event()
            .body("{\"a\":\"\u{1b}[31m")
            .header("ordering-key", text("b1"));
        message.publish(world).await;
        let rejected = world.expect_in(Queue::Rejected, 1, SOON).await.remove(0);
        assert_eq!(rejected.id(), message.id());
        assert_eq!(rejected.body, b"{\"a\":\"\x1b[31m");
        assert_eq!(rejected.text("ordering-key"), "b1");
        assert_eq!(rejected.text("company"), "acme");
        assert_eq!(
            rejected.text("sent-exchange"),
            world.namespace().events_exchange()
        );
        assert_eq!(rejected.text("sent-routing-key"), "booking.created");
        let line = dispatcher.says("goes to the rejected queue", SOON).await;
        assert!(
            line.contains(&message.id()) && line.contains("data_not_json"),
            "{line}"
        );
        let metrics = dispatcher.get("/metrics").await.unwrap().body;
        let counted = "hookline_messages_rejected_total{reason=\"data_not_json\"} 1";
        assert!(metrics.contains(counted), "{metrics}");
    })
    .await;
}

#[tokio::test]
async fn a_person_sees_why_a_message_was_rejected_sends_again_what_can_be_read_and_removes_the_rest() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        let torn = HandMade::event().body("{\"a\":\"\u{1b}[31m");
        torn.publish(world).await;
        world.expect_in(Queue::Rejected, 1, SOON).await;
        let uncounted = HandMade::delivery("ep_crm").without("attempt");
        uncounted.send(world, Queue::Deliveries).await;
        world.expect_in(Queue::Rejected, 2, SOON).await;
        dispatcher.stop().await;
        // Nothing is wrong with this one but that nobody came for it in time.
        let expired = HandMade::event().properties(|it| it.with_expiration("1".into()));
        expired.publish(world).await;
        world.expect_in(Queue::Rejected, 3, SOON).await;
        let (torn, uncounted, expired) = (torn.id(), uncounted.id(), expired.id());
        let dlq = |words: &[&'static str]| [&["dlq"], words, &["--queue", "rejected"]].concat();
        let listed = async || -> Vec<String> {
            let rows = objects(world, &dlq(&["list", "--json"])).await;
            rows.iter()
                .map(|row| row["event"].as_str().unwrap().to_owned())
                .collect()
        };

        let list = succeed(world, &dlq(&["list"])).await;
        let rows: Vec<Vec<&str>> = list
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows.len(), 4, "a head, and a line for each: {list}");
        for (row, expected) in rows[1..].iter().zip([
            [torn.as_str(), "(event)", "data_not_json"],
            [&uncounted, "ep_crm", "bad_attempt"],
            [&expired, "(event)", "expired"],
        ]) {
            let [event, endpoint, event_type, _age, reason, company] = row[..] else {
                panic!("six columns: {list}");
            };
            assert_eq!([event, endpoint, reason], expected, "{list}");
            assert_eq!((event_type, company), ("booking.created", "acme"), "{list}");
        }
        let row = objects(world, &dlq(&["list", "--json", "--limit", "1"]))
            .await
            .remove(0);
        assert_eq!(row["rejected_reason"], "data_not_json", "{row}");
        assert!(
            objects(world, &["dlq", "list", "--json"]).await.is_empty(),
            "no dead letter"
        );

        let show = [&["dlq", "show", &torn][..], &["--queue", "rejected"]].concat();
        let shown = succeed(world, &show).await;
        for part in [torn.as_str(), "data_not_json", "{\"a\":\"", "acme"] {
            assert!(shown.contains(part), "{part} in\n{shown}");
        }
        assert!(!shown.contains('\x1b'), "{shown}");
        let elsewhere = why(&run(world, &["dlq", "show", &torn]).await, 1);
        assert!(elsewhere.contains(&world.queue(Queue::Failed)), "{elsewhere}");

        let retried = run(world, &dlq(&["retry", "--all"])).await;
        let told = String::from_utf8_lossy(&retried.stderr).into_owned();
        assert_eq!(retried.status.code(), Some(1), "what stays is no success: {told}");
        assert_eq!(out(&retried), format!("retried {expired}\n"));
        for (id, fault) in [(&torn, "JSON"), (&uncounted, "attempt is missing")] {
            let is_named = |line: &str| line.contains(id.as_str()) && line.contains(fault);
            assert!(told.lines().any(is_named), "{id} in\n{told}");
        }
        assert!(
            told.contains("2 rejected messages cannot be read and stayed"),
            "{told}"
        );
        assert_eq!(listed().await, [torn.as_str(), &uncounted]);
        let again = world.expect_in(Queue::Events, 1, SOON).await.remove(0);
        assert_eq!(again.id(), expired);
        world.dispatcher().start().await;
        assert_eq!(receiver.expect_one(SOON).await.id(), expired);

        let unasked = why(&run(world, &dlq(&["purge"])).await, 2);
        assert!(
            unasked.contains("--yes") && unasked.contains(&world.queue(Queue::Rejected)),
            "{unasked}"
        );
        succeed(world, &["dlq", "purge", "--yes"]).await;
        assert_eq!(
            listed().await,
            [torn.as_str(), &uncounted],
            "the other queue was meant"
        );
        let one = [&["dlq", "purge", &torn][..], &["--queue", "rejected", "--yes"]].concat();
        let purged = succeed(world, &one).await;
        assert_eq!(
            purged,
            format!(
                "purged 1 rejected message from {}\n",
                world.queue(Queue::Rejected)
            )
        );
        assert_eq!(listed().await, [uncounted.as_str()]);
        let purged = objects(world, &dlq(&["purge", "--yes", "--json"])).await;
        assert_eq!(purged[0]["purged"], 1);
        assert!(listed().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_person_finds_the_sender_of_a_rejected_message() {
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        world.endpoints([]);
        world.dispatcher().start().await;
        let message = HandMade::event()
            .properties(|it| {
                it.with_type("BOOKING_CREATED".into())
                    .with_app_id("shop \u{1b}[2J".into())
                    .with_user_id("guest".into())
                    .with_correlation_id("c-1".into())
                    .with_reply_to("answers".into())
                    .with_priority(7)
            })
            .header("x-request-id", text("r-1"))
            .header(
                "CC",
                AMQPValue::FieldArray(FieldArray::from(vec![text("nowhere")])),
            );
        message.publish(world).await;
        let rejected = world.expect_in(Queue::Rejected, 1, SOON).await.remove(0);
        let properties = &rejected.properties;
        assert_eq!(properties.correlation_id().as_ref().unwrap().as_str(), "c-1");
        assert_eq!(properties.reply_to().as_ref().unwrap().as_str(), "answers");
        assert_eq!(*properties.priority(), Some(7));
        assert_eq!(*properties.user_id(), None, "the broker would have refused it");
        assert_eq!(rejected.text("sent-user-id"), "guest");
        assert_eq!(rejected.text("x-request-id"), "r-1");
        assert!(rejected.headers.contains_key("sent-CC") && !rejected.headers.contains_key("CC"));
        let detail = rejected.text("rejected-detail");
        assert!(
            detail.contains("\"BOOKING_CREATED\"") && detail.contains("booking.created or booking_created"),
            "{detail}"
        );

        let id = message.id();
        let show = [&["dlq", "show", id.as_str()][..], &["--queue", "rejected"]].concat();
        let shown = succeed(world, &show).await;
        let exchange = world.namespace().events_exchange();
        for (name, value) in [
            ("exchange", exchange.as_str()),
            ("routing_key", "booking.created"),
            ("app_id", "shop"),
            ("user_id", "guest"),
            ("correlation_id", "c-1"),
            ("reply_to", "answers"),
            ("priority", "7"),
        ] {
            let is_told = |line: &str| line.starts_with(name) && line.contains(value);
            assert!(shown.lines().any(is_told), "{name} {value} in\n{shown}");
        }
        assert!(!shown.contains('\u{1b}'), "{shown}");
        let row = objects(world, &["dlq", "list", "--json", "--queue", "rejected"])
            .await
            .remove(0);
        assert_eq!(
            (&row["sender"]["user_id"], &row["sender"]["priority"]),
            (&"guest".into(), &"7".into())
        );
    })
    .await;
}

/// What the broker writes into a message that died in a retry queue before, and what it takes for a cycle.
fn traces_of_an_earlier_death(namespace: &Namespace) -> AMQPValue {
    let mut death = FieldTable::default();
    for (name, value) in [
        ("reason", "rejected"),
        ("queue", &format!("{namespace}.due")),
        ("exchange", ""),
    ] {
        death.insert(name.into(), text(value));
    }
    death.insert("count".into(), AMQPValue::LongLongInt(1));
    let keys = FieldArray::from(vec![text(&format!("{namespace}.due"))]);
    death.insert("routing-keys".into(), AMQPValue::FieldArray(keys));
    AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::FieldTable(death)]))
}

#[tokio::test]
async fn headers_that_steer_the_broker_do_not_survive_a_retry_and_those_of_others_do() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let canary = format!("{}.canary", world.namespace());
        world.broker().declare(&canary, &[]).await;
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        let copies = AMQPValue::FieldArray(FieldArray::from(vec![text(&canary)]));
        HandMade::event()
            .header("CC", copies)
            .header("x-death", traces_of_an_earlier_death(world.namespace()))
            .header("x-first-death-queue", text("elsewhere"))
            .header("ordering-key", text("b1"))
            .header("a-number", AMQPValue::ShortUInt(7))
            .send(world, Queue::Events)
            .await;
        let failed = world.expect_in(Queue::Failed, 1, SOON).await.remove(0);
        assert_eq!(receiver.count(), 2);
        assert_eq!(failed.text("ordering-key"), "b1");
        assert_eq!(failed.headers.get("a-number"), Some(&AMQPValue::ShortUInt(7)));
        for name in failed.headers.keys() {
            let is_steering = name == "CC" || (name.starts_with("x-") && name != "x-delivery-count");
            assert!(!is_steering, "{name}: {failed:?}");
        }
        // One copy by the message as it was sent here, and none by what was made of it.
        assert_eq!(world.broker().ready(&canary).await, Some(1));
        world.broker().delete(&[canary], &[]).await;
    })
    .await;
}

#[tokio::test]
async fn an_attempt_may_be_written_in_any_integer_type() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let values = [
            AMQPValue::ShortShortInt(3),
            AMQPValue::ShortShortUInt(3),
            AMQPValue::ShortInt(3),
            AMQPValue::ShortUInt(3),
            AMQPValue::LongInt(3),
            AMQPValue::LongUInt(3),
            AMQPValue::LongLongInt(3),
        ];
        for value in &values {
            HandMade::delivery("ep_crm")
                .header("attempt", value.clone())
                .send(world, Queue::Deliveries)
                .await;
        }
        let requests = receiver.expect(values.len(), SOON).await;
        eventually(SOON, "all are settled", async || {
            requests
                .iter()
                .all(|request| request.attempt() == 3)
                .then_some(())
        })
        .await;
    })
    .await;
}
