//! Where a connection may go: whatever name servers say, and however an address is spelt, nothing leaves for a place
//! that is not allowed.

use std::net::IpAddr;
use std::time::Duration;

use hookline_common::guard::Policy;
use hookline_common::outcome::Outcome;
use hookline_dispatcher::client::Resolver;
use hookline_tests::eventually;
use hookline_tests::hostile::namespace::{self, Counts};
use hookline_tests::hostile::rig::{policy, resolver};
use hookline_tests::hostile::{NameServer, Peer, Reply, Rig, Talk, a, aaaa, cname};
use tokio::net::{TcpSocket, TcpStream};

use crate::SOON;

/// A name that nothing is wrong with.
const NAME: &str = "hooks.example.com";
/// The request timeout where it is what ends the attempt.
const SHORT: Duration = Duration::from_secs(1);
/// The request timeout where it must not be what ends the attempt.
const LONG: Duration = Duration::from_secs(30);
/// What an attempt that ends by itself may take on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How far from its time a timeout may be.
const TOLERANCE: Duration = Duration::from_millis(500);
/// What the endpoint's owner is told of a refusal: the same of each.
const BLOCKED: &str = "the URL or its address is not allowed";

/// Stands for the public internet: the one address that the rules here let through.
const GOOD: &str = "127.0.0.2";
/// Stands for what is inside.
const BAD: &str = "127.0.0.3";

/// IPv4 addresses that are refused, the first and the last of each network among them.
const REFUSED_V4: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.0",
    "127.0.0.1",
    "127.127.127.127",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.192",
    "192.0.0.9",
    "192.0.0.255",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
];

/// The neighbours of those networks, and well-known ones.
const ALLOWED_V4: &[&str] = &[
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "192.31.196.1",
    "192.52.193.1",
    "192.175.48.1",
    "1.1.1.1",
    "8.8.8.8",
];

/// IPv6 addresses that are refused.
const REFUSED_V6: &[&str] = &[
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:1ff::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
    "2001:db8::1",
    "3fff::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd7a:115c:a1e0::1",
    "fc00::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "1fff::1",
    "4000::1",
];

/// IPv6 addresses that are not.
const ALLOWED_V6: &[&str] = &[
    "2003::1",
    "2001:db7:ffff::1",
    "3fff:1000::1",
    "2620:4f:8000::6",
    "2606:4700:4700::1111",
    "2001:200::1",
];

/// What stands between `http://` and the port, and must not lead anywhere.
const REFUSED_SPELLINGS: &[&str] = &[
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "2852039166",
    "169.254.43518",
    "169.16689662",
    "0251.0376.0251.0376",
    "0251.00376.000251.0000376",
    "0251.254.169.254",
    "425.510.425.510",
    "7147006462",
    "0x41414141A9FEA9FE",
    "256.1.1.1",
    "1.2.3.4.5",
    "09.0.0.1",
    "0o177.0.0.1",
    "foo.0x4",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "１２７.0.0.1",
    "%31%32%37.0.0.1",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[127.0.0.1]",
    "[::1].",
    "[[::1]]",
    "u:p@127.0.0.1",
    "example.com@127.0.0.1",
    "127.0.0.1%2f@example.com",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "foo.localhost",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "localhost.localdomain",
    "ip6-loopback",
    "metadata",
    "metadata.google.internal",
    "kubernetes.default.svc",
    "host.docker.internal",
    "rabbitmq",
    "postgres",
    "x.local",
    "x.home.arpa",
    "x.cluster.local",
    "x.lan",
    "x.corp",
    "x.onion",
    "x.test",
    "x.invalid",
];

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

/// What one attempt at `NAME` ends in, where the server says this.
async fn assert_blocked(records: Vec<hookline_tests::hostile::names::Record>) {
    let what = format!("{records:?}");
    let names = NameServer::knowing(records).await;
    let (good, bad) = good_and_bad(Talk::be_kind).await;
    let tried = rig(&names, LONG).attempt(&url(NAME, &good)).await;
    assert_eq!(tried.end(), ("blocked", None), "{what}");
    assert_eq!(tried.error(), BLOCKED, "the owner learns nothing of our network");
    assert!(tried.took < AT_ONCE, "{what}: {tried:?}");
    assert_eq!((good.connections(), bad.connections()), (0, 0), "{what}");
}

#[tokio::test]
async fn b54_a_name_with_an_address_that_is_not_allowed_is_blocked() {
    for address in REFUSED_V4.iter().filter(|address| **address != GOOD) {
        assert_blocked(vec![a(NAME, address)]).await;
    }
    for address in REFUSED_V6 {
        assert_blocked(vec![aaaa(NAME, address)]).await;
    }
}

#[tokio::test]
async fn b55_one_bad_address_refuses_the_whole_answer() {
    assert_blocked(vec![a(NAME, GOOD), a(NAME, BAD)]).await;
    assert_blocked(vec![a(NAME, BAD), a(NAME, GOOD)]).await;
    assert_blocked(vec![a(NAME, GOOD), aaaa(NAME, "fd00::1")]).await;
    assert_blocked(vec![a(NAME, GOOD), aaaa(NAME, "::ffff:127.0.0.2")]).await;
    assert_blocked(vec![a(NAME, "10.0.0.1"), aaaa(NAME, "2606:4700:4700::1111")]).await;
    let mut many: Vec<_> = (0..20).map(|_| a(NAME, GOOD)).collect();
    many.push(a(NAME, BAD));
    assert_blocked(many).await;
}

#[tokio::test]
async fn b56_another_name_leads_nowhere_that_its_addresses_may_not() {
    assert_blocked(vec![cname(NAME, "localhost")]).await;
    assert_blocked(vec![cname(NAME, "x.localhost")]).await;
    assert_blocked(vec![cname(NAME, "db.internal"), a("db.internal", "10.0.0.1")]).await;
    assert_blocked(vec![
        cname(NAME, "a.example.net"),
        a("a.example.net", GOOD),
        a("a.example.net", BAD),
    ])
    .await;
    assert_blocked(chain(12, BAD)).await;
}

/// `NAME` is another name of another name …, and the last one has this address.
fn chain(length: usize, address: &str) -> Vec<hookline_tests::hostile::names::Record> {
    let name = |link: usize| {
        if link == 0 {
            NAME.to_owned()
        } else {
            format!("l{link}.example.net")
        }
    };
    let mut records: Vec<_> = (0..length)
        .map(|link| cname(&name(link), &name(link + 1)))
        .collect();
    records.push(a(&name(length), address));
    records
}

#[tokio::test]
async fn b56_a_chain_told_link_by_link_and_a_loop_are_given_up_soon() {
    let looped = vec![cname(NAME, "b.example.net"), cname("b.example.net", NAME)];
    let selfish = vec![cname(NAME, NAME)];
    for records in [chain(12, BAD), chain(200, GOOD), looped, selfish] {
        let records_there = records.clone();
        // One link for each question.
        let names = NameServer::start(move |question, _| {
            let mut here = records_there.clone();
            here.retain(|record| record.name() == question.name);
            if here.is_empty() {
                Reply::Code(3)
            } else {
                Reply::Records(here)
            }
        })
        .await;
        let (good, bad) = good_and_bad(Talk::be_kind).await;
        let tried = rig(&names, LONG).attempt(&url(NAME, &good)).await;
        assert!(
            matches!(tried.record.outcome, Outcome::DnsError | Outcome::Blocked),
            "{tried:?}"
        );
        assert!(tried.took < AT_ONCE, "{tried:?}");
        assert!(names.asked().len() <= 40, "{} questions", names.asked().len());
        assert_eq!((good.connections(), bad.connections()), (0, 0));
    }
    // The whole loop in one answer.
    let names = NameServer::knowing(vec![cname(NAME, "b.example.net"), cname("b.example.net", NAME)]).await;
    let tried = rig(&names, LONG).attempt(&format!("http://{NAME}/")).await;
    assert_eq!(tried.end(), ("dns_error", None), "{tried:?}");
    assert!(tried.took < AT_ONCE && names.asked().len() <= 40, "{tried:?}");
}

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

/// An address that takes no further connection and refuses none, as behind a firewall that drops: its queue is full.
struct Hole {
    port: u16,
    _queue: (tokio::net::TcpListener, Vec<TcpStream>),
}

impl Hole {
    async fn at(address: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let there = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(Ok(stream)) = tokio::time::timeout(TOLERANCE, TcpStream::connect(there)).await {
            waiting.push(stream);
        }
        Self {
            port: there.port(),
            _queue: (listener, waiting),
        }
    }
}

#[tokio::test]
async fn b59_where_the_first_address_hangs_the_second_has_its_share_of_the_time() {
    let hole = Hole::at(GOOD).await;
    let second = Peer::listen(&format!("127.0.0.4:{}", hole.port), None, Talk::be_kind).await;
    let names = NameServer::knowing(vec![a(NAME, GOOD), a(NAME, "127.0.0.4")]).await;
    let rig = Rig::with(
        policy(&["127.0.0.2/32", "127.0.0.4/32"]),
        names.resolver(),
        None,
        SHORT,
    );
    let tried = rig.attempt(&url(NAME, &second)).await;
    assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
    assert!(
        tried.took >= SHORT / 2 - TOLERANCE / 10 && tried.took < SHORT,
        "{tried:?}"
    );
}

#[tokio::test]
async fn c01_an_address_that_hangs_is_a_timeout_when_the_time_is_up() {
    let hole = Hole::at(GOOD).await;
    let names = NameServer::knowing(vec![a(NAME, GOOD)]).await;
    let tried = rig(&names, SHORT)
        .attempt(&format!("http://{NAME}:{}/", hole.port))
        .await;
    assert_eq!(tried.end(), ("timeout", None), "{tried:?}");
    assert!(
        tried.took + TOLERANCE / 10 >= SHORT && tried.took <= SHORT + TOLERANCE,
        "{tried:?}"
    );
}

#[tokio::test]
async fn b61_where_the_name_servers_have_no_answer_it_is_a_dns_error_without_their_reason() {
    for reply in [
        Reply::Code(3),
        Reply::Code(2),
        Reply::Code(5),
        Reply::Records(Vec::new()),
    ] {
        let there = reply.clone();
        let names = NameServer::start(move |_, _| there.clone()).await;
        let tried = rig(&names, LONG).attempt(&format!("http://{NAME}/")).await;
        assert_eq!(tried.end(), ("dns_error", None), "{reply:?}: {tried:?}");
        assert_eq!(
            tried.error(),
            "no usable answer from the name servers",
            "{reply:?}"
        );
        assert!(tried.took < AT_ONCE, "{reply:?}: {tried:?}");
        assert!(
            names.asked().len() <= 12,
            "{reply:?}: {} questions",
            names.asked().len()
        );
    }
}

#[tokio::test]
async fn b61_where_the_name_servers_are_away_or_talk_nonsense_it_is_a_dns_error_in_time() {
    let silent = NameServer::start(|_, _| Reply::Nothing).await;
    let noisy = NameServer::start(|_, _| Reply::Noise).await;
    let away = Rig::with(rules(), resolver(9, &[]), None, SHORT);
    for rig in [rig(&silent, SHORT), rig(&noisy, SHORT), away] {
        let tried = rig.attempt(&format!("http://{NAME}/")).await;
        assert_eq!(tried.end(), ("dns_error", None), "{tried:?}");
        assert_eq!(tried.error(), "no usable answer from the name servers");
        assert!(tried.took <= SHORT + TOLERANCE, "{tried:?}");
    }
}

#[tokio::test]
async fn b61_an_answer_of_one_family_is_an_answer() {
    for (kind, reply) in [
        ("AAAA", Reply::Code(2)),
        ("AAAA", Reply::Code(3)),
        ("AAAA", Reply::Records(Vec::new())),
    ] {
        let names = NameServer::start(move |question, _| {
            if question.kind == kind {
                reply.clone()
            } else {
                Reply::Records(vec![a(NAME, GOOD)])
            }
        })
        .await;
        let (good, _bad) = good_and_bad(Talk::be_kind).await;
        let tried = rig(&names, LONG).attempt(&url(NAME, &good)).await;
        assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
    }
}

#[tokio::test]
async fn b61_names_that_hang_hold_up_no_other() {
    let names = NameServer::start(
        |question, _| match (question.name.as_str(), question.kind.as_str()) {
            (NAME, "A") => Reply::Records(vec![a(NAME, GOOD)]),
            (NAME, _) => Reply::Records(Vec::new()),
            _ => Reply::Nothing,
        },
    )
    .await;
    let (good, _bad) = good_and_bad(Talk::be_kind).await;
    let rig = rig(&names, LONG);
    let mut hanging = tokio::task::JoinSet::new();
    for number in 0..300 {
        let rig = rig.clone();
        hanging.spawn(async move { rig.attempt(&format!("http://h{number}.example.org/")).await });
    }
    eventually(SOON, "all of them are asked for", async || {
        (names.asked().len() >= 600).then_some(())
    })
    .await;
    let tried = rig.attempt(&url(NAME, &good)).await;
    assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
    assert!(tried.took < AT_ONCE, "{tried:?}");
    assert!(
        hanging.try_join_next().is_none(),
        "they hang, and are not turned away"
    );
}

#[tokio::test]
async fn b53_b62_a_name_is_asked_for_as_it_stands() {
    let names = NameServer::start(|question, _| {
        // Only with a search domain is there something to be found.
        if question.name == NAME {
            Reply::Code(3)
        } else {
            Reply::Records(vec![a(&question.name, GOOD)])
        }
    })
    .await;
    let resolver = resolver(names.port(), &["corp.example.com", "example.org"]);
    let rig = Rig::with(rules(), resolver, None, LONG);
    let tried = rig.attempt(&format!("http://{NAME}/")).await;
    assert_eq!(tried.end(), ("dns_error", None), "{tried:?}");
    assert!(
        names.asked().iter().all(|question| question.name == NAME),
        "{:?}",
        names.asked()
    );
}

#[tokio::test]
async fn b63_a_kept_connection_outlives_a_name_that_moves_but_no_new_one_is_made() {
    let names = turncoat().await;
    let (good, bad) = good_and_bad(|mut talk| async move {
        for _ in 0..3 {
            talk.request().await;
            talk.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
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

#[tokio::test]
async fn b54_where_every_address_is_ours_not_a_packet_leaves_for_a_refused_one() {
    namespace::run_inside("guard_connect::inside_every_address_is_ours").await;
}

#[tokio::test]
async fn b62_the_machine_s_hosts_file_and_search_list_are_not_consulted() {
    namespace::run_inside("guard_connect::inside_resolv_conf_is_read_and_hosts_is_not").await;
}

#[tokio::test]
#[ignore = "b54 runs it, in a network of its own"]
async fn inside_every_address_is_ours() {
    namespace::assert_inside();
    let names = NameServer::start(|question, _| {
        // v4-10-0-0-1.example.com and v6-fd00--1.example.com say themselves where they are.
        let host = question.name.trim_end_matches(".example.com");
        match (
            host.strip_prefix("v4-"),
            host.strip_prefix("v6-"),
            question.kind.as_str(),
        ) {
            (Some(text), _, "A") => Reply::Records(vec![a(&question.name, &text.replace('-', "."))]),
            (_, Some(text), "AAAA") => Reply::Records(vec![aaaa(&question.name, &text.replace('-', ":"))]),
            _ => Reply::Records(Vec::new()),
        }
    })
    .await;
    let everywhere = Peer::listen("[::]:8080", None, once).await;
    let rig = Rig::with(policy(&[]), names.resolver(), None, SHORT);

    // The oracle sees what there is to be seen.
    for address in ALLOWED_V4.iter().chain(ALLOWED_V6) {
        let before = Counts::now();
        let status = rig.past_the_url_rule(&url(&literal(address), &everywhere)).await;
        assert_eq!(status.ok(), Some(200), "{address}");
        let after = Counts::now();
        assert_eq!(after.connects - before.connects, 1, "{address}");
        assert!(after.packets > before.packets, "{address}");
    }
    let heard = everywhere.connections();
    assert_eq!(heard, ALLOWED_V4.len() + ALLOWED_V6.len());

    // Literal addresses: not a packet of any kind.
    everywhere_is_quiet().await;
    let before = Counts::now();
    for address in REFUSED_V4.iter().chain(REFUSED_V6) {
        let url = url(&literal(address), &everywhere);
        let failure = rig.past_the_url_rule(&url).await.expect_err(address);
        assert_eq!(failure.outcome, Outcome::Blocked, "{address}");
        assert_eq!(rig.attempt(&url).await.end(), ("blocked", None), "{address}");
        assert_eq!(Counts::now(), before, "{address}: a packet was sent");
    }

    // Names: the questions for them, and not one connection.
    for address in REFUSED_V4.iter().chain(REFUSED_V6) {
        let written: IpAddr = address.parse().unwrap();
        let name = match written {
            IpAddr::V4(_) => format!("v4-{}.example.com", address.replace('.', "-")),
            IpAddr::V6(v6) => {
                let groups: Vec<_> = v6.segments().iter().map(|group| format!("{group:x}")).collect();
                format!("v6-{}.example.com", groups.join("-"))
            }
        };
        let tried = rig.attempt(&url(&name, &everywhere)).await;
        assert_eq!(tried.end(), ("blocked", None), "{name}: {tried:?}");
    }
    for host in REFUSED_SPELLINGS {
        assert_eq!(
            rig.attempt(&url(host, &everywhere)).await.end(),
            ("blocked", None),
            "{host}"
        );
        let url = url(host, &everywhere);
        if url.parse::<hyper::Uri>().is_ok() {
            rig.past_the_url_rule(&url).await.expect_err(host);
        }
    }
    assert_eq!(
        Counts::now().connects,
        before.connects,
        "somebody was connected to"
    );
    assert_eq!(everywhere.connections(), heard);
    agrees_with_the_guard(&rig, &everywhere).await;
}

/// Waits until connections that are being closed have said their last packet.
async fn everywhere_is_quiet() {
    let mut before = Counts::now();
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = Counts::now();
        if now == before {
            return;
        }
        before = now;
    }
}

/// Addresses from everywhere: one connection where the guard lets it, none where not.
async fn agrees_with_the_guard(rig: &Rig, everywhere: &Peer) {
    let guard = policy(&[]);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..1_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let address = IpAddr::from(((random >> 32) as u32).to_be_bytes());
        let is_allowed = guard.check_address(address).is_ok();
        let before = Counts::now();
        let result = rig
            .past_the_url_rule(&url(&address.to_string(), everywhere))
            .await;
        assert_eq!(
            Counts::now().connects - before.connects,
            u64::from(is_allowed),
            "{address}"
        );
        assert_eq!(result.is_ok(), is_allowed, "{address}: {result:?}");
    }
}

#[tokio::test]
#[ignore = "b62 runs it, in a network of its own"]
async fn inside_resolv_conf_is_read_and_hosts_is_not() {
    namespace::assert_inside();
    let names = NameServer::listen("127.0.0.1:53", |question, _| match question.name.as_str() {
        NAME => Reply::Records(vec![a(NAME, GOOD)]),
        name if name.ends_with(".search.example.com") => Reply::Records(vec![a(name, GOOD)]),
        _ => Reply::Code(3),
    })
    .await;
    let (good, _bad) = good_and_bad(Talk::be_kind).await;
    let rig = Rig::with(
        policy(&["127.0.0.0/8"]),
        Resolver::from_system().unwrap(),
        None,
        LONG,
    );
    assert_eq!(
        rig.attempt(&url(NAME, &good)).await.end(),
        ("delivered", Some(200)),
        "resolv.conf is read"
    );
    for name in ["only-in-hosts.example.com", "nowhere.example.com", "a.b"] {
        let tried = rig.attempt(&url(name, &good)).await;
        assert_eq!(tried.end(), ("dns_error", None), "{name}: {tried:?}");
        assert!(
            names.asked().iter().any(|question| question.name == name),
            "{name}"
        );
    }
    let searched = names
        .asked()
        .iter()
        .any(|question| question.name.contains("search"));
    assert!(!searched, "{:?}", names.asked());
}
