//! Headers that are too large, too many or nested too deep to be carried along: set aside without them, and never in the way of
//! others.

use std::collections::BTreeSet;

use hookline_common::topology::Queue;
use hookline_tests::broker::Broker;
use hookline_tests::cli::{objects, out, run, succeed};
use hookline_tests::endpoint::endpoint;
use hookline_tests::message::{HandMade, text};
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::raw_amqp::{RawMessage, RawPublisher, text as raw_text};
use hookline_tests::services::services;
use hookline_tests::{Receiver, eventually, scenario, status};
use lapin::types::{AMQPValue, FieldArray, FieldTable};

use crate::SOON;

fn nested(depth: usize) -> AMQPValue {
    (0..depth).fold(AMQPValue::Void, |inner, depth| {
        if depth % 2 == 0 {
            return AMQPValue::FieldArray(FieldArray::from(vec![inner]));
        }
        let mut table = FieldTable::default();
        table.insert("a".into(), inner);
        AMQPValue::FieldTable(table)
    })
}

fn many(count: usize) -> HandMade {
    (0..count).fold(HandMade::event(), |message, number| {
        message.header(&format!("h{number}"), text("v"))
    })
}

fn padded(bytes: usize) -> HandMade {
    HandMade::event().header("pad", text(&"x".repeat(bytes)))
}

/// Events whose headers are beyond the limits, the reason, and the names that are left out.
fn beyond() -> Vec<(HandMade, &'static str, &'static [&'static str])> {
    let deep = |depth| HandMade::event().header("deep", nested(depth));
    vec![
        (padded(16_400), "headers_too_large", &["pad"]),
        // What was carried along with a retry that never ended, and what made it longer than a frame.
        (padded(130_700), "headers_too_large", &["pad"]),
        (padded(130_900), "headers_too_large", &["pad"]),
        (
            padded(130_900).header("ordering-key", text("b1")),
            "headers_too_large",
            &["pad"],
        ),
        (many(1000), "headers_too_large", &[]),
        (deep(9), "headers_too_deep", &["deep"]),
        (deep(30), "headers_too_deep", &["deep"]),
    ]
}

#[tokio::test]
async fn headers_beyond_the_limits_are_left_out_and_named_and_nothing_is_sent_twice() {
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        world.leaves(Queue::Failed);
        // Its retries are what such headers would have broken.
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        let mut expected = BTreeSet::new();
        let mut neighbours = BTreeSet::new();
        for (message, reason, left_out) in beyond() {
            message.publish(world).await;
            expected.insert((message.id(), reason, left_out));
            let neighbour = padded(16_000);
            neighbour.publish(world).await;
            neighbours.insert(neighbour.id());
        }
        let rejected = world.expect_in(Queue::Rejected, expected.len(), SOON).await;
        for (id, reason, left_out) in &expected {
            let message = rejected.iter().find(|message| message.id() == id).unwrap();
            assert_eq!(message.text("rejected-reason"), *reason, "{message:?}");
            assert_eq!(message.text("company"), "acme");
            let detail = message.text("rejected-detail");
            assert!(detail.contains("left out here: "), "{detail}");
            for name in *left_out {
                assert!(detail.contains(&format!("\"{name}\" (")), "{detail}");
                assert!(!message.headers.contains_key(*name), "{name}");
            }
            assert!(message.headers.len() < 80, "{message:?}");
        }
        let failed = world.expect_in(Queue::Failed, neighbours.len(), SOON).await;
        let seen: BTreeSet<String> = failed.iter().map(|message| message.id().to_owned()).collect();
        assert_eq!(seen, neighbours);
        assert_eq!(
            receiver.count(),
            2 * neighbours.len(),
            "an attempt and a retry each"
        );
        assert!(dispatcher.is_ready().await);

        let rows = objects(world, &["dlq", "list", "--queue", "rejected", "--json"]).await;
        assert_eq!(rows.len(), expected.len());
        // Without them the event can be delivered, if a person wants it.
        receiver.answer_now(status(200));
        succeed(world, &["dlq", "retry", "--all", "--queue", "rejected"]).await;
        receiver.expect(2 * neighbours.len() + expected.len(), SOON).await;
    })
    .await;
}

#[tokio::test]
async fn a_delivery_with_such_headers_is_rejected_on_every_queue() {
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        for queue in [Queue::Deliveries, Queue::Due, Queue::Quarantine] {
            let delivery = HandMade::delivery("ep_crm").header("pad", text(&"x".repeat(130_600)));
            delivery.send(world, queue).await;
        }
        let rejected = world.expect_in(Queue::Rejected, 3, SOON).await;
        for message in rejected {
            assert_eq!(message.text("rejected-reason"), "headers_too_large");
            assert_eq!(message.text("endpoint"), "ep_crm");
        }
        assert_eq!(receiver.count(), 0);
    })
    .await;
}

/// A broker lets frames in that are 8 bytes longer than its limit, and passes them on whole, however short those are that a consumer
/// has asked for.
#[tokio::test]
async fn headers_as_long_as_the_broker_lets_in_end_no_link() {
    const LIMIT: usize = 131_072;
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        let mut publisher = RawPublisher::connect(&services().amqp_url).await;
        let exchange = world.namespace().events_exchange();
        let padded = |bytes: usize| RawMessage::event().header(b"pad", raw_text(&b"x".repeat(bytes)));
        let around = padded(0).header_frame_len();
        let lengths = [LIMIT, LIMIT + 1, LIMIT + 7, LIMIT + 8];
        for length in lengths {
            let message = padded(length - around);
            assert_eq!(message.header_frame_len(), length);
            publisher.publish(&exchange, &message).await;
            publisher.publish(&exchange, &RawMessage::event()).await;
        }
        receiver.expect(lengths.len(), SOON).await;
        let rejected = world.expect_in(Queue::Rejected, lengths.len(), SOON).await;
        for message in &rejected {
            assert_eq!(message.text("rejected-reason"), "headers_too_large");
            assert_eq!(message.text("company"), "acme");
        }
        for length in lengths {
            let left_out = format!("\"pad\" ({} bytes", length - around + "\u{3}padS....".len());
            let mut details = rejected.iter().map(|message| message.text("rejected-detail"));
            assert!(
                details.any(|detail| detail.contains(&left_out)),
                "{left_out}: {rejected:?}"
            );
        }
        succeed(world, &["dlq", "retry", "--all", "--queue", "rejected"]).await;
        receiver.expect(2 * lengths.len(), SOON).await;
        assert_eq!(
            dispatcher.metric("hookline_reconnects_total").await,
            Some(0.0),
            "no link was lost"
        );
    })
    .await;
}

/// Headers whose names alone are longer than a frame: what stands behind is cut off, whatever it was.
#[tokio::test]
async fn what_was_cut_off_is_never_taken_for_all_there_was() {
    const NAMES: usize = 500;
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        let mut publisher = RawPublisher::connect(&services().amqp_url).await;
        let many = |message: RawMessage| {
            (0..NAMES).fold(message, |message, number| {
                message.header(format!("{number:0200}").as_bytes(), (b'V', Vec::new()))
            })
        };
        let exchange = world.namespace().events_exchange();
        publisher.publish(&exchange, &many(RawMessage::event())).await;
        // What makes it a delivery stands behind what is too long, and is not counted by itself.
        let delivery = many(RawMessage::event())
            .header(b"attempt", (b'I', 1_u32.to_be_bytes().to_vec()))
            .header(b"origin", raw_text(b"event"))
            .header(b"endpoint", raw_text(b"ep_crm"))
            .routing_key(world.queue(Queue::Deliveries).as_bytes());
        publisher.publish("", &delivery).await;
        let rejected = world.expect_in(Queue::Rejected, 2, SOON).await;
        for message in rejected {
            assert_eq!(message.text("rejected-reason"), "headers_too_large");
        }
        // RabbitMQ 4 hands headers on in another order than they came in, so what is missing may be any of them. Nobody can tell what stood there, so no hand makes an event for all endpoints of it either.
        let retried = run(world, &["dlq", "retry", "--all", "--queue", "rejected"]).await;
        assert!(!retried.status.success(), "{}", out(&retried));
        world.expect_in(Queue::Rejected, 2, SOON).await;
        assert_eq!(receiver.count(), 0);
        assert_eq!(
            dispatcher.metric("hookline_reconnects_total").await,
            Some(0.0),
            "no link was lost"
        );
    })
    .await;
}

/// Where the values that a message may hold come to an end, its endpoint may stand.
#[tokio::test]
async fn a_delivery_of_too_many_values_never_goes_to_other_endpoints() {
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let (receiver, other) = (
            Receiver::answering(status(200)).await,
            Receiver::answering(status(200)).await,
        );
        world.endpoints([endpoint("ep", &receiver), endpoint("ep_other", &other)]);
        world.dispatcher().start().await;
        let mut publisher = RawPublisher::connect(&services().amqp_url).await;
        let counts = [1_000..1_030, 1_260..1_290];
        let mut sent = 0;
        for count in counts.into_iter().flatten() {
            let length = u32::try_from(count).unwrap().to_be_bytes();
            let flags = [&length[..], &vec![b'V'; count]].concat();
            let delivery = RawMessage::event()
                .header(b"flags", (b'A', flags))
                .header(b"attempt", (b'I', 1_u32.to_be_bytes().to_vec()))
                .header(b"origin", raw_text(b"event"))
                .header(b"endpoint", raw_text(b"ep"))
                .routing_key(world.queue(Queue::Deliveries).as_bytes());
            publisher.publish("", &delivery).await;
            sent += 1;
        }
        let delivered = eventually(SOON, "each is delivered or rejected", async || {
            let rejected = world.read(Queue::Rejected).await.len();
            (receiver.count() + rejected == sent).then(|| receiver.count())
        })
        .await;
        assert!((1..sent).contains(&delivered), "{delivered} of {sent}");
        // Those that are no deliveries any more are left where they are.
        run(world, &["dlq", "retry", "--all", "--queue", "rejected"]).await;
        receiver.expect(delivered + 1, SOON).await;
        assert_eq!(other.count(), 0);
    })
    .await;
}

/// Its messages may have headers that are longer than any frame that we take.
#[tokio::test]
async fn a_broker_with_longer_frames_or_with_any_is_as_good_as_others() {
    for max_frame in [262_144, 0] {
        scenario(async |world| {
            let private = PrivateBroker::start().await;
            let longer = format!("application:set_env(rabbit, frame_max, {max_frame}).");
            assert_eq!(private.evaluate(&longer).await, "ok");
            let receiver = Receiver::answering(status(200)).await;
            world.endpoints([endpoint("ep_crm", &receiver)]);
            let dispatcher = world
                .dispatcher()
                .set("HOOKLINE_AMQP_URL", private.url())
                .start()
                .await;
            let broker = Broker::connect(&format!("{}?frame_max=262144", private.url())).await;
            for bytes in [130_900, 131_100, 200_000] {
                padded(bytes).publish_on(&broker, world).await;
                padded(1_000).publish_on(&broker, world).await;
            }
            receiver.expect(3, SOON).await;
            let rejected = world.queue(Queue::Rejected);
            eventually(SOON, "it is set aside", async || {
                (broker.ready(&rejected).await == Some(3)).then_some(())
            })
            .await;
            for message in broker.read(&rejected).await {
                assert_eq!(message.text("rejected-reason"), "headers_too_large");
                assert_eq!(message.text("company"), "acme");
            }
            assert_eq!(
                dispatcher.metric("hookline_reconnects_total").await,
                Some(0.0),
                "no link was lost"
            );
        })
        .await;
    }
}
