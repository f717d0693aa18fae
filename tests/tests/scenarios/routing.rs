//! Who gets what: the company's endpoints that want the event, each exactly once, and nobody else.

use std::time::Duration;

use hookline_common::topology::{PARK_DELAYS, Queue};
use hookline_producer::Event;
use hookline_tests::endpoint::{Endpoint, endpoint};
use hookline_tests::eventually::always;
use hookline_tests::in_process::Embedded;
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::message::{HandMade, text};
use hookline_tests::records::Records;
use hookline_tests::{Receiver, eventually, scenario, status};

use crate::SOON;

#[tokio::test]
async fn an_event_nobody_wants_is_settled_without_a_word_to_anyone() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver).events(&["invoice.*"])]);
        world.dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        let stranger = Event::new("nobody", "invoice.paid", "{}").unwrap();
        world.producer().await.publish(&stranger).await.unwrap();
        // What comes last is seen, so what came before it has been dealt with.
        let wanted = world.publish("invoice.paid", "{}").await;
        assert_eq!(receiver.expect_one(SOON).await.id(), wanted.id.as_str());
    })
    .await;
}

#[tokio::test]
async fn every_endpoint_that_wants_an_event_gets_it_exactly_once() {
    scenario(async |world| {
        let names: Vec<String> = (0..5).map(|number| format!("ep_{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (mut receivers, mut endpoints) = (Vec::new(), Vec::new());
        for name in &names {
            let receiver = Receiver::answering(status(200)).await;
            endpoints.push(endpoint(name, &receiver));
            receivers.push(receiver);
        }
        world.endpoints(endpoints);
        world.dispatcher().start().await;
        let events = world.publish_many(20, "booking.created").await;
        let mut judge = Judge::default();
        judge.accepted(&events, &names);
        for (name, receiver) in names.iter().zip(&receivers) {
            receiver.expect(20, SOON).await;
            judge.saw(name, receiver);
        }
        assert_eq!(judge.verdict(), Verdict::default());
    })
    .await;
}

#[tokio::test]
async fn filters_choose_by_words_and_by_the_formats_own_names() {
    scenario(async |world| {
        let filters: [(&str, &str, &[&str], &[usize]); 6] = [
            ("ep_all", "meeva", &["*"], &[0, 1, 2]),
            ("ep_one_word", "meeva", &["booking.*"], &[0, 1]),
            ("ep_last_word", "meeva", &["*.created"], &[0, 1, 2]),
            ("ep_exact", "meeva", &["booking.created"], &[0]),
            (
                "ep_own_name",
                "meetergo",
                &["booking_created", "new_employee"],
                &[0, 2],
            ),
            ("ep_none", "meeva", &["invoice.*", "booking"], &[]),
        ];
        let types = ["booking.created", "booking.group.created", "employee.created"];
        let (mut receivers, mut endpoints) = (Vec::new(), Vec::new());
        for (id, format, patterns, _) in filters {
            let receiver = Receiver::answering(status(200)).await;
            endpoints.push(endpoint(id, &receiver).text("format", format).events(patterns));
            receivers.push(receiver);
        }
        world.endpoints(endpoints);
        world.dispatcher().start().await;
        let mut judge = Judge::default();
        for (number, event_type) in types.iter().enumerate() {
            let event = world.publish(event_type, "{}").await;
            let wanting = filters.iter().filter(|(.., wants)| wants.contains(&number));
            judge.accepted([&event], &wanting.map(|(id, ..)| *id).collect::<Vec<_>>());
        }
        for ((id, _, _, wants), receiver) in filters.iter().zip(&receivers) {
            receiver.expect(wants.len(), SOON).await;
            judge.saw(id, receiver);
        }
        assert_eq!(judge.verdict(), Verdict::default());
    })
    .await;
}

#[tokio::test]
async fn another_companys_endpoint_is_never_called() {
    scenario(async |world| {
        let (ours, theirs) = (
            Receiver::answering(status(200)).await,
            Receiver::answering(status(200)).await,
        );
        // The same id in both companies: an endpoint is found by company and id.
        world.endpoints([
            endpoint("ep_crm", &ours),
            endpoint("ep_crm", &theirs).text("company", "umbrella"),
        ]);
        world.dispatcher().start().await;
        let events = world.publish_many(10, "booking.created").await;
        HandMade::delivery("ep_crm").send(world, Queue::Deliveries).await;
        ours.expect(events.len() + 1, SOON).await;
        assert_eq!((ours.count(), theirs.count()), (11, 0));
    })
    .await;
}

#[tokio::test]
async fn a_disabled_endpoint_gets_nothing_and_its_deliveries_are_kept_as_failed() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let (off, on) = (
            Receiver::answering(status(200)).await,
            Receiver::answering(status(200)).await,
        );
        world.endpoints([
            endpoint("ep_off", &off).disabled(),
            endpoint("ep_on", &on).events(&["booking.cancelled"]),
        ]);
        let dispatcher = world.dispatcher().start().await;
        let alone = world.publish("booking.created", "{}").await;
        let fanned_out = world.publish("booking.cancelled", "{}").await;
        let failed = world.expect_in(Queue::Failed, 2, SOON).await;
        for event in [&alone, &fanned_out] {
            let dead = failed
                .iter()
                .find(|dead| dead.id() == event.id.as_str())
                .expect("a dead letter each");
            assert_eq!(dead.text("endpoint"), "ep_off");
            assert_eq!(dead.text("reason"), "endpoint_disabled");
            assert_eq!(dead.integer("attempt"), Some(1));
            assert!(!dead.headers.contains_key("last-outcome"), "{dead:?}");
        }
        assert_eq!(on.expect_one(SOON).await.id(), fanned_out.id.as_str());
        assert_eq!(off.count(), 0);
        dispatcher
            .shows(
                "hookline_deliveries_failed_total{reason=\"endpoint_disabled\"}",
                2.0,
            )
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_test_event_reaches_a_disabled_endpoint_whatever_its_filter_and_is_never_retried() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver).disabled().events(&["invoice.paid"])]);
        world.dispatcher().start().await;
        HandMade::delivery("ep_crm")
            .header("origin", text("test"))
            .send(world, Queue::Deliveries)
            .await;
        let records = Records::of(world).await;
        let record = records.expect(1, SOON).await.remove(0);
        assert_eq!(record["origin"], "test");
        assert_eq!(record["final"], true);
        assert_eq!(record["next_attempt_at"], serde_json::Value::Null);
        assert_eq!(receiver.expect_one(SOON).await.attempt(), 1);
        assert_eq!(
            world.read(Queue::Failed).await.len(),
            0,
            "a test leaves no dead letter"
        );
    })
    .await;
}

#[tokio::test]
async fn a_delivery_whose_endpoint_was_removed_is_discarded_with_a_record() {
    scenario(async |world| {
        world.endpoints([]);
        let dispatcher = Embedded::start(world, |settings| {
            settings.unknown_grace = Duration::from_secs(3);
        })
        .await;
        world.producer().await;
        let message = HandMade::delivery("ep_gone");
        eventually(SOON, "the queue is declared", async || {
            world.broker().ready(&world.queue(Queue::Attempts)).await
        })
        .await;
        message.send(world, Queue::Deliveries).await;
        let records = Records::of(world).await;
        let record = records.expect(1, SOON).await.remove(0);
        assert_eq!(record["outcome"], "discarded");
        assert_eq!(record["event"], message.id());
        assert_eq!(record["endpoint"], "ep_gone");
        assert_eq!(record["final"], true);
        world.is_settled_within(SOON).await;
        dispatcher.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_delivery_whose_endpoint_is_not_yet_known_waits_for_it() {
    scenario(async |world| {
        world.endpoints([]);
        let dispatcher = world.dispatcher().start().await;
        let message = HandMade::delivery("ep_new");
        message.send(world, Queue::Deliveries).await;
        // It lies in no queue for long enough to be seen there.
        eventually(SOON, "it is set aside", async || {
            let parked = dispatcher.metric("hookline_deliveries_parked_total").await;
            (parked > Some(0.0)).then_some(())
        })
        .await;
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_new", &receiver)]);
        let request = receiver.expect_one(SOON).await;
        assert_eq!(request.id(), message.id());
        assert_eq!(request.attempt(), 1, "waiting spends no attempt");
    })
    .await;
}

#[tokio::test]
async fn a_changed_file_takes_effect_and_a_broken_one_changes_nothing_and_says_why() {
    scenario(async |world| {
        let (old, new) = (
            Receiver::answering(status(200)).await,
            Receiver::answering(status(200)).await,
        );
        world.endpoints([endpoint("ep_old", &old)]);
        let dispatcher = world.dispatcher().start().await;
        world.endpoints_text("[[endpoint]]\nid = \"ep_new\"\ncompany = \"acme\"\nurl = 7\n");
        dispatcher.says("the endpoints stay as they were", SOON).await;
        // In lines below it.
        for fault in ["url", "secret", "ep_new"] {
            dispatcher.says(fault, SOON).await;
        }
        world.publish("booking.created", "{}").await;
        old.expect_one(SOON).await;
        world.endpoints([endpoint("ep_new", &new)]);
        // Each event goes to the one that is known at its time, and to one alone.
        let mut published = 1;
        eventually(SOON, "the new endpoint gets an event", async || {
            world.publish("booking.created", "{}").await;
            published += 1;
            (new.count() > 0).then_some(())
        })
        .await;
        eventually(SOON, "all events have arrived", async || {
            (old.accepted().len() + new.accepted().len() == published).then_some(())
        })
        .await;
        assert!(dispatcher.is_ready().await);
        // What the old one would have got waits for it, in case that it vanished by mistake.
        for delay in PARK_DELAYS {
            world.leaves(Queue::Park(delay));
        }
        world.leaves(Queue::Due);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_whose_url_the_guard_refuses_is_named_at_the_start_and_never_called() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([
            Endpoint::at("ep_metadata", "http://169.254.169.254/latest"),
            endpoint("ep_good", &receiver),
        ]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        dispatcher.says("ep_metadata", SOON).await;
        world.publish("booking.created", "{}").await;
        receiver.expect_one(SOON).await;
        let failed = world.expect_in(Queue::Failed, 1, SOON).await.remove(0);
        assert_eq!(failed.text("last-outcome"), "blocked");
        always(
            Duration::from_millis(200),
            "the good one is called once",
            async || receiver.count() == 1,
        )
        .await;
    })
    .await;
}
