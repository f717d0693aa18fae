//! Names: what the check lets pass is looked up letter by letter, what could not be is refused by the check; for how
//! long an answer counts, and how long one is waited for.

use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hookline_dispatcher::client::{ClientSettings, Resolver};
use hookline_tests::cli::{objects, out, run};
use hookline_tests::endpoint::{Endpoint, file};
use hookline_tests::hostile::certificates::Authority;
use hookline_tests::hostile::names::Question;
use hookline_tests::hostile::rig::{LONG, MAX_CONNECTIONS, SHORT, policy};
use hookline_tests::hostile::{NameServer, Peer, Reply, Rig, Talk, a};
use hookline_tests::{eventually, scenario};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::SOON;

const NAME: &str = "hooks.example.com";
const HERE: &str = "127.0.0.2";

/// Hosts as they stand in URLs, and the names that they are.
const LOOKED_UP: &[(&str, &str)] = &[
    ("hooks.example.com", "hooks.example.com"),
    ("Hooks.Example.COM.", "hooks.example.com"),
    ("my_hook.example.com", "my_hook.example.com"),
    ("a_b.c_d.example.com", "a_b.c_d.example.com"),
    ("_a.example.com", "_a.example.com"),
    ("a_.example.com", "a_.example.com"),
    ("_.example.com", "_.example.com"),
    ("a.b_c", "a.b_c"),
    ("a--b.example.com", "a--b.example.com"),
    ("1.2.3.4.example.com", "1.2.3.4.example.com"),
    ("0x7f.example.com", "0x7f.example.com"),
    ("3-4.example.com", "3-4.example.com"),
    ("bücher.example.com", "xn--bcher-kva.example.com"),
    ("xn--bcher-kva.example.com", "xn--bcher-kva.example.com"),
    ("straße.example.com", "xn--strae-oqa.example.com"),
    ("日本.example.com", "xn--wgv71a.example.com"),
    (
        "a.b.c.d.e.f.g.h.i.j.k.l.m.n.example.com",
        "a.b.c.d.e.f.g.h.i.j.k.l.m.n.example.com",
    ),
];

/// What could never be looked up, or spoken TLS to.
const REFUSED: &[&str] = &[
    "-a.example.com",
    "a-.example.com",
    "a.-b.example.com",
    "a.b-.example.com",
    "-.example.com",
    "a.example.com-",
    "a..example.com",
    ".example.com",
    "*.example.com",
    "a!b.example.com",
    "a$b.example.com",
    "a'b.example.com",
    "a(b).example.com",
    "a,b.example.com",
    "a;b.example.com",
    "a=b.example.com",
    "a~b.example.com",
    "xn--a.example.com",
    "1.0.0.127.in-addr.arpa",
];

fn label(letter: &str) -> String {
    letter.repeat(63)
}

/// The longest names, and names that are a letter longer.
fn at_the_edge() -> ([String; 2], [String; 2]) {
    let (a, b, c) = (label("a"), label("b"), label("c"));
    let with_last = |last: usize| format!("{a}.{b}.{c}.{}", "d".repeat(last));
    (
        [with_last(61), format!("{a}.example.com")],
        [with_last(62), format!("{a}a.example.com")],
    )
}

#[tokio::test]
async fn every_name_that_the_check_lets_pass_is_looked_up_as_it_is_and_no_other_is() {
    scenario(async |world| {
        let (longest, too_long) = at_the_edge();
        let names = NameServer::start(|question, _| Reply::Records(vec![a(&question.name, HERE)])).await;
        let peer = Peer::listen(&format!("{HERE}:0"), None, Talk::be_kind).await;
        let rig = Rig::with(policy(&["127.0.0.2/32"]), names.resolver(), None, LONG);
        let url = |host: &str| format!("http://{host}:{}/hook", peer.port());
        let path = world.path("names.toml");
        let path = path.to_str().unwrap();
        let check = ["endpoints", "check", path, "--allow-http", "true", "--json"];

        let longest = longest.iter().map(|name| (name.as_str(), name.as_str()));
        let looked_up: Vec<_> = LOOKED_UP.iter().copied().chain(longest).collect();
        let endpoints: Vec<_> = (looked_up.iter().enumerate())
            .map(|(number, (host, _))| Endpoint::at(&format!("ep_{number}"), &url(host)))
            .collect();
        std::fs::write(path, file(&endpoints)).unwrap();
        let rows = objects(world, &check).await;
        assert_eq!(rows.len(), looked_up.len());
        for ((host, name), row) in looked_up.iter().zip(rows) {
            assert_eq!(row["host"], **name, "{host}");
            let tried = rig.attempt(&url(host)).await;
            assert_eq!(tried.end(), ("delivered", Some(200)), "{host}: {tried:?}");
            for kind in ["A", "AAAA"] {
                let question = Question {
                    name: (*name).to_owned(),
                    kind: kind.to_owned(),
                };
                assert!(names.asked().contains(&question), "{kind} of {name}");
            }
        }

        let asked = names.asked().len();
        let refused: Vec<_> = REFUSED
            .iter()
            .copied()
            .chain(too_long.iter().map(String::as_str))
            .collect();
        let endpoints: Vec<_> = (refused.iter().enumerate())
            .map(|(number, host)| Endpoint::at(&format!("ep_{number}"), &url(host)))
            .collect();
        std::fs::write(path, file(&endpoints)).unwrap();
        let output = run(world, &check).await;
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(out(&output).lines().count(), refused.len(), "{}", out(&output));
        for host in refused {
            let tried = rig.attempt(&url(host)).await;
            assert_eq!(tried.end(), ("blocked", None), "{host}: {tried:?}");
        }
        assert_eq!(
            names.asked().len(),
            asked,
            "nobody was asked about a name that is refused"
        );
    })
    .await;
}

#[tokio::test]
async fn a_name_with_underscores_can_be_certified_and_is_spoken_tls_to() {
    let name = "a_b.c_d.example.com";
    let authority = Authority::new("ours");
    let names = NameServer::knowing(vec![a(name, HERE)]).await;
    let acceptor = authority.vouch_for(&[name]).acceptor();
    let peer = Peer::listen(&format!("{HERE}:0"), Some(acceptor), Talk::be_kind).await;
    let rig = Rig::with(
        policy(&["127.0.0.2/32"]),
        names.resolver(),
        Some(&authority.pem()),
        LONG,
    );
    let tried = rig.attempt(&peer.https_url(name)).await;
    assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
    assert_eq!(peer.server_names(), [Some(name.to_owned())]);
}

#[tokio::test]
async fn that_a_name_is_not_there_counts_for_half_a_minute_whatever_its_zone_wishes() {
    let begun = Instant::now();
    let names = NameServer::start(move |question, _| match question.kind.as_str() {
        // The name is there from the fifth second on.
        "A" if begun.elapsed() > Duration::from_secs(5) => Reply::Records(vec![a(NAME, HERE)]),
        _ => Reply::Absent { ttl_s: 3600 },
    })
    .await;
    let peer = Peer::listen(&format!("{HERE}:0"), None, Talk::be_kind).await;
    let rig = Rig::with(policy(&["127.0.0.2/32"]), names.resolver(), None, LONG);
    let url = format!("http://{NAME}:{}/hook", peer.port());
    assert_eq!(rig.attempt(&url).await.end(), ("dns_error", None));
    let asked = names.asked().len();
    assert_eq!(rig.attempt(&url).await.end(), ("dns_error", None));
    assert_eq!(names.asked().len(), asked, "it is remembered for a while");
    // Sixty seconds are when the first retry comes, and its zone wishes an hour.
    eventually(SOON, "the name is looked up again", async || {
        (rig.attempt(&url).await.end() == ("delivered", Some(200))).then_some(())
    })
    .await;
    assert_eq!(peer.posts(), 1);
}

#[tokio::test]
async fn an_answer_that_takes_ten_seconds_is_used() {
    let names = NameServer::start(|question, before| {
        let reply = match question.kind.as_str() {
            "A" => Reply::Records(vec![a(NAME, HERE)]),
            _ => Reply::Records(Vec::new()),
        };
        // The first question alone is ever answered.
        match before {
            0 => Reply::Late(Duration::from_secs(10), Box::new(reply)),
            _ => Reply::Nothing,
        }
    })
    .await;
    let peer = Peer::listen(&format!("{HERE}:0"), None, Talk::be_kind).await;
    let rig = Rig::with(policy(&["127.0.0.2/32"]), names.resolver(), None, LONG);
    let tried = rig.attempt(&format!("http://{NAME}:{}/hook", peer.port())).await;
    assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
}

#[tokio::test]
async fn questions_that_get_lost_are_asked_again() {
    let names = NameServer::start(|question, before| match question.kind.as_str() {
        // As many as the library sends by itself in the first second or two.
        _ if before < 3 => Reply::Nothing,
        "A" => Reply::Records(vec![a(NAME, HERE)]),
        _ => Reply::Records(Vec::new()),
    })
    .await;
    let peer = Peer::listen(&format!("{HERE}:0"), None, Talk::be_kind).await;
    let rig = Rig::with(policy(&["127.0.0.2/32"]), names.resolver(), None, LONG);
    let tried = rig.attempt(&format!("http://{NAME}:{}/hook", peer.port())).await;
    assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
}

#[tokio::test]
async fn of_three_name_servers_one_is_enough() {
    let silent = [
        NameServer::start(|_, _| Reply::Nothing).await,
        NameServer::start(|_, _| Reply::Nothing).await,
    ];
    let there = NameServer::knowing(vec![a(NAME, HERE)]).await;
    let servers = silent.iter().chain([&there]).map(|server| {
        let mut connection = ConnectionConfig::udp();
        connection.port = server.port();
        let mut config = NameServerConfig::udp([127, 0, 0, 1].into());
        config.connections = vec![connection];
        config
    });
    let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
    let resolver = Resolver::with_config(config).unwrap();
    let peer = Peer::listen(&format!("{HERE}:0"), None, Talk::be_kind).await;
    // Less time than after which a question is asked again.
    let rig = Rig::with(policy(&["127.0.0.2/32"]), resolver, None, SHORT * 4);
    let tried = rig.attempt(&format!("http://{NAME}:{}/hook", peer.port())).await;
    assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_moves_by_dns_is_followed_under_load_too() {
    const MOVED: &str = "127.0.0.4";
    const SENDERS: usize = 8;
    let (has_moved, moved) = watch::channel(false);
    let names = NameServer::start(move |question, _| match question.kind.as_str() {
        "A" => Reply::Records(vec![a(NAME, if *moved.borrow() { MOVED } else { HERE })]),
        _ => Reply::Records(Vec::new()),
    })
    .await;
    let old = Peer::listen(&format!("{HERE}:0"), None, Talk::be_kind).await;
    let new = Peer::listen(&format!("{MOVED}:{}", old.port()), None, Talk::be_kind).await;
    let policy = policy(&["127.0.0.2/32", "127.0.0.4/32"]);
    let rig = Rig::of(ClientSettings {
        max_connection_age: SHORT,
        ..ClientSettings::new(policy, names.resolver(), LONG, MAX_CONNECTIONS)
    });
    let url = format!("http://{NAME}:{}/hook", old.port());
    let (end, is_over) = watch::channel(false);
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (rig, url, is_over) = (rig.clone(), url.clone(), is_over.clone());
            tokio::spawn(async move {
                // So often that no connection is ever idle for long.
                while !*is_over.borrow() {
                    let answer = rig.send(&url, "{}").await;
                    assert!(answer.is_ok(), "{:?}", answer.err());
                    sleep(Duration::from_millis(5)).await;
                }
            })
        })
        .collect();
    eventually(SOON, "the load", async || (old.posts() > 100).then_some(())).await;
    assert_eq!(new.posts(), 0);
    has_moved.send_replace(true);
    loop {
        let connections = old.connections();
        old.is_left(connections, SOON).await;
        if old.connections() == connections {
            break;
        }
    }
    let (at_old, at_new) = (old.posts(), new.posts());
    eventually(SOON, "everything goes to where the receiver is now", async || {
        (new.posts() > at_new + 100).then_some(())
    })
    .await;
    assert_eq!(old.posts(), at_old);
    end.send_replace(true);
    for sender in senders {
        sender.await.unwrap();
    }
}
