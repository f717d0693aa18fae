//! Room beside many who wait for it, with real connections.

use std::future::poll_fn;
use std::task::Poll;

use hyper::http::uri::Authority;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::advance;

use super::super::connection::InUse;
use super::super::socket::Stream;
use super::*;

const LONG: Duration = Duration::from_secs(600);

fn target(listener: &TcpListener) -> Target {
    let address = listener.local_addr().expect("it listens").to_string();
    Target {
        is_https: false,
        authority: Authority::from_maybe_shared(address).expect("an authority"),
    }
}

/// A connection of the pool to whoever listens.
#[expect(clippy::disallowed_methods, reason = "the test plays the connector")]
async fn connection(pool: &Arc<Pool>, listener: &TcpListener) -> Connection {
    let Checkout::Wait(waiting) = pool.checkout(&target(listener)) else {
        panic!("none is idle");
    };
    let connecting = waiting.connecting().expect("nobody else connects");
    let places = pool.reserve(1).await.expect("there is room");
    let address = listener.local_addr().expect("it listens");
    let stream = TcpStream::connect(address).await.expect("it listens");
    let open = connecting.succeeded(places);
    let (host, id) = (open.host, open.id);
    Connection::start(Stream::Plain(stream), host, id, LONG, None, open)
        .await
        .expect("a connection")
}

#[tokio::test]
async fn what_one_who_waits_relies_on_is_counted_for_nobody_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let pool = Pool::new(4, 4, usize::MAX);
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(connection(&pool, &listener).await);
    }
    let too_old = connections.remove(0);
    pool.hosts().let_go(too_old.id);
    for idle in connections {
        pool.put(idle);
    }
    // The first relies on the one that is about to close; each of the others needs one that is idle.
    let reserving = async {
        tokio::join!(
            pool.reserve(1),
            pool.reserve(1),
            pool.reserve(1),
            pool.reserve(1),
            pool.reserve(1)
        )
    };
    let (first, second, third, fourth, fifth) = tokio::join!(reserving, async { drop(too_old) }).0;
    let held = [first, second, third, fourth].map(|reserved| reserved.expect("there is room for four"));
    assert!(matches!(fifth, Err(Shortage::Connections)), "and for no more");
    assert_eq!(pool.hosts().idle(), 0);
    drop(held);
    assert!(pool.reserve(4).await.is_ok(), "all is free again");
}

#[tokio::test]
async fn idle_connections_stay_where_there_would_not_be_room_without_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let pool = Pool::new(3, 3, usize::MAX);
    let in_use = [
        connection(&pool, &listener).await,
        connection(&pool, &listener).await,
    ];
    let idle = connection(&pool, &listener).await;
    pool.put(idle);
    assert!(matches!(pool.reserve(2).await, Err(Shortage::Connections)));
    assert_eq!(pool.hosts().idle(), 1, "it is of use to others");
    assert!(pool.reserve(1).await.is_ok());
    drop(in_use);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_used_for_no_longer_than_its_receiver_keeps_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let pool = Pool::new(4, 4, usize::MAX);
    let (long, mut short) = (
        connection(&pool, &listener).await,
        connection(&pool, &listener).await,
    );
    let (long_id, short_id) = (long.id, short.id);
    short.idle_time = Duration::from_secs(4);
    let checked_out = || match pool.checkout(&target(&listener)) {
        Checkout::Idle(connection) => Some(connection),
        Checkout::Wait(_) => None,
    };
    pool.put(long);
    pool.put(short);
    advance(Duration::from_millis(3999)).await;
    let short = checked_out().expect("its time is not over");
    assert_eq!(short.id, short_id, "the one that became idle last");
    pool.put(short);
    advance(Duration::from_secs(4)).await;
    let long = checked_out().expect("the other has its time");
    assert_eq!(long.id, long_id);
    assert!(checked_out().is_none());

    // Used only at once.
    let mut at_once = long;
    at_once.idle_time = Duration::ZERO;
    let Checkout::Wait(mut waiting) = pool.checkout(&target(&listener)) else {
        panic!("none is idle");
    };
    pool.put(at_once);
    let at_once = waiting.handed().expect("whoever waits has it");
    assert_eq!(at_once.id, long_id);
    pool.put(at_once);
    assert!(checked_out().is_none());
    assert_eq!(pool.hosts().idle(), 0);
}

#[tokio::test]
async fn those_who_give_up_while_they_wait_take_no_room_with_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let pool = Pool::new(8, 8, usize::MAX);
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(connection(&pool, &listener).await);
    }
    for connection in &connections {
        pool.hosts().let_go(connection.id);
    }
    let reserve = || {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { pool.reserve(1).await })
    };
    let mut given_up: Vec<_> = (0..8).map(|_| reserve()).collect();
    // Until all of them stand in the line.
    while pool.room.missing() < 8 {
        tokio::task::yield_now().await;
    }
    for task in given_up.drain(..4) {
        task.abort();
    }
    drop(connections);
    for task in given_up {
        assert!(task.await.expect("it ends").is_ok());
    }
    let mut all = None;
    while all.is_none() {
        all = pool.reserve(8).await.ok();
        tokio::task::yield_now().await;
    }
}

/// What hyper was seen to do: such a request comes back when nobody can hand another to the connection, and not before.
#[tokio::test]
async fn a_request_that_a_connection_leaves_unanswered_at_its_end_comes_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let pool = Pool::new(1, 1, usize::MAX);
    let connection = connection(&pool, &listener).await;
    let held = Arc::downgrade(&connection.interim);
    drop(listener);
    let sending = poll_fn(|_| {
        if held.strong_count() == 0 {
            Poll::Ready("unsent")
        } else {
            Poll::Pending
        }
    });
    let mut in_use = InUse::new(connection);
    assert_eq!(in_use.answered(sending).await, "unsent");
    assert!(in_use.into_connection().is_none());
}
