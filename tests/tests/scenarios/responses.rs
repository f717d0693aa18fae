//! Receivers that break the rules: what each becomes, in how much time, and that none of them gets a second POST, a
//! connection to somewhere else, or more of our memory than its share.

use std::time::Duration;

use futures_util::future::join_all;
use hookline_common::record::AttemptRecord;
use hookline_common::topology::Queue;
use hookline_dispatcher::client::Failure;
use hookline_tests::endpoint::{Endpoint, endpoint};
use hookline_tests::hostile::{Peer, Rig, Talk, Tried};
use hookline_tests::receiver::Received;
use hookline_tests::records::Records;
use hookline_tests::{Receiver, scenario, status};
use jiff::Timestamp;
use jiff::fmt::strtime;
use tokio::time::{Instant, sleep};

use crate::SOON;

/// The request timeout where it is what ends the attempt.
const SHORT: Duration = Duration::from_secs(1);
/// The request timeout where it must not be what ends the attempt.
const LONG: Duration = Duration::from_secs(30);
/// What an attempt that ends by itself may take on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How far from its time a timeout may be.
const TOLERANCE: Duration = Duration::from_millis(500);
/// How long a body is listened to after its head.
const BODY_TIME: Duration = Duration::from_secs(5);

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const BEAT: Duration = Duration::from_millis(50);

/// One attempt at a receiver with this script: what became of it, and the receiver.
async fn tried<F>(rig: &Rig, script: impl Fn(Talk) -> F + Send + Sync + 'static) -> (Tried, Peer)
where
    F: Future<Output = ()> + Send + 'static,
{
    let peer = Peer::start(script).await;
    let tried = rig.attempt(&peer.url()).await;
    (tried, peer)
}

/// One attempt that is answered with these bytes, which say by themselves how it ends.
async fn answered(rig: &Rig, answer: impl Into<Vec<u8>>) -> Tried {
    let peer = Peer::answering(answer).await;
    let tried = rig.attempt(&peer.url()).await;
    assert_eq!((peer.posts(), peer.connections()), (1, 1), "{tried:?}");
    assert!(tried.took < AT_ONCE, "{tried:?}");
    tried
}

fn assert_timed_out(tried: &Tried) {
    assert_eq!(tried.end(), ("timeout", None), "{tried:?}");
    assert!(
        tried.took + TOLERANCE / 10 >= SHORT && tried.took <= SHORT + TOLERANCE,
        "{tried:?}"
    );
}

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
        tried.is_body_incomplete() && tried.took < AT_ONCE,
        "{head}: {:?}",
        tried.took
    );
    assert!(tried.response().len() <= AttemptRecord::RESPONSE_BYTES, "{head}");
    peer.is_left(1, AT_ONCE).await;
    assert_eq!(peer.posts(), 1, "{head}");
}

#[tokio::test]
async fn c01_a_receiver_that_never_answers_is_a_timeout_and_is_let_go() {
    let rig = Rig::new(SHORT);
    let (tried, peer) = tried(&rig, |mut talk| async move {
        talk.request().await;
        talk.fall_silent().await;
    })
    .await;
    assert_timed_out(&tried);
    peer.is_left(1, TOLERANCE).await;
    assert_eq!((peer.posts(), peer.connections()), (1, 1));
}

#[tokio::test]
async fn c02_a_head_that_drips_for_ever_is_a_timeout() {
    let rig = Rig::new(SHORT);
    let cases = [
        ("H", ""),
        ("", "\r\n"),
        ("HTTP/1.1 200 O", "K"),
        ("HTTP/1.1 200 OK\r\nx-a: ", "a"),
        ("HTTP/1.1 200 OK\r\n", "x-a: a\r\n"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("", "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"),
    ];
    join_all(cases.map(async |(begun, more)| {
        let (tried, peer) = tried(&rig, move |mut talk| async move {
            talk.request().await;
            talk.say(begun).await;
            if more.is_empty() {
                talk.fall_silent().await;
            } else {
                talk.pour(more, BEAT).await;
            }
        })
        .await;
        assert_timed_out(&tried);
        peer.is_left(1, TOLERANCE).await;
        assert_eq!((peer.posts(), peer.connections()), (1, 1), "{begun}{more}");
    }))
    .await;
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
        assert!(
            tried.took + TOLERANCE >= expected && tried.took <= expected + TOLERANCE,
            "{:?}, not {expected:?}",
            tried.took
        );
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
async fn c06_a_head_that_is_too_large_is_a_protocol_error() {
    let rig = Rig::new(LONG);
    let long_value = vec![b'a'; 64 * 1024];
    let lines = "x-a: a\r\n".repeat(5_000).into_bytes();
    let long_status = b"HTTP/1.1 200 ".repeat(1).to_vec();
    for (begun, more) in [
        (b"HTTP/1.1 200 OK\r\nx-a: ".to_vec(), long_value.clone()),
        (b"HTTP/1.1 200 OK\r\n".to_vec(), lines),
        (long_status, long_value),
    ] {
        let (tried, peer) = tried(&rig, move |mut talk| {
            let (begun, more) = (begun.clone(), more.clone());
            async move {
                talk.request().await;
                talk.say(begun).await;
                talk.pour(more, Duration::ZERO).await;
            }
        })
        .await;
        assert_eq!(tried.end(), ("protocol_error", None), "{tried:?}");
        assert_eq!(tried.error(), "the response's head is too large");
        assert!(tried.took < AT_ONCE, "{tried:?}");
        peer.is_left(1, AT_ONCE).await;
        assert_eq!((peer.posts(), peer.connections()), (1, 1));
    }
}

#[tokio::test]
async fn c07_a_hundred_headers_are_taken_and_one_more_is_not() {
    let rig = Rig::new(LONG);
    let with = |count| {
        format!(
            "HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n",
            "x-a: a\r\n".repeat(count)
        )
    };
    assert_eq!(answered(&rig, with(99)).await.end(), ("delivered", Some(200)));
    let tried = answered(&rig, with(100)).await;
    assert_eq!(tried.end(), ("protocol_error", None));
    assert_eq!(tried.error(), "the response's head is too large");
}

#[tokio::test]
async fn c07_a_head_of_48_kib_is_taken_and_one_of_160_is_not() {
    let rig = Rig::new(LONG);
    let with = |kib: usize| {
        let lines = format!("x-a: {}\r\n", "a".repeat(4096 - 7)).repeat(kib / 4);
        format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n")
    };
    let taken = answered(&rig, with(48)).await;
    assert_eq!(taken.end(), ("delivered", Some(200)));
    let kept: usize = taken.record.response_headers.values().map(String::len).sum();
    assert!(kept <= 8 * 1024, "{kept} bytes of headers in the record");
    let refused = answered(&rig, with(160)).await;
    assert_eq!(refused.end(), ("protocol_error", None));
    assert_eq!(refused.error(), "the response's head is too large");
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
async fn c10_switching_protocols_is_a_protocol_error_and_ends_the_connection() {
    let rig = Rig::new(LONG);
    for head in [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        let (tried, peer) = tried(&rig, move |mut talk| async move {
            talk.request().await;
            talk.say(head).await;
            talk.fall_silent().await;
        })
        .await;
        assert_eq!(tried.end(), ("protocol_error", None), "{tried:?}");
        assert!(tried.error().contains("101") && tried.took < AT_ONCE, "{tried:?}");
        peer.is_left(1, AT_ONCE).await;
        assert_eq!((peer.posts(), peer.connections()), (1, 1));
    }
}

#[tokio::test]
async fn c11_b64_a_redirect_is_a_failure_and_nobody_goes_there() {
    let rig = Rig::new(LONG);
    let canary = Peer::kind().await;
    for status in [300, 301, 302, 303, 304, 305, 307, 308] {
        let location = canary.url();
        let answer = format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answered(&rig, answer).await.end(), ("http_status", Some(status)));
    }
    for location in [
        "http://169.254.169.254/latest",
        "//127.0.0.1/",
        "gopher://127.0.0.1:70/_x",
        "\u{7f}\u{1}",
    ] {
        let answer = format!("HTTP/1.1 307 Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        assert_ne!(answered(&rig, answer).await.record.outcome.as_str(), "delivered");
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn c12_a_redirect_to_itself_is_one_post() {
    let peer = Peer::start(|mut talk| async move {
        let request = talk.request().await.expect("a request");
        let host = request.values("host")[0].to_owned();
        talk.say(format!(
            "HTTP/1.1 307 Here\r\nLocation: http://{host}/hook\r\nContent-Length: 0\r\n\r\n"
        ))
        .await;
        talk.fall_silent().await;
    })
    .await;
    let tried = Rig::new(LONG).attempt(&peer.url()).await;
    assert_eq!(tried.end(), ("http_status", Some(307)));
    assert_eq!((peer.posts(), peer.connections()), (1, 1));
}

#[tokio::test]
async fn c13_a_connection_that_ends_before_a_status_is_a_protocol_error_and_one_post() {
    let rig = Rig::new(LONG);
    for is_reset in [false, true] {
        for half in ["", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"] {
            let (tried, peer) = tried(&rig, move |mut talk| async move {
                talk.request().await;
                talk.say(half).await;
                if is_reset {
                    talk.reset();
                }
            })
            .await;
            assert_eq!(tried.end(), ("protocol_error", None), "{half:?} {tried:?}");
            assert!(tried.took < AT_ONCE && !tried.error().is_empty(), "{tried:?}");
            assert_eq!((peer.posts(), peer.connections()), (1, 1), "{half:?}");
        }
        // Before the request was read.
        let (tried, peer) = tried(&rig, move |talk| async move {
            if is_reset {
                talk.reset();
            }
        })
        .await;
        assert_eq!(tried.end(), ("protocol_error", None), "{tried:?}");
        assert_eq!(peer.connections(), 1);
    }
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
            assert!(tried.is_body_incomplete() && tried.took < AT_ONCE, "{tried:?}");
            assert_eq!((peer.posts(), peer.connections()), (1, 1));
        }
    }
}

#[tokio::test]
async fn c16_a_kept_connection_that_was_closed_in_between_costs_nothing() {
    let peer = Peer::start(|mut talk| async move {
        talk.request().await;
        talk.say(OK).await;
    })
    .await;
    let rig = Rig::new(LONG);
    for attempt in 1..=5 {
        assert_eq!(rig.attempt(&peer.url()).await.end(), ("delivered", Some(200)));
        assert_eq!((peer.posts(), peer.connections()), (attempt, attempt));
        sleep(BEAT).await;
    }
}

/// Keeps a thread busy for less time than a timer can measure.
async fn spin(moment: Duration) {
    let deadline = Instant::now() + moment;
    while Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c16_a_kept_connection_that_is_closed_in_the_race_gets_each_request_once() {
    const ATTEMPTS: usize = 400;
    let peer = Peer::start(|mut talk| async move {
        talk.request().await;
        talk.say(OK).await;
        spin(Duration::from_micros(300)).await;
        if talk.number.is_multiple_of(2) {
            talk.reset();
        }
    })
    .await;
    let rig = Rig::new(LONG);
    let (mut delivered, mut failed) = (0, 0);
    for number in 0..ATTEMPTS {
        // From well before the other side closes to well after it.
        spin(Duration::from_micros(number as u64 * 13 % 600)).await;
        match rig.attempt(&peer.url()).await.end() {
            ("delivered", Some(200)) => delivered += 1,
            ("protocol_error", None) => failed += 1,
            other => panic!("{other:?}"),
        }
    }
    let requests = peer.requests();
    let mut ids: Vec<_> = requests
        .iter()
        .map(|request| request.values("webhook-id")[0])
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), requests.len(), "no event came twice");
    assert_eq!(
        requests.len(),
        delivered,
        "whoever was answered is delivered, and nobody else"
    );
    assert_eq!(delivered + failed, ATTEMPTS);
}

#[tokio::test]
async fn c17_a_request_on_a_kept_connection_that_is_read_and_not_answered_is_not_sent_again() {
    for is_reset in [false, true] {
        let peer = Peer::start(move |mut talk| async move {
            talk.request().await;
            talk.say(OK).await;
            talk.request().await;
            if is_reset {
                talk.reset();
            }
        })
        .await;
        let rig = Rig::new(LONG);
        assert_eq!(rig.attempt(&peer.url()).await.end(), ("delivered", Some(200)));
        let second = rig.attempt(&peer.url()).await;
        assert_eq!(second.end(), ("protocol_error", None), "{second:?}");
        assert_eq!((peer.posts(), peer.connections()), (2, 1));
    }
}

#[tokio::test]
async fn c17_one_byte_of_a_request_on_a_kept_connection_is_enough_not_to_send_it_again() {
    let peer = Peer::start(|mut talk| async move {
        talk.request().await;
        talk.say(OK).await;
        talk.read().await;
        talk.reset();
    })
    .await;
    let rig = Rig::new(LONG);
    rig.attempt(&peer.url()).await;
    assert_eq!(rig.attempt(&peer.url()).await.end(), ("protocol_error", None));
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn c18_what_is_no_http_is_a_protocol_error_at_once() {
    let rig = Rig::new(LONG);
    for greeting in [
        "hello",
        "hello\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "220 mail.example.com ESMTP\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "\0\0\0\0",
        "\u{15}\u{3}\u{3}\0\u{2}\u{2}\n",
    ] {
        // The connection stays open, so that nothing but the greeting can tell.
        let (tried, peer) = tried(&rig, move |mut talk| async move {
            talk.say(greeting).await;
            talk.request().await;
            talk.fall_silent().await;
        })
        .await;
        assert_eq!(tried.end(), ("protocol_error", None), "{greeting:?} {tried:?}");
        assert!(tried.took < AT_ONCE, "{greeting:?} {tried:?}");
        peer.is_left(1, AT_ONCE).await;
        assert_eq!(peer.connections(), 1, "{greeting:?}");
    }
}

#[tokio::test]
async fn c18_an_http_2_preface_is_no_answer() {
    let rig = Rig::new(LONG);
    let settings_frame = b"\0\0\0\x04\0\0\0\0\0".to_vec();
    assert_eq!(
        answered(&rig, settings_frame).await.end(),
        ("protocol_error", None)
    );
}

#[tokio::test]
async fn c19_a_length_that_is_no_length_is_a_protocol_error() {
    let rig = Rig::new(LONG);
    for length in [
        "Content-Length: abc",
        "Content-Length: -5",
        "Content-Length: +5",
        "Content-Length: 5, 6",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 18446744073709551616",
        "Content-Length: 0x10",
    ] {
        let tried = answered(&rig, format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\nhello")).await;
        assert_eq!(tried.end(), ("protocol_error", None), "{length} {tried:?}");
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
            tried.is_body_incomplete() && tried.took < AT_ONCE,
            "{begun:?} {tried:?}"
        );
        peer.is_left(1, AT_ONCE).await;
        assert_eq!((peer.posts(), peer.connections()), (1, 1), "{begun:?}");
    }
}

#[tokio::test]
async fn c22_a_status_is_three_digits_and_2xx_is_success() {
    let rig = Rig::new(LONG);
    for (status, end) in [
        ("099", ("protocol_error", None)),
        ("1000", ("protocol_error", None)),
        ("20", ("protocol_error", None)),
        ("-20", ("protocol_error", None)),
        ("2OO", ("protocol_error", None)),
        ("999", ("http_status", Some(999))),
        ("600", ("http_status", Some(600))),
        ("300", ("http_status", Some(300))),
        ("299", ("delivered", Some(299))),
        ("206", ("delivered", Some(206))),
        ("226", ("delivered", Some(226))),
        ("200", ("delivered", Some(200))),
    ] {
        let tried = answered(&rig, format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n")).await;
        assert_eq!(tried.end(), end, "{status} {tried:?}");
    }
}

#[tokio::test]
async fn c23_every_form_of_success_is_one() {
    let rig = Rig::new(LONG);
    for (answer, status, response) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"),
        (
            "HTTP/1.1 201 Created\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
            201,
            "",
        ),
        (
            "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            202,
            "hi",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", 204, ""),
        ("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", 205, ""),
        ("HTTP/1.0 200 OK\r\n\r\nno length", 200, "no length"),
        ("HTTP/1.1 200 OK\r\n\r\nno length", 200, "no length"),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, ""),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 200, "hi"),
        ("\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            200,
            "",
        ),
        (
            "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            200,
            "",
        ),
    ] {
        let tried = answered(&rig, answer).await;
        assert_eq!(tried.end(), ("delivered", Some(status)), "{answer:?} {tried:?}");
        assert_eq!(
            (tried.response(), tried.is_body_incomplete()),
            (response, false),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn c23_what_a_receiver_says_too_much_is_never_the_answer_to_the_next_request() {
    // The second answer would be a success that the second request never got.
    for first in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let peer = Peer::start(move |mut talk| async move {
            if talk.number > 1 {
                talk.request().await;
                talk.say("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").await;
                return;
            }
            talk.request().await;
            talk.say(format!("{first}{OK}")).await;
            talk.fall_silent().await;
        })
        .await;
        let rig = Rig::new(LONG);
        rig.attempt(&peer.url()).await;
        let second = rig.attempt(&peer.url()).await;
        assert_ne!(
            second.record.outcome.as_str(),
            "delivered",
            "{first:?} {second:?}"
        );
    }
}

#[tokio::test]
async fn c27_an_answer_before_the_request_is_read_is_the_answer() {
    let rig = Rig::new(LONG);
    for number in 0..20 {
        let peer = Peer::start(move |mut talk| async move {
            talk.read().await;
            talk.say("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .await;
            if number % 2 == 0 {
                talk.fall_silent().await;
            }
        })
        .await;
        let data = format!("{{\"a\":\"{}\"}}", "a".repeat(100_000));
        let event = hookline_producer::Event::new("acme", "booking.created", data).unwrap();
        let tried = rig.deliver(Endpoint::at("ep_crm", &peer.url()), event).await;
        match tried.end() {
            ("http_status", Some(413)) => {}
            // It closed with unread bytes, so that its RST may have overtaken the answer.
            ("protocol_error", None) if number % 2 == 1 => {}
            other => panic!("{other:?}: {tried:?}"),
        }
        assert!(tried.took < AT_ONCE && peer.connections() == 1, "{tried:?}");
    }
}

/// What the second attempt of a delivery had to wait for after the first one's answer.
fn wait_of(attempts: &[Received]) -> Duration {
    assert_eq!(attempts[1].attempt(), 2, "the number rises by one");
    attempts[1].arrived - attempts[0].ended.unwrap()
}

#[tokio::test]
async fn c29_c30_c31_retry_after_moves_the_next_attempt_to_the_first_queue_that_is_no_sooner() {
    let date = || {
        let later = Timestamp::now() + Duration::from_secs(4);
        strtime::format(
            "%a, %d %b %Y %H:%M:%S GMT",
            &later.to_zoned(jiff::tz::TimeZone::UTC),
        )
        .unwrap()
    };
    let nested = format!("Thu, 01 Jan 2099 {}{}", "(".repeat(5_000), ")".repeat(5_000));
    let cases: Vec<(u16, Option<String>, u64)> = vec![
        (429, None, 1),
        (429, Some("0".to_owned()), 1),
        (429, Some("2".to_owned()), 2),
        (429, Some("3".to_owned()), 4),
        (429, Some("120".to_owned()), 4),
        (429, Some("9".repeat(64)), 4),
        (429, Some(date()), 4),
        (429, Some("Thu, 01 Jan 2015 00:00:00 GMT".to_owned()), 1),
        (429, Some("abc".to_owned()), 1),
        (429, Some("-1".to_owned()), 1),
        (429, Some("1e9".to_owned()), 1),
        (429, Some("9".repeat(100_000)), 1),
        (429, Some(nested), 1),
        (503, None, 1),
        (503, Some("2".to_owned()), 2),
        (502, Some("2".to_owned()), 1),
        (504, Some("2".to_owned()), 1),
        (500, Some("2".to_owned()), 1),
    ];
    scenario(async |world| {
        let (mut receivers, mut endpoints) = (Vec::new(), Vec::new());
        for (number, (code, retry_after, _)) in cases.iter().cloned().enumerate() {
            let receiver = Receiver::scripted(move |request| match (&retry_after, request.attempt()) {
                (Some(value), 1) => status(code).header("retry-after", value.clone()),
                (None, 1) => status(code),
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
        for (receiver, (code, retry_after, expected)) in receivers.iter().zip(&cases) {
            let wait = wait_of(&receiver.expect(2, SOON).await);
            let expected = Duration::from_secs(*expected);
            assert!(
                wait >= expected && wait < expected + Duration::from_secs(1),
                "{code} with Retry-After {:.70?}: {wait:?}, not {expected:?}",
                retry_after
            );
        }
        world.is_empty_within(SOON).await;
    })
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

#[tokio::test]
async fn c28_c33_what_looks_final_or_urgent_follows_the_schedule_like_any_failure() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let codes = [410, 408, 425, 401, 404];
        let (mut receivers, mut endpoints) = (Vec::new(), Vec::new());
        for code in codes {
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
async fn c32_c34_every_other_status_is_a_failure_with_that_status() {
    let rig = Rig::new(LONG);
    for code in [
        400, 401, 403, 404, 405, 407, 408, 410, 422, 425, 451, 500, 501, 502, 504, 505, 507, 599,
    ] {
        let answer = format!(
            "HTTP/1.1 {code} No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nProxy-Authenticate: Basic\r\n\
             Set-Cookie: a=b\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"
        );
        let tried = answered(&rig, answer).await;
        assert_eq!(tried.end(), ("http_status", Some(code)));
        assert_eq!(
            tried.not_before, None,
            "{code}: Retry-After means something with 429 and 503 only"
        );
        assert_eq!(tried.error(), "", "{code}");
    }
}

#[tokio::test]
async fn c32_nothing_is_sent_that_nobody_asked_for() {
    let peer = Peer::start(|mut talk| async move {
        while talk.request().await.is_some() {
            talk.say(
                "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nSet-Cookie: a=b; Path=/\r\n\
                 Accept-CH: DPR\r\nContent-Length: 0\r\n\r\n",
            )
            .await;
        }
    })
    .await;
    let rig = Rig::new(LONG);
    for _ in 0..3 {
        assert_eq!(rig.attempt(&peer.url()).await.end(), ("http_status", Some(401)));
    }
    assert_eq!(
        (peer.posts(), peer.connections()),
        (3, 1),
        "one POST each, on the connection there is"
    );
    for request in peer.requests() {
        let mut names: Vec<_> = request
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        names.sort_unstable();
        let expected = [
            "content-length",
            "content-type",
            "host",
            "meeva-signature",
            "user-agent",
            "webhook-attempt",
            "webhook-id",
            "webhook-signature",
            "webhook-timestamp",
        ];
        assert_eq!(names, expected);
        assert!(
            request.head.starts_with("POST /hook HTTP/1.1\r\n"),
            "{}",
            request.head
        );
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
    let line = tried.record.to_line().unwrap();
    assert!(
        !line.iter().any(u8::is_ascii_control),
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
        let log = dispatcher.log();
        assert!(log.contains("attempt failed") && log.contains("500"), "{log}");
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

#[tokio::test]
async fn b65_no_hint_makes_us_connect() {
    let rig = Rig::new(LONG);
    let canary = Peer::kind().await;
    let there = canary.url();
    let port = canary.port();
    for answer in [
        format!(
            "HTTP/1.1 201 Created\r\nLocation: {there}\r\nContent-Location: {there}\r\nContent-Length: 0\r\n\r\n"
        ),
        format!("HTTP/1.1 200 OK\r\nRefresh: 0; url={there}\r\nContent-Length: 0\r\n\r\n"),
        format!(
            "HTTP/1.1 200 OK\r\nAlt-Svc: http/1.1=\":{port}\"; ma=60, h2=\":{port}\"\r\nContent-Length: 0\r\n\r\n"
        ),
        format!("HTTP/1.1 103 Early Hints\r\nLink: <{there}>; rel=preconnect\r\n\r\n{OK}"),
        format!("HTTP/1.1 200 OK\r\nLink: <{there}>; rel=preload\r\nContent-Length: 0\r\n\r\n"),
        format!(
            "HTTP/1.1 200 OK\r\nReport-To: {{\"endpoints\":[{{\"url\":\"{there}\"}}]}}\r\nContent-Length: 0\r\n\r\n"
        ),
    ] {
        assert_eq!(
            answered(&rig, answer.clone()).await.record.outcome.as_str(),
            "delivered",
            "{answer}"
        );
    }
    for status in [301, 307, 308] {
        let answer = format!("HTTP/1.1 {status} Go\r\nLocation: https://127.0.0.1:{port}/hook\r\n\r\n");
        assert_eq!(answered(&rig, answer).await.end(), ("http_status", Some(status)));
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn b66_proxies_of_the_environment_are_not_used() {
    scenario(async |world| {
        let (canary, receiver) = (Peer::kind().await, Receiver::answering(status(200)).await);
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let mut dispatcher = world.dispatcher();
        for variable in [
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
        ] {
            dispatcher = dispatcher.set(variable, canary.url());
        }
        dispatcher.set("NO_PROXY", "").start().await;
        world.publish("booking.created", "{}").await;
        let request = receiver.expect_one(SOON).await;
        assert_eq!(request.path, "/hook", "as to an origin, not as to a proxy");
        assert_eq!(canary.connections(), 0);
    })
    .await;
}

#[tokio::test]
async fn b69_the_host_is_the_url_s_whatever_the_endpoint_wants() -> Result<(), Failure> {
    let peer = Peer::kind().await;
    let rig = Rig::new(LONG);
    rig.attempt(&peer.url()).await;
    let request = &peer.requests()[0];
    assert_eq!(request.values("host"), [format!("127.0.0.1:{}", peer.port())]);
    assert_eq!(rig.past_the_url_rule(&peer.url()).await?, 200);
    Ok(())
}
