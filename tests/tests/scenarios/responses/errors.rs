//! What is said about a failure is short, whatever the receiver puts into it.

use hookline_tests::hostile::certificates::Authority;
use hookline_tests::hostile::rig::{LONG, loopback};
use hookline_tests::hostile::{NameServer, Peer, Rig, Talk, a};

/// Seen before: 45 KB in the log and in each record.
#[tokio::test]
async fn a_certificate_with_550_names_fills_no_record() {
    let name = "hooks.example.com";
    let names: Vec<String> = (0..550)
        .map(|number| format!("{number}.{}.example.net", "a".repeat(60)))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let authority = Authority::new("ours");
    let acceptor = authority.vouch_for(&names).acceptor();
    let peer = Peer::listen("127.0.0.1:0", Some(acceptor), Talk::be_kind).await;
    let server = NameServer::knowing(vec![a(name, "127.0.0.1")]).await;
    let rig = Rig::with(loopback(), server.resolver(), Some(&authority.pem()), LONG);
    let tried = rig.attempt(&peer.https_url(name)).await;
    assert_eq!(tried.end(), ("tls_error", None), "{tried:?}");
    assert!(tried.error().contains("certificate"), "{tried:?}");
    let characters = tried.error().chars().count();
    assert!(characters <= 500, "{characters}");
    assert!(tried.error().ends_with('…'), "{tried:?}");
}
