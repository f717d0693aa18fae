//! Receivers that want our memory: fifty at once, again and again, and the dispatcher stays within its share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookline_common::schedule::Delay;
use hookline_common::topology::Queue;
use hookline_tests::endpoint::Endpoint;
use hookline_tests::hostile::{Peer, Talk};
use hookline_tests::records::Records;
use hookline_tests::{eventually, scenario};
use serde_json::Value;
use tokio::sync::Barrier;
use tokio::time::timeout;

use crate::SOON;

/// Receivers at once.
const AT_ONCE: usize = 50;
/// How often all of them get an event.
const ROUNDS: usize = 3;
/// The request timeout, and so the longest that anything below lasts, where it may be what ends it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The same where nothing ends by it, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);
/// How long a receiver waits for the others, so that all pour at once.
const GATHERS_WITHIN: Duration = Duration::from_secs(1);

/// How many times as much memory as fifty receivers that keep the rules the same number may cost that breaks them. Without a
/// bound it is a hundred times: each of them has seconds to send what it likes.
const MAX_RATIO: u64 = 2;

/// As much of a head as is taken, before a body of this length: 60 KB of the 64 KiB that a head may have.
fn large_head(body: u64) -> String {
    let lines = format!("x-a: {}\r\n", "a".repeat(4_000)).repeat(15);
    format!("HTTP/1.1 200 OK\r\n{lines}Connection: close\r\nContent-Length: {body}\r\n\r\n")
}

/// What a receiver sends that keeps the rules, and uses them to the full: as much of a head and a body as is taken, all at once.
async fn be_large(mut talk: Talk) {
    let body = "a".repeat(64 * 1024);
    let head = large_head(64 * 1024);
    talk.say(format!("{head}{body}")).await;
    talk.fall_silent().await;
}

/// Lets fifty receivers with this script have event after event, and looks at how far the dispatcher's memory rises: beside what
/// it needs for fifty that keep the rules. Attempts that meet the script end in `outcome`: what was refused for another reason than
/// the one in the test's name would cost no memory either. Where the machine is busy, some may run out of time before. Returns the
/// records of those that did not.
async fn assert_flat<F>(outcome: &str, script: impl Fn(Talk) -> F + Send + Sync + 'static) -> Vec<Value>
where
    F: Future<Output = ()> + Send + 'static,
{
    assert_flat_within(TIMEOUT, outcome, script).await
}

/// The same with another request timeout.
async fn assert_flat_within<F>(
    request_timeout: Duration,
    outcome: &str,
    script: impl Fn(Talk) -> F + Send + Sync + 'static,
) -> Vec<Value>
where
    F: Future<Output = ()> + Send + 'static,
{
    let keeps_the_rules = Arc::new(AtomicBool::new(true));
    let begins_with = Arc::clone(&keeps_the_rules);
    let script = Arc::new(script);
    let together = Arc::new(Barrier::new(AT_ONCE));
    let peer = Peer::start(move |mut talk| {
        let (script, together) = (Arc::clone(&script), Arc::clone(&together));
        let keeps_the_rules = begins_with.load(Ordering::Relaxed);
        async move {
            talk.request().await;
            // Where the machine is too slow for all to meet, they are late together.
            drop(timeout(GATHERS_WITHIN, together.wait()).await);
            if keeps_the_rules {
                be_large(talk).await;
            } else {
                script(talk).await;
            }
        }
    })
    .await;
    let mut records = Vec::new();
    scenario(async |world| {
        let later = Queue::Retry(Delay::from_seconds(60));
        world.leaves(later);
        let endpoints: Vec<_> = (0..AT_ONCE)
            .map(|number| Endpoint::at(&format!("ep_{number}"), &format!("{}/{number}", peer.url())))
            .collect();
        world.endpoints(endpoints);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "60s")
            .set(
                "HOOKLINE_REQUEST_TIMEOUT",
                format!("{}s", request_timeout.as_secs()),
            )
            .start()
            .await;
        let control = world.publish("booking.created", "{}").await;
        peer.is_left(AT_ONCE, SOON).await;
        let (_, usual) = dispatcher.resident_kb();
        dispatcher.forget_peak();
        keeps_the_rules.store(false, Ordering::Relaxed);
        for round in 1..=ROUNDS {
            world.publish("booking.created", "{}").await;
            peer.is_left((1 + round) * AT_ONCE, SOON).await;
        }
        let (_, peak) = dispatcher.resident_kb();
        assert_eq!(peer.posts(), (1 + ROUNDS) * AT_ONCE);
        assert!(
            peak <= usual * MAX_RATIO,
            "{usual} KiB for those that keep the rules, {peak} KiB for these"
        );
        let all = Records::of(world).await;
        let all = all.expect((1 + ROUNDS) * AT_ONCE, SOON).await;
        for record in all {
            let is_control = record["event"] == control.id.as_str();
            let expected = if is_control { "delivered" } else { outcome };
            if record["outcome"] == expected {
                records.extend((!is_control).then_some(record));
            } else {
                assert_eq!(record["outcome"], "timeout", "not {expected}: {record:.500}");
            }
        }
        assert!(
            records.len() > ROUNDS * AT_ONCE / 2,
            "{} end in {outcome}",
            records.len()
        );
        eventually(SOON, "all attempts are settled", async || {
            let unsettled = world.broker().ready(&world.queue(Queue::Deliveries)).await;
            (unsettled == Some(0)).then_some(())
        })
        .await;
    })
    .await;
    records
}

#[tokio::test]
async fn c04_endless_bodies() {
    let chunk = [b"4000\r\n".as_slice(), &[b'a'; 0x4000], b"\r\n"].concat();
    assert_flat_within(LONG, "delivered", move |mut talk| {
        let chunk = chunk.clone();
        async move {
            talk.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await;
            talk.pour(chunk, Duration::ZERO).await;
        }
    })
    .await;
}

#[tokio::test]
async fn c05_bodies_of_ten_gigabytes() {
    let block = vec![b'a'; 64 * 1024];
    assert_flat("delivered", move |mut talk| {
        let block = block.clone();
        async move {
            talk.say("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
                .await;
            talk.pour(block, Duration::ZERO).await;
        }
    })
    .await;
}

#[tokio::test]
async fn c06_heads_without_end() {
    let lines = "x-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(500);
    assert_flat("protocol_error", move |mut talk| {
        let lines = lines.clone();
        async move {
            talk.say("HTTP/1.1 200 OK\r\n").await;
            talk.pour(lines, Duration::ZERO).await;
        }
    })
    .await;
}

#[tokio::test]
async fn c06_heads_that_fill_the_buffer_and_then_stall() {
    // As much as is taken without a word, held until the time is up.
    assert_flat("timeout", |mut talk| async move {
        talk.say("HTTP/1.1 200 OK\r\nx-a: ").await;
        let mut sent = 0;
        while sent < 60 * 1024 && talk.say([b'a'; 4096]).await {
            sent += 4096;
        }
        talk.fall_silent().await;
    })
    .await;
}

#[tokio::test]
async fn c07_heads_that_are_as_large_as_is_taken_before_endless_bodies() {
    let head = large_head(10_000_000_000);
    let records = assert_flat("delivered", move |mut talk| {
        let head = head.clone();
        async move {
            talk.say(head).await;
            talk.pour([b'a'; 64 * 1024], Duration::ZERO).await;
        }
    })
    .await;
    for record in records {
        let begins_with = record["response"].as_str().unwrap_or_default();
        assert!(begins_with.starts_with("aaaa"), "the body is read: {record:.500}");
    }
}

#[tokio::test]
async fn c08_bombs_of_512_megabytes() {
    // gzip's header, a deflate block of fixed codes with one zero in it, and then "258 times the byte before" for ever:
    // eight of those are 13 bytes.
    const BEGUN: [u8; 12] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x62, 0x18];
    const EIGHT: [u8; 13] = [
        0x05, 0xa3, 0x60, 0x14, 0x8c, 0x82, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28, 0x18,
    ];
    const TIMES: usize = 1_000;
    const UNPACKED: usize = 8 * 258 * TIMES;
    assert_flat_within(LONG, "delivered", |mut talk| async move {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n";
        talk.say(head).await;
        talk.say(BEGUN).await;
        let mut unpacked = 0;
        while unpacked < 512 * 1024 * 1024 && talk.say(EIGHT.repeat(TIMES)).await {
            unpacked += UNPACKED;
        }
        talk.fall_silent().await;
    })
    .await;
}

#[tokio::test]
async fn c21_chunks_and_trailers_without_end() {
    assert_flat("delivered", |mut talk| async move {
        let begun = if talk.number.is_multiple_of(2) {
            "1;a="
        } else {
            "0\r\nx-a: "
        };
        talk.say(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{begun}"
        ))
        .await;
        talk.pour([b'a'; 16 * 1024], Duration::ZERO).await;
    })
    .await;
}

#[tokio::test]
async fn c02_early_hints_for_ever() {
    let hint = format!(
        "HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n",
        "a".repeat(8 * 1024)
    );
    assert_flat("protocol_error", move |mut talk| {
        let hint = hint.clone();
        async move { talk.pour(hint, Duration::from_millis(5)).await }
    })
    .await;
}

#[tokio::test]
async fn c03_bodies_that_drip() {
    assert_flat("delivered", |mut talk| async move {
        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            .await;
        talk.pour([b'a'; 256], TIMEOUT / 50).await;
    })
    .await;
}
