//! Connections are made where a request needs one, used again by whoever comes next, and never too many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hookline_dispatcher::client::{Answer, ClientSettings, SendError, Shortage};
use hookline_tests::eventually;
use hookline_tests::hostile::certificates::Authority;
use hookline_tests::hostile::rig::{LONG, loopback, resolver};
use hookline_tests::hostile::{Peer, Rig, Talk};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use crate::SOON;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
/// How long a request waits for the place of a connection that is about to be closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);
/// How often that is forgiven: a machine that stands still for that long keeps several waiting at once.
const MOST_LATE: usize = 20;

/// A receiver that takes this long for each answer.
async fn slow(latency: Duration, tls: Option<TlsAcceptor>) -> Peer {
    Peer::listen("127.0.0.1:0", tls, move |mut talk| async move {
        while talk.request().await.is_some() {
            sleep(latency).await;
            talk.say(OK).await;
        }
    })
    .await
}

/// A receiver whose answers wait until they are let out.
async fn held_back(let_out: &watch::Sender<bool>) -> Peer {
    let let_out = let_out.subscribe();
    Peer::start(move |mut talk| {
        let mut let_out = let_out.clone();
        async move {
            while talk.request().await.is_some() {
                drop(let_out.wait_for(|is_let_out| *is_let_out).await);
                talk.say(OK).await;
            }
        }
    })
    .await
}

fn bounded(max_connections: usize) -> Rig {
    Rig::bounded(loopback(), resolver(9, &[]), None, LONG, max_connections)
}

async fn deliver(rig: &Rig, url: &str) {
    is_delivered(url, rig.send(url, "{}").await);
}

/// The same where a connection has to be closed for it first, which a busy machine may fail to do in time, now and then. Who is told
/// without a wait that there is no place was not made room for.
async fn deliver_in_place_of_another(rig: &Rig, url: &str, late: &AtomicUsize) {
    loop {
        let begun = Instant::now();
        match rig.send(url, "{}").await {
            Err(SendError::Shortage(Shortage::Connections)) if begun.elapsed() >= CLOSED_WITHIN => {
                let late = late.fetch_add(1, Ordering::Relaxed) + 1;
                assert!(late <= MOST_LATE, "room is made too late, {late} times");
            }
            sent => return is_delivered(url, sent),
        }
    }
}

fn is_delivered(url: &str, sent: Result<Answer, SendError>) {
    let answer = sent.unwrap_or_else(|error| panic!("{url}: {error}"));
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_slice()),
        (200, &b"hi"[..])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_host_gets_no_more_connections_than_requests_are_in_flight() {
    const SENDERS: usize = 64;
    let authority = Authority::new("ours");
    for is_https in [false, true] {
        for (latency_ms, each) in [(0, 40), (100, 5)] {
            let tls = is_https.then(|| authority.vouch_for(&["127.0.0.1"]).acceptor());
            let peer = slow(Duration::from_millis(latency_ms), tls).await;
            let rig = Rig::with(loopback(), resolver(9, &[]), Some(&authority.pem()), LONG);
            let url = if is_https {
                peer.https_url("127.0.0.1")
            } else {
                peer.url()
            };
            let senders = (0..SENDERS).map(|_| {
                let (rig, url) = (rig.clone(), url.clone());
                tokio::spawn(async move {
                    for _ in 0..each {
                        deliver(&rig, &url).await;
                    }
                })
            });
            for sender in join_all(senders).await {
                sender.unwrap();
            }
            assert_eq!(peer.posts(), SENDERS * each);
            let opened = peer.connections();
            assert!(
                opened * 10 <= SENDERS * 11,
                "https {is_https}, {latency_ms} ms: {opened} connections for {SENDERS} in flight"
            );
        }
    }
}

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection() {
    let peer = slow(Duration::ZERO, None).await;
    let rig = Rig::new(LONG);
    for _ in 0..200 {
        deliver(&rig, &peer.url()).await;
    }
    assert_eq!((peer.posts(), peer.connections()), (200, 1));
}

#[tokio::test]
async fn a_request_that_waits_for_its_connection_takes_one_that_comes_back_and_the_other_is_kept() {
    let authority = Authority::new("ours");
    let (shaking_hands, answering) = (watch::Sender::new(false), watch::Sender::new(false));
    let gate = answering.subscribe();
    let acceptor = authority.vouch_for(&["127.0.0.1"]).acceptor();
    let receiver = Peer::listen("127.0.0.1:0", Some(acceptor), move |mut talk| {
        let mut gate = gate.clone();
        async move {
            while talk.request().await.is_some() {
                drop(gate.wait_for(|is_open| *is_open).await);
                talk.say(OK).await;
            }
        }
    })
    .await;
    // Before it stands a wire on which every handshake but the first waits.
    let there = Arc::new(format!("127.0.0.1:{}", receiver.port()));
    let gate = shaking_hands.subscribe();
    let wire = Peer::start(move |talk: Talk| {
        let (mut gate, there) = (gate.clone(), Arc::clone(&there));
        async move {
            if talk.number > 1 {
                drop(gate.wait_for(|is_open| *is_open).await);
            }
            talk.carry_to(&there).await;
        }
    })
    .await;
    let rig = Rig::with(loopback(), resolver(9, &[]), Some(&authority.pem()), LONG);
    let url = wire.https_url("127.0.0.1");
    let send = || {
        let (rig, url) = (rig.clone(), url.clone());
        tokio::spawn(async move { deliver(&rig, &url).await })
    };
    let arrived = async |count: usize| {
        eventually(SOON, &format!("{count} requests"), async || {
            (receiver.posts() == count).then_some(())
        })
        .await;
    };

    let first = send();
    arrived(1).await;
    let second = send();
    eventually(SOON, "a second connection", async || {
        (wire.connections() == 2).then_some(())
    })
    .await;
    answering.send_replace(true);
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(receiver.connections(), 1, "both went over the first connection");

    shaking_hands.send_replace(true);
    eventually(SOON, "the second connection is there", async || {
        (receiver.server_names().len() == 2).then_some(())
    })
    .await;
    answering.send_replace(false);
    let both = [send(), send()];
    arrived(4).await;
    answering.send_replace(true);
    for one in both {
        one.await.unwrap();
    }
    assert_eq!(wire.connections(), 2, "the handshake was not in vain");
}

#[tokio::test]
async fn idle_connections_are_bounded_over_all_hosts_and_the_oldest_goes_first() {
    // A quarter of the places is never idle.
    let (rig, max_idle) = (bounded(16), 12);
    let peers = join_all((0..20).map(|_| slow(Duration::ZERO, None))).await;
    for peer in &peers {
        deliver(&rig, &peer.url()).await;
    }
    let (gone, kept) = peers.split_at(peers.len() - max_idle);
    for peer in gone {
        peer.is_left(1, SOON).await;
    }
    for peer in kept {
        deliver(&rig, &peer.url()).await;
        assert_eq!(peer.connections(), 1);
    }
    deliver(&rig, &gone[0].url()).await;
    assert_eq!(gone[0].connections(), 2);
}

#[tokio::test]
async fn idle_connections_make_room_where_every_place_is_taken() {
    let rig = bounded(4);
    let old = slow(Duration::from_millis(20), None).await;
    let url = old.url();
    join_all((0..3).map(|_| deliver(&rig, &url))).await;
    assert_eq!(old.connections(), 3);
    let let_out = watch::Sender::new(false);
    let new = held_back(&let_out).await;
    let url = new.url();
    let requests: Vec<_> = (0..4)
        .map(|_| {
            let (rig, url) = (rig.clone(), url.clone());
            tokio::spawn(async move { deliver(&rig, &url).await })
        })
        .collect();
    eventually(SOON, "four requests", async || (new.posts() == 4).then_some(())).await;
    old.is_left(3, SOON).await;

    // Now nothing is idle: who comes next is told so at once, and nobody hears of it.
    let other = slow(Duration::ZERO, None).await;
    let sent = rig.send(&other.url(), "{}").await;
    assert!(
        matches!(sent, Err(SendError::Shortage(Shortage::Connections))),
        "{:?}",
        sent.err()
    );
    assert_eq!(other.connections(), 0);
    let counted: Vec<_> = rig.client().shortages().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, [(Shortage::Connections, 1)]);

    let_out.send_replace(true);
    for request in requests {
        request.await.unwrap();
    }
    deliver(&rig, &other.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_too_old_make_room_for_those_that_follow_them() {
    const PLACES: usize = 4;
    let peer = slow(Duration::ZERO, None).await;
    // Each is too old as soon as it is there.
    let rig = Rig::of(ClientSettings {
        max_connection_age: Duration::ZERO,
        ..ClientSettings::new(loopback(), resolver(9, &[]), LONG, PLACES)
    });
    let late = Arc::new(AtomicUsize::new(0));
    let senders = (0..PLACES).map(|_| {
        let (rig, url, late) = (rig.clone(), peer.url(), Arc::clone(&late));
        tokio::spawn(async move {
            for _ in 0..50 {
                deliver_in_place_of_another(&rig, &url, &late).await;
            }
        })
    });
    for sender in join_all(senders).await {
        sender.unwrap();
    }
    assert_eq!((peer.posts(), peer.connections()), (PLACES * 50, PLACES * 50));
}

#[tokio::test]
async fn what_a_peer_closes_while_it_is_idle_is_no_fault_and_leaves_its_place() {
    let rig = bounded(4);
    let peer = Peer::start(|mut talk| async move {
        talk.request().await;
        talk.say(OK).await;
        talk.close().await;
    })
    .await;
    for attempt in 1..=20 {
        deliver(&rig, &peer.url()).await;
        // A request that is sent before that is lost, whoever sends it.
        peer.is_left(attempt, SOON).await;
        assert_eq!((peer.posts(), peer.connections()), (attempt, attempt));
    }
}

/// More than the buffers of both sides take.
const LARGE: usize = 16_000_000;

#[tokio::test]
async fn a_request_that_is_answered_before_it_is_read_is_still_sent_to_its_end() {
    let (read_on, gate) = watch::channel(false);
    let (tell, answered) = watch::channel(false);
    let peer = Peer::start(move |mut talk| {
        let (mut gate, tell) = (gate.clone(), tell.clone());
        async move {
            talk.read().await;
            talk.say(OK).await;
            tell.send_replace(true);
            drop(gate.wait_for(|is_open| *is_open).await);
            talk.request().await;
            talk.be_kind().await;
        }
    })
    .await;
    let rig = Rig::new(LONG);
    let url = peer.url();
    let sending = rig.send(&url, vec![b'a'; LARGE]);
    let reading = async {
        let mut answered = answered;
        answered.wait_for(|is_answered| *is_answered).await.unwrap();
        assert_eq!(peer.posts(), 0);
        read_on.send_replace(true);
    };
    let (answer, ()) = tokio::join!(sending, reading);
    assert_eq!(answer.unwrap().status.as_u16(), 200);
    eventually(SOON, "all of it has come", async || {
        (peer.posts() == 1).then_some(())
    })
    .await;
}

/// Whoever answers and never reads would otherwise have us keep what it does not take, for as many requests as it likes to answer.
#[tokio::test]
async fn a_request_that_is_answered_and_never_read_is_over_only_with_its_connection() {
    let peer = Peer::start(|mut talk| async move {
        talk.read().await;
        talk.say(OK).await;
        std::future::pending::<()>().await;
    })
    .await;
    let rig = bounded(1);
    for _ in 0..2 {
        let answer = rig.send(&peer.url(), vec![b'a'; LARGE]).await.unwrap();
        assert_eq!(answer.status.as_u16(), 200);
    }
    // There is one place for a connection: the second request would have had none beside the first.
    assert_eq!((peer.connections(), peer.posts()), (2, 0));
}

/// TLS takes some of a request beyond what the network takes, and hyper knows nothing of it: a request of just that size is sent as far
/// as anybody is told, and its connection, which the receiver wants closed, has still to send it.
#[tokio::test]
async fn a_receiver_by_tls_that_answers_and_reads_nothing_has_no_connection_for_good() {
    /// Less than TLS takes, so that one of the sizes is more than the network takes and fits into both.
    const STEP: usize = 48 * 1024;
    /// For so long a request keeps its connection that is too large for both: no larger one has to be tried.
    const TIMEOUT: Duration = Duration::from_secs(2);
    /// How often a request that found no place is made again, which takes a second each time.
    const TRIES: usize = 10;
    let authority = Authority::new("ours");
    let acceptor = authority.vouch_for(&["127.0.0.1"]).acceptor();
    let peer = Peer::listen("127.0.0.1:0", Some(acceptor), |mut talk| async move {
        talk.read().await;
        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=1\r\n\r\n")
            .await;
        std::future::pending::<()>().await;
    })
    .await;
    let (names, ca) = (resolver(9, &[]), authority.pem());
    // There is one place for a connection: who has it for good has it for all requests after.
    let rig = Rig::bounded(loopback(), names, Some(&ca), TIMEOUT, 1);
    let url = peer.https_url("127.0.0.1");
    for size in (STEP..LARGE).step_by(STEP) {
        let begun = Instant::now();
        let mut answer = rig.send(&url, vec![b'a'; size]).await;
        for _ in 0..TRIES {
            if !matches!(answer, Err(SendError::Shortage(_))) {
                break;
            }
            answer = rig.send(&url, vec![b'a'; size]).await;
        }
        assert_eq!(answer.unwrap().status.as_u16(), 200);
        if begun.elapsed() >= TIMEOUT {
            return;
        }
    }
    panic!("the network took all of the largest request");
}

#[tokio::test]
async fn a_second_connection_by_tls_goes_on_with_the_session_of_the_first() {
    let authority = Authority::new("ours");
    let acceptor = authority.vouch_for(&["127.0.0.1"]).acceptor();
    let peer = Peer::listen("127.0.0.1:0", Some(acceptor), |mut talk| async move {
        talk.request().await;
        talk.say(OK).await;
        talk.close().await;
    })
    .await;
    let rig = Rig::with(loopback(), resolver(9, &[]), Some(&authority.pem()), LONG);
    for connection in 1..=4 {
        deliver(&rig, &peer.https_url("127.0.0.1")).await;
        peer.is_left(connection, SOON).await;
    }
    assert_eq!((peer.connections(), peer.resumed()), (4, 3));
}

/// Each costs as much as a small handshake, and none is plaintext, of which a request's bounds would know.
#[tokio::test]
async fn a_receiver_that_sends_session_tickets_without_end_is_read_no_further() {
    for (tickets, end) in [
        (32, ("delivered", Some(200))),
        (33, ("tls_error", None)),
        (2_000, ("tls_error", None)),
    ] {
        let authority = Authority::new("ours");
        let acceptor = authority.vouch_for(&["127.0.0.1"]).acceptor_with_tickets(tickets);
        let peer = Peer::listen("127.0.0.1:0", Some(acceptor), Talk::be_kind).await;
        let rig = Rig::with(loopback(), resolver(9, &[]), Some(&authority.pem()), LONG);
        let tried = rig.attempt(&peer.https_url("127.0.0.1")).await;
        assert_eq!(tried.end(), end, "{tickets}: {tried:?}");
        if end.1.is_none() {
            assert!(tried.error().contains("32 TLS session tickets"), "{tried:?}");
        }
    }
}

/// What their requests had needed came by another connection meanwhile.
#[tokio::test]
async fn connections_that_hang_hold_no_places_when_their_requests_are_over() {
    const AT_ONCE: usize = 4;
    let authority = Authority::new("ours");
    let acceptor = authority.vouch_for(&["127.0.0.1"]).acceptor();
    let answering = watch::Sender::new(false);
    let gate = answering.subscribe();
    let receiver = Peer::listen("127.0.0.1:0", Some(acceptor), move |mut talk| {
        let mut gate = gate.clone();
        async move {
            while talk.request().await.is_some() {
                drop(gate.wait_for(|is_open| *is_open).await);
                talk.say(OK).await;
            }
        }
    })
    .await;
    // Before it stands a wire that carries one connection, and takes the others and says nothing.
    let there = Arc::new(format!("127.0.0.1:{}", receiver.port()));
    let wire = Peer::start(move |talk: Talk| {
        let there = Arc::clone(&there);
        async move {
            match talk.number {
                1 => talk.carry_to(&there).await,
                _ => talk.fall_silent().await,
            }
        }
    })
    .await;
    let rig = Rig::with(loopback(), resolver(9, &[]), Some(&authority.pem()), LONG);
    let url = wire.https_url("127.0.0.1");
    let first = {
        let (rig, url) = (rig.clone(), url.clone());
        tokio::spawn(async move { deliver(&rig, &url).await })
    };
    eventually(SOON, "the first request", async || {
        (receiver.posts() == 1).then_some(())
    })
    .await;
    let others: Vec<_> = (1..AT_ONCE)
        .map(|_| {
            let (rig, url) = (rig.clone(), url.clone());
            tokio::spawn(async move { deliver(&rig, &url).await })
        })
        .collect();
    eventually(SOON, "a connection for each", async || {
        (wire.connections() == AT_ONCE).then_some(())
    })
    .await;
    answering.send_replace(true);
    for one in others.into_iter().chain([first]) {
        one.await.unwrap();
    }
    wire.is_left(AT_ONCE - 1, LONG / 4).await;
    assert_eq!(receiver.posts(), AT_ONCE);
}
