//! However an address is spelt.

use hookline_common::outcome::Outcome;
use hookline_tests::hostile::rig::{LONG, policy};
use hookline_tests::hostile::{NameServer, Peer, Reply, Rig, Talk, a, aaaa};

use super::tables::{REFUSED_SPELLINGS, REFUSED_V4, REFUSED_V6};
use super::{BAD, BLOCKED, literal, url};

#[tokio::test]
async fn b32_b53_however_a_host_is_spelt_it_is_blocked_at_each_attempt_without_a_question() {
    let names = NameServer::start(|question, _| Reply::Records(vec![a(&question.name, BAD)])).await;
    let local = Peer::listen("0.0.0.0:0", None, Talk::be_kind).await;
    let rig = Rig::with(policy(&[]), names.resolver(), None, LONG);
    let literals = REFUSED_V4
        .iter()
        .chain(REFUSED_V6)
        .map(|address| literal(address));
    let spelt = REFUSED_SPELLINGS.iter().map(|host| (*host).to_owned());
    for host in literals.chain(spelt) {
        let tried = rig.attempt(&url(&host, &local)).await;
        assert_eq!(tried.end(), ("blocked", None), "{host}: {tried:?}");
        assert_eq!(tried.error(), BLOCKED, "{host}");
    }
    for text in [
        "gopher://127.0.0.1:70/_x",
        "file:///etc/passwd",
        "//127.0.0.1/",
        "",
        "http://@/",
        "http://127.0.0.1:80:80/",
        "https://example.com#@127.0.0.1/",
        "http://exa\tmple.com/",
        "http://example.com/a\r\nHost: evil",
        "http://example.com:25/",
        "http://example.com:6379/",
    ] {
        let tried = rig.attempt(text).await;
        assert_eq!(
            (tried.end(), tried.error()),
            (("blocked", None), BLOCKED),
            "{text:?}"
        );
    }
    assert_eq!((names.asked().len(), local.connections()), (0, 0));
}

#[tokio::test]
async fn b32_b53_past_the_url_rule_the_connection_refuses_them_all_the_same() {
    // Whatever is taken for a name, the server says that it is here.
    let names = NameServer::start(|question, _| {
        Reply::Records(vec![a(&question.name, "127.0.0.1"), aaaa(&question.name, "::1")])
    })
    .await;
    let local = Peer::listen("0.0.0.0:0", None, Talk::be_kind).await;
    let rig = Rig::with(policy(&[]), names.resolver(), None, LONG);
    let literals = REFUSED_V4
        .iter()
        .chain(REFUSED_V6)
        .map(|address| literal(address));
    let spelt = REFUSED_SPELLINGS.iter().map(|host| (*host).to_owned());
    for host in literals.chain(spelt) {
        let url = url(&host, &local);
        // What is no request target at all cannot even be asked for.
        if url.parse::<hyper::Uri>().is_err() {
            continue;
        }
        let failure = rig.past_the_url_rule(&url).await.expect_err(&host);
        assert!(
            matches!(failure.outcome, Outcome::Blocked | Outcome::DnsError),
            "{host}: {failure:?}"
        );
    }
    assert_eq!(local.connections(), 0);
}
