//! From one attempt to the next, and from one address to the next: what was vetted is what is connected to.

use std::time::Duration;

use hookline_tests::hostile::rig::{LONG, SHORT, TOLERANCE, policy};
use hookline_tests::hostile::{Hole, NameServer, Peer, Reply, Rig, Talk, a};

use super::{BAD, GOOD, NAME, good_and_bad, once, rig, url};

/// A server that gives [`GOOD`] the first time, and [`BAD`] ever after.
async fn turncoat() -> NameServer {
    NameServer::start(|question, before| match (question.kind.as_str(), before) {
        ("A", 0) => Reply::Records(vec![a(NAME, GOOD)]),
        ("A", _) => Reply::Records(vec![a(NAME, BAD)]),
        _ => Reply::Records(Vec::new()),
    })
    .await
}

#[tokio::test]
async fn b57_a_name_that_was_good_and_turns_bad_is_blocked_from_then_on() {
    let names = turncoat().await;
    let (good, bad) = good_and_bad(once).await;
    let rig = rig(&names, LONG);
    assert_eq!(
        rig.attempt(&url(NAME, &good)).await.end(),
        ("delivered", Some(200))
    );
    for _ in 0..3 {
        assert_eq!(rig.attempt(&url(NAME, &good)).await.end(), ("blocked", None));
    }
    assert_eq!((good.connections(), bad.connections()), (1, 0));
}

#[tokio::test]
async fn b58_the_name_is_asked_for_once_and_connected_to_as_it_was_vetted() {
    let names = turncoat().await;
    let (good, bad) = good_and_bad(Talk::be_kind).await;
    let rig = rig(&names, LONG);
    assert_eq!(
        rig.attempt(&url(NAME, &good)).await.end(),
        ("delivered", Some(200))
    );
    assert_eq!(
        (names.asked_for("A"), names.asked_for("AAAA"), names.asked().len()),
        (1, 1, 2)
    );
    assert_eq!((good.connections(), bad.connections()), (1, 0));
}

#[tokio::test]
async fn b59_where_the_first_address_refuses_the_second_is_tried_without_asking_again() {
    let second = "127.0.0.4";
    let names = NameServer::knowing(vec![a(NAME, GOOD), a(NAME, second)]).await;
    let peer = Peer::listen(&format!("{second}:0"), None, Talk::be_kind).await;
    let rig = Rig::with(
        policy(&["127.0.0.2/32", "127.0.0.4/32"]),
        names.resolver(),
        None,
        LONG,
    );
    let tried = rig.attempt(&url(NAME, &peer)).await;
    assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
    assert_eq!((names.asked_for("A"), names.asked_for("AAAA")), (1, 1));
    assert_eq!(peer.posts(), 1);
}

#[tokio::test]
async fn b59_where_the_first_address_hangs_the_second_has_its_share_of_the_time() {
    /// The second has half of it, which is far more than it needs.
    const TIME: Duration = Duration::from_secs(10);
    let hole = Hole::at(GOOD).await;
    let second = Peer::listen(&format!("127.0.0.4:{}", hole.port()), None, Talk::be_kind).await;
    let names = NameServer::knowing(vec![a(NAME, GOOD), a(NAME, "127.0.0.4")]).await;
    let rig = Rig::with(
        policy(&["127.0.0.2/32", "127.0.0.4/32"]),
        names.resolver(),
        None,
        TIME,
    );
    let tried = rig.attempt(&url(NAME, &second)).await;
    assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
    assert!(
        tried.took >= TIME / 2 - TOLERANCE / 10 && tried.paced < TIME,
        "{tried:?}"
    );
}

#[tokio::test]
async fn c01_an_address_that_hangs_is_a_timeout_when_the_time_is_up() {
    let hole = Hole::at(GOOD).await;
    let names = NameServer::knowing(vec![a(NAME, GOOD)]).await;
    let tried = rig(&names, SHORT)
        .attempt(&format!("http://{NAME}:{}/", hole.port()))
        .await;
    assert_eq!(tried.end(), ("timeout", None), "{tried:?}");
    tried.assert_took(SHORT);
}

#[tokio::test]
async fn b63_a_kept_connection_outlives_a_name_that_moves_but_no_new_one_is_made() {
    let names = turncoat().await;
    let (good, bad) = good_and_bad(|mut talk| async move {
        // The last answer says that it is the last: a connection that just closes may be taken once more.
        for kept in ["", "", "Connection: close\r\n"] {
            talk.request().await;
            let answer = format!("HTTP/1.1 200 OK\r\n{kept}Content-Length: 0\r\n\r\n");
            talk.say(&answer).await;
        }
    })
    .await;
    let rig = rig(&names, LONG);
    for _ in 0..3 {
        assert_eq!(
            rig.attempt(&url(NAME, &good)).await.end(),
            ("delivered", Some(200))
        );
    }
    assert_eq!(rig.attempt(&url(NAME, &good)).await.end(), ("blocked", None));
    assert_eq!((good.connections(), good.posts(), bad.connections()), (1, 3, 0));
}
