//! Receivers that break the rules: what each becomes, in how much time, and that none of them gets a second POST, a
//! connection to somewhere else, or more of our time than its share.

mod bodies;
mod connections;
mod errors;
mod heads;
mod interim;
mod schedule;
mod statuses;

use std::time::Duration;

use hookline_tests::hostile::rig::AT_ONCE;
use hookline_tests::hostile::{Peer, Rig, Talk, Tried};

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
    assert!(tried.paced < AT_ONCE, "{tried:?}");
    tried
}
