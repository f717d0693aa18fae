//! What comes after the head changes nothing, and is neither waited for nor unpacked nor believed.

use std::time::Duration;

use hookline_common::record::AttemptRecord;
use hookline_common::topology::Queue;
use hookline_tests::endpoint::Endpoint;
use hookline_tests::hostile::rig::{AT_ONCE, LONG, SHORT, TOLERANCE};
use hookline_tests::hostile::{Peer, Rig, Talk};
use hookline_tests::records::Records;
use hookline_tests::scenario;

use super::{answered, tried};
use crate::SOON;

/// How long a body is listened to after its head.
const BODY_TIME: Duration = Duration::from_secs(5);

/// The head alone decides. What follows is pushed for ever.
async fn assert_delivered_although(
    rig: &Rig,
    head: &'static str,
    body: impl AsRef<[u8]> + Send + Sync + Clone + 'static,
) {
    let (tried, peer) = tried(rig, move |mut talk| {
        let body = body.clone();
        async move {
            talk.request().await;
            talk.say(head).await;
            talk.pour(body, Duration::ZERO).await;
        }
    })
    .await;
    assert_eq!(tried.record.outcome.as_str(), "delivered", "{head}");
    assert!(
        tried.is_body_incomplete() && tried.paced < AT_ONCE,
        "{head}: {:?}",
        tried.took
    );
    assert!(tried.response().len() <= AttemptRecord::RESPONSE_BYTES, "{head}");
    peer.is_left(1, AT_ONCE).await;
    assert_eq!(peer.posts(), 1, "{head}");
}

#[tokio::test]
async fn c03_a_body_that_drips_is_listened_to_for_five_seconds_at_most_and_within_the_timeout() {
    let (patient, hasty) = (Rig::new(LONG), Rig::new(SHORT));
    let drip = |mut talk: Talk| async move {
        talk.request().await;
        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            .await;
        talk.pour("a", Duration::from_millis(200)).await;
    };
    let (patient, hasty) = tokio::join!(tried(&patient, drip), tried(&hasty, drip));
    for ((tried, peer), expected) in [(patient, BODY_TIME), (hasty, SHORT)] {
        assert_eq!(tried.end(), ("delivered", Some(200)));
        assert!(tried.is_body_incomplete());
        tried.assert_took(expected);
        peer.is_left(1, TOLERANCE).await;
        assert_eq!((peer.posts(), peer.connections()), (1, 1));
    }
}

#[tokio::test]
async fn c04_c05_a_body_without_end_is_cut_off_and_the_status_decides() {
    let rig = Rig::new(LONG);
    let chunk = [b"4000\r\n".as_slice(), &[b'a'; 0x4000], b"\r\n"].concat();
    let block = vec![b'a'; 64 * 1024];
    tokio::join!(
        assert_delivered_although(
            &rig,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            chunk
        ),
        assert_delivered_although(
            &rig,
            "HTTP/1.1 201 Created\r\nContent-Length: 10000000000\r\n\r\n",
            block.clone()
        ),
        assert_delivered_although(
            &rig,
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551610\r\n\r\n",
            block.clone()
        ),
        assert_delivered_although(&rig, "HTTP/1.0 200 OK\r\n\r\n", block),
    );
}

#[tokio::test]
async fn c08_nothing_is_decompressed_and_nothing_compressed_is_asked_for() {
    let rig = Rig::new(LONG);
    // A stored block of deflate again and again: what it unpacks to is of no matter to who does not unpack it.
    let block = vec![0x1f_u8; 32 * 1024];
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [b"8000\r\n".as_slice(), &block, b"\r\n"].concat();
    assert_delivered_although(&rig, head, chunk).await;

    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03+(\xca,K,I\x05\x00";
    let mut answer = format!(
        "HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        gzip.len()
    )
    .into_bytes();
    answer.extend(gzip);
    let tried = answered(&rig, answer).await;
    assert_eq!(tried.response(), String::from_utf8_lossy(gzip), "as it came");
}

#[tokio::test]
async fn c14_a_body_that_breaks_off_does_not_undo_the_status() {
    let rig = Rig::new(LONG);
    for is_reset in [false, true] {
        for (status, outcome) in [(200, "delivered"), (503, "http_status")] {
            let (tried, peer) = tried(&rig, move |mut talk| async move {
                talk.request().await;
                let body = "a".repeat(100);
                talk.say(format!(
                    "HTTP/1.1 {status} So\r\nContent-Length: 1000\r\n\r\n{body}"
                ))
                .await;
                if is_reset {
                    talk.reset();
                }
            })
            .await;
            assert_eq!(tried.end(), (outcome, Some(status)), "{tried:?}");
            assert!(tried.is_body_incomplete() && tried.paced < AT_ONCE, "{tried:?}");
            assert_eq!((peer.posts(), peer.connections()), (1, 1));
        }
    }
}

#[tokio::test]
async fn c21_chunks_that_are_none_do_not_undo_the_status() {
    let rig = Rig::new(LONG);
    for body in [
        "FFFFFFFFFFFFFFFFF\r\nhello",
        "10000000000000000\r\nhello",
        "-1\r\nhello",
        "zz\r\nhello",
        "5\r\nhelloX",
        "5hello",
        "\r\n\r\n",
    ] {
        let tried = answered(
            &rig,
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"),
        )
        .await;
        assert_eq!(tried.end(), ("delivered", Some(200)), "{body:?}");
        assert!(tried.is_body_incomplete(), "{body:?}");
    }
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (begun, more) in [("1;a=", "a"), ("0\r\n", "x-a: a\r\n"), ("0\r\nx-a: ", "a")] {
        let (tried, peer) = tried(&rig, move |mut talk| async move {
            talk.request().await;
            talk.say(format!("{head}{begun}")).await;
            talk.pour(more.repeat(4096), Duration::ZERO).await;
        })
        .await;
        assert_eq!(tried.end(), ("delivered", Some(200)), "{begun:?}");
        assert!(
            tried.is_body_incomplete() && tried.paced < AT_ONCE,
            "{begun:?} {tried:?}"
        );
        peer.is_left(1, AT_ONCE).await;
        assert_eq!((peer.posts(), peer.connections()), (1, 1), "{begun:?}");
    }
}

#[tokio::test]
async fn c39_what_a_receiver_says_is_kept_short_and_stays_on_its_line() {
    let rig = Rig::new(LONG);
    let script = "<script>alert(1)</script>\u{1b}[31mred\u{1b}]0;title\u{7}\r\nHTTP/1.1 200 OK\0";
    let body = script.repeat(64 * 1024 / script.len());
    let head = format!(
        "HTTP/1.1 500 \u{e4}rger\r\nx-a: \u{e4}\r\nx-b: <b>\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let tried = answered(&rig, format!("{head}{body}")).await;
    assert_eq!(tried.end(), ("http_status", Some(500)), "{tried:?}");
    assert!(body.starts_with(tried.response()));
    assert_eq!(tried.response().len(), AttemptRecord::RESPONSE_BYTES);
    assert!(
        !tried.line.iter().any(u8::is_ascii_control),
        "one line, and nothing in it that a terminal obeys"
    );

    // Each of these bytes takes three once it is text, and the text has the same limit.
    let mut answer = b"HTTP/1.1 500 No\r\nContent-Length: 4096\r\n\r\n".to_vec();
    answer.extend([0xff; 4096]);
    let tried = answered(&rig, answer).await;
    assert!(
        tried.response().len() <= 3 * AttemptRecord::RESPONSE_BYTES,
        "{}",
        tried.response().len()
    );
}

#[tokio::test]
async fn c39_what_a_receiver_says_never_reaches_the_log() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let receiver = Peer::start(|mut talk| async move {
            let request = talk.request().await.expect("a request");
            let signature = request.values("webhook-signature")[0].to_owned();
            let body = format!("\u{1b}[31m{signature}\nINFO forged line");
            let head = "HTTP/1.1 500 forged\r\nx-forged: forged\r\n";
            talk.say(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()))
                .await;
        })
        .await;
        world.endpoints([Endpoint::at("ep_crm", &receiver.url())]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .set("RUST_LOG", "debug")
            .start()
            .await;
        world.publish("booking.created", "{}").await;
        world.expect_in(Queue::Failed, 1, SOON).await;
        let told = dispatcher.says("attempt failed", SOON).await;
        assert!(told.contains("500"), "{told}");
        let log = dispatcher.log();
        assert!(
            !log.contains("forged") && !log.contains("v1,") && !log.contains('\u{1b}'),
            "{log}"
        );
        let record = Records::of(world).await.expect(1, SOON).await.remove(0);
        assert!(
            record["response"].as_str().unwrap().ends_with("forged line"),
            "{record}"
        );
    })
    .await;
}
