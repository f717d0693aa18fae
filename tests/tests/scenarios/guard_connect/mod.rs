//! Where a connection may go: whatever name servers say, and however an address is spelt, nothing leaves for a place
//! that is not allowed.

mod answers;
mod attempts;
mod nowhere;
mod spellings;
mod tables;

use std::time::Duration;

use hookline_common::guard::Policy;
use hookline_tests::hostile::rig::policy;
use hookline_tests::hostile::{NameServer, Peer, Rig, Talk};

/// A name that nothing is wrong with.
const NAME: &str = "hooks.example.com";

/// What the endpoint's owner is told of a refusal: the same of each.
const BLOCKED: &str = "the URL or its address is not allowed";

/// Stands for the public internet: the one address that the rules here let through.
const GOOD: &str = "127.0.0.2";

/// Stands for what is inside.
const BAD: &str = "127.0.0.3";

/// Rules that let [`GOOD`] through, and nothing else of ours.
fn rules() -> Policy {
    policy(&["127.0.0.2/32"])
}

fn rig(names: &NameServer, timeout: Duration) -> Rig {
    Rig::with(rules(), names.resolver(), None, timeout)
}

/// A receiver at [`GOOD`], and one at [`BAD`] on the same port that nobody should ever come to.
async fn good_and_bad<F>(script: impl Fn(Talk) -> F + Send + Sync + 'static) -> (Peer, Peer)
where
    F: Future<Output = ()> + Send + 'static,
{
    let good = Peer::listen(&format!("{GOOD}:0"), None, script).await;
    let bad = Peer::listen(&format!("{BAD}:{}", good.port()), None, Talk::be_kind).await;
    (good, bad)
}

/// Answers once and closes, so that the next attempt has to connect anew.
async fn once(mut talk: Talk) {
    talk.request().await;
    talk.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .await;
    talk.close().await;
}

fn url(host: &str, peer: &Peer) -> String {
    format!("http://{host}:{}/hook", peer.port())
}

/// A literal address as it stands in a URL.
fn literal(address: &str) -> String {
    if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}
