//! What happens when a receiver does not take it: four attempts by the schedule, and what counts as which outcome.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::endpoint::{Endpoint, endpoint};
use hookline_tests::ports::free_port;
use hookline_tests::raw::RawReceiver;
use hookline_tests::receiver::Received;
use hookline_tests::records::{Records, delay_of};
use hookline_tests::services::{name, services};
use hookline_tests::{Answer, Receiver, eventually, scenario, status};
use serde_json::{Value, json};

use crate::SOON;

/// The delays of the schedule that the scenarios run with.
const DELAYS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];
/// A request timeout that ends an attempt, and one that ends none, however long a busy machine takes for it.
const SHORT: &str = "2s";
const LONG: &str = "60s";

/// Asserts four attempts of an event: each was planned for its delay after the end of the one before, and none came sooner.
fn assert_on_schedule(attempts: &[&Received], records: &[Value]) {
    assert_eq!(attempts.len(), 4, "{attempts:#?}");
    for (number, (pair, delay)) in attempts.windows(2).zip(DELAYS).enumerate() {
        let gap = pair[1].arrived - pair[0].ended.unwrap();
        assert!(
            gap >= delay,
            "attempt {} came {gap:?} after the one before ended, not {delay:?}",
            number + 2
        );
        assert_eq!(pair[1].attempt(), pair[0].attempt() + 1);
    }
    let of_event = records
        .iter()
        .filter(|record| record["event"] == attempts[0].id());
    let planned: Vec<_> = of_event.filter_map(delay_of).collect();
    assert_eq!(planned, DELAYS, "{records:#?}");
}

#[tokio::test]
async fn a_delivery_that_fails_is_tried_four_times_by_the_schedule_and_then_dead_lettered() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        // The delay counts from the end of an attempt, so the attempts take their time.
        let receiver = Receiver::answering(status(503).after(Duration::from_millis(400))).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let event = world.publish("booking.created", r#"{"a":1}"#).await;
        let failed = world.expect_in(Queue::Failed, 1, SOON).await;
        let records = Records::of(world).await.expect(4, SOON).await;
        assert_on_schedule(&receiver.requests().iter().collect::<Vec<_>>(), &records);
        let failed = &failed[0];
        assert_eq!(failed.id(), event.id.as_str());
        assert_eq!(failed.body, br#"{"a":1}"#);
        assert_eq!(failed.text("endpoint"), "ep_crm");
        assert_eq!(failed.text("reason"), "retries_exhausted");
        assert_eq!(failed.text("last-outcome"), "http_status");
        assert_eq!(failed.integer("last-status"), Some(503));
        assert_eq!(failed.integer("attempt"), Some(4));
        assert!(failed.text("failed-at").ends_with('Z'), "{failed:?}");
        assert!(
            !failed.headers.keys().any(|name| name.starts_with("x-death")),
            "{failed:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_retry_that_is_answered_2xx_is_the_last_attempt() {
    scenario(async |world| {
        let receiver =
            Receiver::scripted(|request| status(if request.attempt() == 1 { 500 } else { 204 })).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        let attempts = receiver.expect(2, SOON).await;
        world.is_settled_within(SOON).await;
        assert_eq!((attempts.len(), receiver.count()), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn twenty_deliveries_that_fall_due_at_once_come_before_what_is_due_later() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let events = world.publish_many(20, "booking.created").await;
        world.expect_in(Queue::Failed, 20, SOON).await;
        let requests = receiver.requests();
        assert_eq!(requests.len(), 80);
        // One after the other, each would come a delay later than the one before it, and a round take twenty delays longer than
        // the one before. However busy the machine is, one as long as the other it takes.
        let rounds: Vec<Duration> = (1..=4)
            .map(|round| {
                let of_round = requests.iter().filter(|request| request.attempt() == round);
                let arrived: Vec<_> = of_round.map(|request| request.arrived).collect();
                assert_eq!(arrived.len(), 20, "attempt {round}");
                *arrived.iter().max().unwrap() - *arrived.iter().min().unwrap()
            })
            .collect();
        for (round, delay) in rounds.windows(2).zip(DELAYS) {
            assert!(round[1] < round[0] + 10 * delay, "{rounds:?}");
        }
        let records = Records::of(world).await.expect(80, SOON).await;
        for event in &events {
            let of_event = requests
                .iter()
                .filter(|request| request.id() == event.id.as_str());
            assert_on_schedule(&of_event.collect::<Vec<_>>(), &records);
        }
    })
    .await;
}

#[tokio::test]
async fn the_default_schedule_waits_in_queues_of_one_five_and_thirty_minutes() {
    scenario(async |world| {
        world.endpoints([]);
        world.dispatcher().unset("HOOKLINE_RETRY_SCHEDULE").start().await;
        let queues = services().queues(&format!("{}.retry.", world.namespace())).await;
        let mut seen: Vec<_> = queues
            .iter()
            .map(|queue| (name(queue), &queue["arguments"]))
            .collect();
        seen.sort_unstable_by_key(|(name, _)| name.len());
        for ((queue, arguments), seconds) in seen.iter().zip([60, 300, 1800]) {
            assert_eq!(*queue, format!("{}.retry.{seconds}s", world.namespace()));
            let expected = json!({
                "x-queue-type": "quorum",
                "x-delivery-limit": 2_147_483_647,
                "x-message-ttl": seconds * 1000,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": format!("{}.due", world.namespace()),
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            });
            assert_eq!(**arguments, expected, "{queue}");
        }
        assert_eq!(seen.len(), 3, "{seen:?}");
    })
    .await;
}

/// What became of one delivery that is not retried but once, as the dead letter tells it.
async fn outcome_at(url: &str, timeout: &str, expected: (&str, Option<i64>)) {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        world.endpoints([Endpoint::at("ep_crm", url)]);
        world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .set("HOOKLINE_REQUEST_TIMEOUT", timeout)
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        let failed = world.expect_in(Queue::Failed, 1, SOON).await.remove(0);
        assert_eq!(
            (failed.text("last-outcome"), failed.integer("last-status")),
            expected
        );
    })
    .await;
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let target = Receiver::answering(status(200)).await;
    let location = target.url();
    let receiver = Receiver::scripted(move |request| {
        status(if request.attempt() == 1 { 302 } else { 308 }).header("location", location.clone())
    })
    .await;
    outcome_at(&receiver.url(), LONG, ("http_status", Some(308))).await;
    assert_eq!((receiver.count(), target.count()), (2, 0));
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout() {
    let receiver = Receiver::answering(Answer::hang()).await;
    outcome_at(&receiver.url(), SHORT, ("timeout", None)).await;
    // The sender's time counts from before its request has come.
    eventually(SOON, "both have come", async || {
        (receiver.count() >= 2).then_some(())
    })
    .await;
    assert_eq!(receiver.count(), 2);
}

#[tokio::test]
async fn headers_that_drip_for_ever_are_a_timeout_and_not_a_promise() {
    let receiver = RawReceiver::dripping(b"HTTP/1.1 200 OK\r\nx-a: ", b"a", Duration::from_millis(50)).await;
    outcome_at(&receiver.url(), SHORT, ("timeout", None)).await;
}

#[tokio::test]
async fn a_refused_connection_is_a_connect_error() {
    outcome_at(
        &format!("http://127.0.0.1:{}/", free_port()),
        LONG,
        ("connect_error", None),
    )
    .await;
}

#[tokio::test]
async fn a_connection_that_is_closed_before_a_status_is_a_protocol_error_and_one_post() {
    let receiver = Receiver::answering(Answer::close()).await;
    outcome_at(&receiver.url(), LONG, ("protocol_error", None)).await;
    assert_eq!(receiver.count(), 2, "one POST for each attempt, none hidden");
}

#[tokio::test]
async fn what_is_no_http_is_a_protocol_error() {
    let receiver = RawReceiver::answering(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    outcome_at(&receiver.url(), LONG, ("protocol_error", None)).await;
}

#[tokio::test]
async fn plain_http_at_a_tls_url_is_a_tls_error() {
    let receiver = RawReceiver::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let url = receiver.url().replace("http://", "https://");
    // It waits for the end of a head, as we wait for its hello.
    outcome_at(&url, SHORT, ("tls_error", None)).await;
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_blocked_and_never_connected_to() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world
            .dispatcher()
            .unset("HOOKLINE_ALLOW_CIDRS")
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        let failed = world.expect_in(Queue::Failed, 1, SOON).await.remove(0);
        assert_eq!(failed.text("last-outcome"), "blocked");
        assert_eq!(failed.integer("attempt"), Some(2));
        assert_eq!((receiver.count(), receiver.connections()), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn every_2xx_is_a_success_whatever_the_body_does() {
    scenario(async |world| {
        let answers: [&'static [u8]; 5] = [
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n\r\nno length",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ncut off",
            b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        ];
        let (mut receivers, mut endpoints) = (Vec::new(), Vec::new());
        for (number, answer) in answers.into_iter().enumerate() {
            let receiver = RawReceiver::answering(answer).await;
            endpoints.push(Endpoint::at(&format!("ep_{number}"), &receiver.url()));
            receivers.push(receiver);
        }
        world.endpoints(endpoints);
        world.dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        for receiver in &receivers {
            receiver.expect(1, SOON).await;
        }
        // With a retry on its way a queue would not be empty.
        world.is_settled_within(SOON).await;
        eventually(SOON, "one POST each", async || {
            let mut counts = Vec::new();
            for receiver in &receivers {
                counts.push(receiver.expect(1, SOON).await.len());
            }
            (counts == [1; 5]).then_some(())
        })
        .await;
    })
    .await;
}
