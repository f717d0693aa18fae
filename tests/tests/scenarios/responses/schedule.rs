//! What a receiver may ask of the schedule: to wait longer, and nothing else.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::endpoint::endpoint;
use hookline_tests::hostile::Rig;
use hookline_tests::hostile::rig::LONG;
use hookline_tests::receiver::Received;
use hookline_tests::records::{Records, delay_of};
use hookline_tests::{Receiver, scenario, status};
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::tried;
use crate::SOON;

/// What the second attempt of a delivery had to wait for after the first one's answer.
fn wait_of(attempts: &[Received]) -> Duration {
    assert_eq!(attempts[1].attempt(), 2, "the number rises by one");
    attempts[1].arrived - attempts[0].ended.unwrap()
}

/// What a receiver says in `Retry-After`.
#[derive(Debug, Clone)]
enum Asks {
    Nothing,
    Text(String),
    DateInFourSeconds,
}

impl Asks {
    fn value(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Text(text) => Some(text.clone()),
            Self::DateInFourSeconds => {
                let later = (Timestamp::now() + Duration::from_secs(4)).to_zoned(TimeZone::UTC);
                Some(strtime::format("%a, %d %b %Y %H:%M:%S GMT", &later).unwrap())
            }
        }
    }
}

fn text(text: &str) -> Asks {
    Asks::Text(text.to_owned())
}

/// Answers first attempts with a status and what it asks, and holds the second ones against the seconds that each must wait.
async fn asks_and_waits(cases: &[(u16, Asks, u64)]) {
    scenario(async |world| {
        let (mut receivers, mut endpoints) = (Vec::new(), Vec::new());
        for (number, (code, asks, _)) in cases.iter().cloned().enumerate() {
            let receiver = Receiver::scripted(move |request| match (request.attempt(), asks.value()) {
                (1, Some(value)) => status(code).header("retry-after", value),
                (1, None) => status(code),
                _ => status(200),
            })
            .await;
            endpoints.push(endpoint(&format!("ep_{number}"), &receiver));
            receivers.push(receiver);
        }
        world.endpoints(endpoints);
        world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s,2s,4s")
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        let mut waits = Vec::new();
        for receiver in &receivers {
            waits.push(wait_of(&receiver.expect(2, SOON).await));
        }
        let records = Records::of(world).await.expect(2 * cases.len(), SOON).await;
        for (number, (wait, (code, asks, expected))) in waits.into_iter().zip(cases).enumerate() {
            let expected = Duration::from_secs(*expected);
            let id = format!("ep_{number}");
            let mut of_endpoint = records.iter().filter(|record| record["endpoint"] == id.as_str());
            let planned = of_endpoint.find_map(delay_of);
            assert!(
                planned == Some(expected) && wait >= expected,
                "{code}, {asks:.70?}: {planned:?} and {wait:?}, not {expected:?}"
            );
        }
        world.is_settled_within(SOON).await;
    })
    .await;
}

#[tokio::test]
async fn c29_retry_after_moves_the_next_attempt_to_the_first_queue_that_is_no_sooner() {
    asks_and_waits(&[
        (429, Asks::Nothing, 1),
        (429, text("0"), 1),
        (429, text("2"), 2),
        (429, text("3"), 4),
        (429, text("120"), 4),
        (429, Asks::Text("9".repeat(64)), 4),
        (429, Asks::DateInFourSeconds, 4),
        (429, text("Thu, 01 Jan 2015 00:00:00 GMT"), 1),
        (429, text("abc"), 1),
        (429, text("-1"), 1),
        (429, text("1e9"), 1),
        (429, Asks::Text("9".repeat(40_000)), 1),
    ])
    .await;
}

#[tokio::test]
async fn c30_a_date_with_thousands_of_nested_comments_is_no_date_and_ends_no_program() {
    let nested = format!("Thu, 01 Jan 2099 {}{}", "(".repeat(5_000), ")".repeat(5_000));
    asks_and_waits(&[(429, Asks::Text(nested.clone()), 1), (503, Asks::Text(nested), 1)]).await;
}

#[tokio::test]
async fn c31_retry_after_of_a_gateway_or_an_overload_is_kept_and_of_other_errors_is_not() {
    asks_and_waits(&[
        (503, Asks::Nothing, 1),
        (503, text("2"), 2),
        (502, text("2"), 2),
        (504, text("3"), 4),
        (505, text("2"), 1),
        (500, text("2"), 1),
    ])
    .await;
}

#[tokio::test]
async fn c29_a_retry_after_that_never_ends_is_a_protocol_error() {
    let rig = Rig::new(LONG);
    let (tried, _peer) = tried(&rig, |mut talk| async move {
        talk.request().await;
        talk.say("HTTP/1.1 429 Wait\r\nRetry-After: ").await;
        talk.pour("9".repeat(64 * 1024), Duration::ZERO).await;
    })
    .await;
    assert_eq!(tried.end(), ("protocol_error", None));
    assert_eq!(tried.not_before, None);
}

/// Answers every attempt with these statuses, and sees each delivery go through the whole schedule.
async fn follow_the_schedule(codes: &[u16]) {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let (mut receivers, mut endpoints) = (Vec::new(), Vec::new());
        for &code in codes {
            let receiver = Receiver::answering(status(code)).await;
            endpoints.push(endpoint(&format!("ep_{code}"), &receiver));
            receivers.push(receiver);
        }
        world.endpoints(endpoints);
        world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s,2s")
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        let dead = world.expect_in(Queue::Failed, codes.len(), SOON).await;
        for letter in &dead {
            assert_eq!(letter.text("reason"), "retries_exhausted");
            let code = letter.integer("last-status").expect("a status");
            assert_eq!(letter.text("endpoint"), format!("ep_{code}"));
        }
        for (receiver, code) in receivers.iter().zip(codes) {
            let attempts = receiver.requests();
            assert_eq!(attempts.len(), 3, "{code}");
            assert!(
                wait_of(&attempts) >= Duration::from_secs(1),
                "{code}: never at once"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn c28_what_looks_final_follows_the_schedule_like_any_failure() {
    follow_the_schedule(&[410, 401, 404]).await;
}

#[tokio::test]
async fn c33_what_looks_urgent_follows_the_schedule_like_any_failure() {
    follow_the_schedule(&[408, 425]).await;
}
