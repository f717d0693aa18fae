//! Headers that are not ours: carried along as far as a message goes, whatever they are called, and counted, whoever wrote them.

use hookline_common::topology::Queue;
use hookline_tests::broker::Stored;
use hookline_tests::cli::succeed;
use hookline_tests::endpoint::endpoint;
use hookline_tests::message::{HandMade, text};
use hookline_tests::{Receiver, scenario, status};
use lapin::types::AMQPValue;

use crate::SOON;

/// An event with headers of its publisher's, and with some that the broker would act on or keeps for itself.
fn traced() -> HandMade {
    HandMade::event()
        .header("x-request-id", text("r-1"))
        .header("x-tenant", AMQPValue::ShortUInt(7))
        .header("X-Death", text("of mine"))
        .header("x-delay", AMQPValue::LongInt(60_000))
        .header("x-opt-theirs", text("kept for AMQP 1.0"))
        .header("x-received-from", text("elsewhere"))
}

fn check_others(message: &Stored) {
    assert_eq!(message.text("x-request-id"), "r-1");
    assert_eq!(message.headers.get("x-tenant"), Some(&AMQPValue::ShortUInt(7)));
    assert_eq!(message.text("X-Death"), "of mine");
    for name in ["x-delay", "x-opt-theirs", "x-received-from"] {
        assert!(!message.headers.contains_key(name), "{name}: {message:?}");
    }
}

#[tokio::test]
async fn a_publishers_own_are_still_there_when_a_delivery_has_failed_and_when_it_is_retried() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        traced().publish(world).await;
        check_others(&world.expect_in(Queue::Failed, 1, SOON).await.remove(0));
        assert_eq!(receiver.count(), 2, "an attempt and a retry");

        succeed(world, &["dlq", "retry", "--all"]).await;
        receiver.expect(4, SOON).await;
        let failed = world.expect_in(Queue::Failed, 1, SOON).await.remove(0);
        assert_eq!(failed.text("origin"), "manual");
        check_others(&failed);
    })
    .await;
}

fn with_headers(count: usize) -> HandMade {
    (1..count).fold(HandMade::event(), |message, number| {
        message.header(&format!("x-{number}"), text("v"))
    })
}

#[tokio::test]
async fn an_event_with_as_many_as_may_be_is_taken_again_from_the_rejected_and_one_more_is_too_many() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        // One that says when it was created more exactly than it need, and one that says what means something on deliveries alone.
        for name in ["created-at", "attempt"] {
            let time = text("2024-01-15T14:30:00.250Z");
            let beyond = with_headers(64).header(name, time);
            beyond.publish(world).await;
        }
        for rejected in world.expect_in(Queue::Rejected, 2, SOON).await {
            assert_eq!(rejected.text("rejected-reason"), "headers_too_large");
            let detail = rejected.text("rejected-detail");
            assert!(detail.starts_with("there are 65 headers"), "{detail}");
        }
        dispatcher.stop().await;
        let all = ["dlq", "purge", "--queue", "rejected", "--yes"];
        succeed(world, &all).await;

        // Nothing is wrong with these two but that nobody came for them in time.
        let precise = with_headers(63).header("created-at", text("2024-01-15T14:30:00.250Z"));
        let events = [with_headers(64), precise];
        for event in &events {
            let expiring = event.clone().properties(|it| it.with_expiration("1".into()));
            expiring.publish(world).await;
        }
        world.expect_in(Queue::Rejected, 2, SOON).await;
        succeed(world, &["dlq", "retry", "--all", "--queue", "rejected"]).await;
        for event in world.expect_in(Queue::Events, 2, SOON).await {
            let counts = ["x-delivery-count", "x-acquired-count"];
            let written = event
                .headers
                .keys()
                .filter(|name| !counts.contains(&name.as_str()));
            assert_eq!(written.count(), 64, "{event:?}");
            assert!(event.headers.contains_key("x-62"), "{event:?}");
        }
        world.dispatcher().start().await;
        let mut delivered: Vec<String> = receiver
            .expect(2, SOON)
            .await
            .iter()
            .map(|request| request.id().to_owned())
            .collect();
        let mut sent = events.map(|event| event.id());
        delivered.sort_unstable();
        sent.sort_unstable();
        assert_eq!(delivered, sent);
    })
    .await;
}
