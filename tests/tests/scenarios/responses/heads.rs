//! The head decides: when it never ends, is too large, or is none.

use futures_util::future::join_all;
use hookline_tests::hostile::rig::{AT_ONCE, LONG, SHORT, TOLERANCE};
use hookline_tests::hostile::{Rig, Tried};
use std::time::Duration;

use super::{BEAT, answered, tried};

fn assert_timed_out(tried: &Tried) {
    assert_eq!(tried.end(), ("timeout", None), "{tried:?}");
    tried.assert_took(SHORT);
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
async fn c08_a_head_that_browsers_read_is_an_answer() {
    let rig = Rig::new(LONG);
    for (lines, body) in [
        ("x-folded: one\r\n two\r\n\tthree\r\n", ""),
        ("x-folded:\r\n \r\n two\r\n", ""),
        ("x-space : a\r\n", ""),
        ("x-tab\t: a\r\n", ""),
        ("no colon at all\r\n", ""),
        ("nocolon\r\nx-a: b\r\n", ""),
        ("x-a: b\r\nno colon\r\n and folded\r\n", ""),
        (": no name\r\n", ""),
        ("x y: a blank in the name\r\n", ""),
        ("x\u{e9}: a letter that is none\r\n", ""),
        ("(comment): x\r\n", ""),
        ("x-latin: caf\u{e9}\r\n", ""),
        ("Warning: Undefined variable $x in /srv/a.php\r\n", ""),
        ("Content-Length : 2\r\n", "hi"),
        ("no colon\r\nContent-Length: 2\r\n", "hi"),
        (
            "x-folded: a\r\n b\r\nTransfer-Encoding: chunked\r\n",
            "2\r\nhi\r\n0\r\n\r\n",
        ),
    ] {
        for status in [200, 503] {
            let tried = answered(&rig, format!("HTTP/1.1 {status} So\r\n{lines}\r\n{body}")).await;
            let outcome = if status == 200 { "delivered" } else { "http_status" };
            assert_eq!(tried.end(), (outcome, Some(status)), "{lines:?} {tried:?}");
            let expected = if body.is_empty() { "" } else { "hi" };
            assert_eq!(tried.response(), expected, "{lines:?}");
        }
    }
}

#[tokio::test]
async fn c06_a_head_that_is_too_large_is_a_protocol_error() {
    let rig = Rig::new(LONG);
    let long_value = vec![b'a'; 64 * 1024];
    let lines = "x-a: a\r\n".repeat(5_000).into_bytes();
    let long_status = b"HTTP/1.1 200 ".to_vec();
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
        assert!(tried.paced < AT_ONCE, "{tried:?}");
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
        assert!(tried.paced < AT_ONCE, "{greeting:?} {tried:?}");
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
