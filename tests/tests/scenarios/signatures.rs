//! How a receiver knows that it is from us: both signatures, recomputed from what came over the wire.

use hookline_tests::endpoint::{SECRET, endpoint};
use hookline_tests::receiver::Received;
use hookline_tests::{Receiver, scenario, signature, status};

use crate::SOON;

const OLD: &str = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

fn standard(secret: &str, request: &Received) -> String {
    signature::standard(
        secret,
        request.id(),
        request.header("webhook-timestamp"),
        &request.body,
    )
}

#[tokio::test]
async fn both_signatures_verify_over_the_bytes_that_came() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let published = jiff::Timestamp::now().as_second();
        world
            .publish("booking.created", "{ \"name\":\"Zoë 你好\" }")
            .await;
        let request = receiver.expect_one(SOON).await;
        assert_eq!(request.header("webhook-signature"), standard(SECRET, &request));
        assert_eq!(
            request.header("meeva-signature"),
            signature::meeva(SECRET, &request.body)
        );
        let timestamp: i64 = request.header("webhook-timestamp").parse().unwrap();
        assert!(
            (published..=request.arrived_unix).contains(&timestamp),
            "{timestamp}"
        );
    })
    .await;
}

#[tokio::test]
async fn during_a_rotation_standard_webhooks_has_both_signatures_and_meeva_the_old_one() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver).text("previous_secret", OLD)]);
        world.dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        let request = receiver.expect_one(SOON).await;
        let both = format!("{} {}", standard(SECRET, &request), standard(OLD, &request));
        assert_eq!(request.header("webhook-signature"), both);
        assert_eq!(
            request.header("meeva-signature"),
            signature::meeva(OLD, &request.body)
        );
    })
    .await;
}

#[tokio::test]
async fn a_rotation_takes_effect_for_retries_that_wait() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver).text("secret", OLD)]);
        world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "3s")
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        let first = receiver.expect_one(SOON).await;
        receiver.answer_now(status(200));
        world.endpoints([endpoint("ep_crm", &receiver).text("previous_secret", OLD)]);
        let second = receiver.expect(2, SOON).await.remove(1);
        assert_eq!(first.header("webhook-signature"), standard(OLD, &first));
        let both = format!("{} {}", standard(SECRET, &second), standard(OLD, &second));
        assert_eq!(second.header("webhook-signature"), both);
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_is_none_of_standard_webhooks_signs_for_meeva_alone() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        let brought_along = "correct horse battery staple";
        world.endpoints([endpoint("ep_crm", &receiver).text("secret", brought_along)]);
        world.dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        let request = receiver.expect_one(SOON).await;
        assert_eq!(request.header("webhook-signature"), "");
        assert_eq!(
            request.header("meeva-signature"),
            signature::meeva(brought_along, &request.body)
        );
    })
    .await;
}

#[tokio::test]
async fn each_attempt_is_signed_anew_over_the_same_id_and_body() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(503)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s,2s")
            .start()
            .await;
        let published = jiff::Timestamp::now().as_second();
        let event = world.publish("booking.created", r#"{"n":1.0}"#).await;
        let first = receiver.expect(2, SOON).await;
        assert_eq!(first[0].header("webhook-attempt"), "1");
        receiver.answer_now(status(200));
        let attempts = receiver.expect(3, SOON).await;
        let mut earliest = published;
        for (number, request) in attempts.iter().enumerate() {
            assert_eq!(request.id(), event.id.as_str());
            assert_eq!(request.body, attempts[0].body);
            assert_eq!(request.attempt() as usize, number + 1);
            assert_eq!(request.header("webhook-signature"), standard(SECRET, request));
            let timestamp: i64 = request.header("webhook-timestamp").parse().unwrap();
            // Anew: not before the attempt before it had ended, and not after it came.
            assert!(
                (earliest..=request.arrived_unix).contains(&timestamp),
                "{number}: {timestamp}"
            );
            earliest = request.arrived_unix;
        }
    })
    .await;
}
