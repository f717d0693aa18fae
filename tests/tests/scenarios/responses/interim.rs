//! Interim responses (1xx): a few are read over, a flood of them ends at once and costs the neighbours nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hookline_tests::hostile::rig::{AT_ONCE, LONG};
use hookline_tests::hostile::{Peer, Rig, Talk};

use super::{OK, answered, tried};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n";

fn hints_of(bytes: usize) -> String {
    format!("HTTP/1.1 103 Early Hints\r\nx-a: {}\r\n\r\n", "a".repeat(bytes))
}

#[tokio::test]
async fn eight_interim_responses_are_read_over_and_nine_are_a_protocol_error() {
    let rig = Rig::new(LONG);
    for one in [CONTINUE, HINTS] {
        let taken = answered(&rig, [&one.repeat(8), OK].concat()).await;
        assert_eq!(taken.end(), ("delivered", Some(200)), "{one:?} {taken:?}");
        // Also where the answer stands in the same bytes.
        let refused = answered(&rig, [&one.repeat(9), OK].concat()).await;
        assert_eq!(refused.end(), ("protocol_error", None), "{one:?} {refused:?}");
        assert!(refused.error().contains("interim responses"), "{refused:?}");
    }
}

#[tokio::test]
async fn of_32_kib_of_them_no_more_is_read() {
    let rig = Rig::new(LONG);
    let taken = answered(&rig, [&hints_of(7_000).repeat(4), OK].concat()).await;
    assert_eq!(taken.end(), ("delivered", Some(200)), "{taken:?}");
    let no_headers = format!(
        "HTTP/1.1 103 Early Hints\r\n{}\r\n",
        "no header\r\n".repeat(1_500)
    );
    let long_words = format!("HTTP/1.1 103 {}\r\n\r\n", "so ".repeat(5_000));
    for many in [
        hints_of(7_000).repeat(5),
        hints_of(33_000),
        no_headers.repeat(4),
        long_words.repeat(4),
    ] {
        let refused = answered(&rig, [&many, OK].concat()).await;
        assert_eq!(refused.end(), ("protocol_error", None), "{refused:?}");
    }
}

#[tokio::test]
async fn a_kept_connection_counts_anew_for_each_request() {
    let rig = Rig::new(LONG);
    let peer = Peer::start(|mut talk| async move {
        while talk.request().await.is_some() {
            talk.say([&HINTS.repeat(8), OK].concat()).await;
        }
    })
    .await;
    for _ in 0..3 {
        let tried = rig.attempt(&peer.url()).await;
        assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
    }
    assert_eq!(peer.connections(), 1);
}

/// A receiver that answers with nothing but interim responses, for as long as somebody reads them.
async fn flood(mut talk: Talk) {
    talk.request().await;
    talk.pour(HINTS.repeat(500), Duration::ZERO).await;
}

#[tokio::test]
async fn an_endless_flood_is_a_protocol_error_at_once_and_nobody_listens_to_it_any_more() {
    let rig = Rig::new(LONG);
    let (tried, peer) = tried(&rig, flood).await;
    assert_eq!(tried.end(), ("protocol_error", None), "{tried:?}");
    assert!(tried.paced < AT_ONCE, "{tried:?}");
    peer.is_left(1, AT_ONCE).await;
    assert_eq!((peer.posts(), peer.connections()), (1, 1));
}

/// How long 300 deliveries to healthy receivers take, four at a time.
async fn healthy(rig: &Rig) -> Duration {
    let peers = join_all((0..4).map(|_| Peer::kind())).await;
    let begun = Instant::now();
    join_all(peers.iter().map(async |peer| {
        for _ in 0..75 {
            let tried = rig.attempt(&peer.url()).await;
            assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
        }
    }))
    .await;
    begun.elapsed()
}

/// Seen before: seventy times as long, and a processor busy with nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_floods_do_not_slow_healthy_endpoints() {
    let rig = Rig::new(LONG);
    let before = healthy(&rig).await;
    let floods = join_all((0..20).map(|_| Peer::start(flood))).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let flooded: Vec<_> = floods
        .iter()
        .map(|peer| {
            let (rig, url, is_over) = (rig.clone(), peer.url(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut attempts = 0;
                // Far more often than an endpoint that fails is tried.
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(rig.attempt(&url).await.end(), ("protocol_error", None));
                    attempts += 1;
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                attempts
            })
        })
        .collect();
    let beside = healthy(&rig).await;
    is_over.store(true, Ordering::Relaxed);
    let attempts: usize = join_all(flooded).await.into_iter().map(Result::unwrap).sum();
    assert!(attempts >= 20, "{attempts}");
    // Before and after, so that it does not matter when the machine is busy with something else.
    let alone = before.max(healthy(&rig).await);
    assert!(
        beside < alone * 20 + Duration::from_secs(1),
        "alone {alone:?}, beside {attempts} attempts at 20 floods {beside:?}"
    );
}
