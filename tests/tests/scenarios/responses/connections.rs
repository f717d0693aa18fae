//! Connections that end too soon, are kept, or say too much: each request is sent once.

use std::time::Duration;

use hookline_producer::Event;
use hookline_tests::endpoint::Endpoint;
use hookline_tests::hostile::rig::{AT_ONCE, LONG};
use hookline_tests::hostile::{Peer, Rig};
use tokio::time::{Instant, sleep};

use super::{BEAT, OK, tried};

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
            assert!(tried.paced < AT_ONCE && !tried.error().is_empty(), "{tried:?}");
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
        let event = Event::new("acme", "booking.created", data).unwrap();
        let tried = rig.deliver(Endpoint::at("ep_crm", &peer.url()), event).await;
        match tried.end() {
            ("http_status", Some(413)) => {}
            // It closed with unread bytes, so that its RST may have overtaken the answer.
            ("protocol_error", None) if number % 2 == 1 => {}
            other => panic!("{other:?}: {tried:?}"),
        }
        assert!(tried.paced < AT_ONCE && peer.connections() == 1, "{tried:?}");
    }
}
