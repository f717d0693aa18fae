//! Where everything leaves through the operator's own proxy: by CONNECT, with the same requests and the same rules; and what
//! is wrong with the proxy itself costs no receiver an attempt.

use std::time::Duration;

use hookline_common::guard::Policy;
use hookline_common::topology::Queue;
use hookline_dispatcher::client::{ClientSettings, EgressProxy, ProxyCredentials, SendError, Shortage};
use hookline_tests::endpoint::Endpoint;
use hookline_tests::hostile::certificates::Authority;
use hookline_tests::hostile::rig::{AT_ONCE, LONG, MAX_CONNECTIONS, SHORT, policy, resolver};
use hookline_tests::hostile::{NameServer, Peer, Reply, Rig, Tunnel, WebProxy};
use hookline_tests::ports::free_port;
use hookline_tests::{eventually, scenario};
use tokio::net::TcpListener;

use crate::SOON;

const NAME: &str = "a_b.hooks.example.com";

/// A client whose connections all leave through `proxy`, and that has nobody to ask for addresses.
fn behind(proxy: &str, ca_pem: Option<&str>, timeout: Duration) -> Rig {
    // Only the proxy can reach anything here.
    behind_with(policy(&[]), proxy, ca_pem, timeout)
}

fn behind_with(policy: Policy, proxy: &str, ca_pem: Option<&str>, timeout: Duration) -> Rig {
    Rig::of(ClientSettings {
        proxy: Some(EgressProxy::parse(proxy, None).unwrap()),
        ca_pem: ca_pem.map(str::to_owned),
        ..ClientSettings::new(policy, resolver(9, &[]), timeout, MAX_CONNECTIONS)
    })
}

/// A proxy that leads everybody to `peer`, wherever they wanted to go.
async fn leading_to(peer: &Peer) -> WebProxy {
    let there = format!("127.0.0.1:{}", peer.port());
    WebProxy::start(move |_, _| Tunnel::To(there.clone())).await
}

#[tokio::test]
async fn http_and_https_leave_by_connect_and_requests_are_as_they_always_are() {
    let authority = Authority::new("ours");
    let acceptor = authority.vouch_for(&[NAME]).acceptor();
    for is_https in [false, true] {
        let tls = is_https.then(|| acceptor.clone());
        let peer = Peer::listen("127.0.0.1:0", tls, |talk| talk.be_kind()).await;
        let proxy = leading_to(&peer).await;
        let rig = behind(&proxy.url(), Some(&authority.pem()), LONG);
        let scheme = if is_https { "https" } else { "http" };
        for _ in 0..3 {
            let tried = rig.attempt(&format!("{scheme}://{NAME}/hook?a=b")).await;
            assert_eq!(tried.end(), ("delivered", Some(200)), "{tried:?}");
        }
        let port = if is_https { 443 } else { 80 };
        assert_eq!(
            proxy.lines(),
            [format!("CONNECT {NAME}:{port} HTTP/1.1")],
            "one tunnel serves all"
        );
        let asked = &proxy.asked()[0];
        assert_eq!(asked.values("host"), [format!("{NAME}:{port}")]);
        assert_eq!(asked.values("proxy-authorization"), Vec::<&str>::new());
        assert!(!asked.head.contains("webhook"), "{}", asked.head);
        assert_eq!((peer.posts(), peer.connections()), (3, 1));
        let request = &peer.requests()[0];
        assert!(
            request.head.starts_with("POST /hook?a=b HTTP/1.1\r\n"),
            "{}",
            request.head
        );
        assert_eq!(request.values("host"), [NAME]);
        assert!(
            !request.head.to_ascii_lowercase().contains("proxy"),
            "{}",
            request.head
        );
    }
}

#[tokio::test]
async fn literal_addresses_keep_their_brackets_and_other_ports_are_named() {
    let peer = Peer::kind().await;
    let proxy = leading_to(&peer).await;
    let rig = behind(&proxy.url(), None, LONG);
    for url in ["http://1.1.1.1:8080/", "http://[2606:4700:4700::1111]/"] {
        assert_eq!(rig.attempt(url).await.end(), ("delivered", Some(200)), "{url}");
    }
    assert_eq!(
        proxy.lines(),
        [
            "CONNECT 1.1.1.1:8080 HTTP/1.1",
            "CONNECT [2606:4700:4700::1111]:80 HTTP/1.1"
        ]
    );
}

#[tokio::test]
async fn names_are_left_to_the_proxy_and_what_the_guard_can_judge_it_judges() {
    let names = NameServer::start(|_, _| Reply::Code(3)).await;
    let peer = Peer::kind().await;
    let proxy = leading_to(&peer).await;
    let rig = Rig::of(ClientSettings {
        proxy: Some(EgressProxy::parse(&proxy.url(), None).unwrap()),
        ..ClientSettings::new(policy(&[]), names.resolver(), LONG, MAX_CONNECTIONS)
    });
    for url in [
        "http://127.0.0.1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "http://2130706433/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://localhost/",
        "http://metadata.google.internal/",
        "http://proxy/",
        "http://hooks.example.com:6379/",
        "http://hooks.example.com:22/",
    ] {
        assert_eq!(rig.attempt(url).await.end(), ("blocked", None), "{url}");
    }
    for url in ["http://127.0.0.1/", "http://10.0.0.1/", "http://[::1]/"] {
        rig.past_the_url_rule(url).await.expect_err(url);
    }
    assert_eq!(proxy.lines(), Vec::<String>::new());
    assert_eq!(
        rig.attempt("http://hooks.example.com/").await.end(),
        ("delivered", Some(200))
    );
    assert_eq!(names.asked(), [], "the proxy resolves");
}

#[tokio::test]
async fn what_the_proxy_says_of_a_receiver_is_told_as_what_it_is() {
    for (tunnel, words) in [
        (Tunnel::refuse(502, ""), "502 Bad Gateway"),
        (
            Tunnel::refuse(503, "X-Squid-Error: ERR_DNS_FAIL 0\r\n"),
            "503 Service Unavailable",
        ),
        (Tunnel::refuse(403, ""), "403 Forbidden"),
        // Without a challenge: it does not like the destination, whoever we are.
        (Tunnel::refuse(407, ""), "407 Proxy Authentication Required"),
        (
            Tunnel::refuse(302, "Location: http://127.0.0.1/\r\n"),
            "302 Found",
        ),
        (
            Tunnel::Say("SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
            "does not speak HTTP",
        ),
        (Tunnel::HangUp, "hung up"),
    ] {
        let proxy = WebProxy::start(move |_, _| tunnel.clone()).await;
        let tried = behind(&proxy.url(), None, LONG)
            .attempt("http://hooks.example.com/")
            .await;
        assert_eq!(tried.end(), ("connect_error", None), "{words}: {tried:?}");
        assert!(tried.error().contains("egress proxy"), "{tried:?}");
        assert!(tried.error().contains(words), "{words}: {tried:?}");
        assert!(tried.paced < AT_ONCE, "{tried:?}");
        assert_eq!(proxy.asked().len(), 1, "{words}");
    }
    let silent = WebProxy::start(|_, _| Tunnel::Hang).await;
    let tried = behind(&silent.url(), None, SHORT)
        .attempt("http://hooks.example.com/")
        .await;
    assert_eq!(tried.end(), ("timeout", None), "{tried:?}");
    assert!(tried.error().contains("egress proxy"), "{tried:?}");
    tried.assert_took(SHORT);
}

#[tokio::test]
async fn a_proxy_that_is_away_is_our_shortage() {
    let closed = format!("http://127.0.0.1:{}", free_port());
    // Nobody answers questions there, so that the proxy's name leads nowhere.
    let unknown = "http://proxy.example.net:3128".to_owned();
    for proxy in [closed, unknown] {
        let rig = behind(&proxy, None, SHORT * 2);
        let sent = rig.send("http://hooks.example.com/", "{}").await;
        assert!(
            matches!(sent, Err(SendError::Shortage(Shortage::Proxy))),
            "{proxy}: {:?}",
            sent.err()
        );
        let counted: Vec<_> = rig.client().shortages().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(Shortage::Proxy, 1)]);
    }
}

#[tokio::test]
async fn the_proxy_itself_is_not_judged_and_its_name_is_looked_up_like_any_other() {
    let peer = Peer::kind().await;
    let proxy = leading_to(&peer).await;
    let port = proxy.url().rsplit_once(':').unwrap().1.to_owned();
    let names = NameServer::start(|question, _| match question.name.as_str() {
        "squid" => Reply::Records(vec![hookline_tests::hostile::a("squid", "127.0.0.1")]),
        _ => Reply::Code(3),
    })
    .await;
    let rig = Rig::of(ClientSettings {
        proxy: Some(EgressProxy::parse(&format!("http://squid:{port}"), None).unwrap()),
        ..ClientSettings::new(policy(&[]), names.resolver(), LONG, MAX_CONNECTIONS)
    });
    assert_eq!(
        rig.attempt("http://hooks.example.com/").await.end(),
        ("delivered", Some(200))
    );
    assert!(names.asked().iter().all(|question| question.name == "squid"));
}

#[tokio::test]
async fn credentials_come_from_a_file_that_is_read_again_when_they_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth");
    std::fs::write(&path, "hookline:old\n").unwrap();
    let peer = Peer::kind().await;
    let there = format!("127.0.0.1:{}", peer.port());
    // base64 of hookline:new
    let proxy = WebProxy::start(move |_, credentials| match credentials {
        Some("Basic aG9va2xpbmU6bmV3") => Tunnel::To(there.clone()),
        _ => Tunnel::refuse(407, "Proxy-Authenticate: Basic realm=\"way out\"\r\n"),
    })
    .await;
    let credentials = ProxyCredentials::read(&path).unwrap();
    let rig = Rig::of(ClientSettings {
        proxy: Some(EgressProxy::parse(&proxy.url(), Some(credentials)).unwrap()),
        ..ClientSettings::new(policy(&[]), resolver(9, &[]), LONG, MAX_CONNECTIONS)
    });
    let sent = rig.send("http://hooks.example.com/", "{}").await;
    assert!(
        matches!(sent, Err(SendError::Shortage(Shortage::ProxyCredentials))),
        "{:?}",
        sent.err()
    );
    std::fs::write(&path, "hookline:new\n").unwrap();
    eventually(SOON, "the new ones are used", async || {
        rig.send("http://hooks.example.com/", "{}").await.ok()
    })
    .await;
    assert_eq!(peer.posts(), 1);
}

#[tokio::test]
async fn while_the_proxy_is_down_deliveries_wait_without_an_attempt_spent_and_others_proxies_are_ignored() {
    scenario(async |world| {
        let peer = Peer::kind().await;
        let canary = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let canary_url = format!("http://{}", canary.local_addr().unwrap());
        let port = free_port();
        world.endpoints(&[Endpoint::at("ep_crm", "http://hooks.example.com/hook")]);
        let mut setup = world
            .dispatcher()
            .set("HOOKLINE_EGRESS_PROXY", format!("http://127.0.0.1:{port}"))
            .set("NO_PROXY", "*");
        for variable in [
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
        ] {
            setup = setup.set(variable, canary_url.clone());
        }
        let dispatcher = setup.start().await;
        world.publish("booking.created", "{}").await;
        eventually(SOON, "the shortage is counted", async || {
            let metrics = dispatcher.get("/metrics").await.ok()?.body;
            metrics
                .lines()
                .find(|line| line.starts_with("hookline_shortages_total{") && line.contains("\"proxy\""))
                .and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
                .filter(|count| *count > 0)
        })
        .await;
        let there = format!("127.0.0.1:{}", peer.port());
        let proxy = WebProxy::listen(&format!("127.0.0.1:{port}"), move |_, _| {
            Tunnel::To(there.clone())
        })
        .await;
        eventually(SOON * 2, "the delivery", async || {
            (peer.posts() == 1).then_some(())
        })
        .await;
        dispatcher.has_let_go_within(SOON).await;
        assert_eq!(peer.requests()[0].values("webhook-attempt"), ["1"]);
        assert_eq!(proxy.lines(), ["CONNECT hooks.example.com:80 HTTP/1.1"]);
        dispatcher.says("the egress proxy cannot be reached", SOON).await;
        world.expect_in(Queue::Failed, 0, Duration::ZERO).await;
        let to_canary = tokio::time::timeout(Duration::from_millis(100), canary.accept()).await;
        assert!(to_canary.is_err(), "the environment's proxy was connected to");
    })
    .await;
}

/// What waits stays where it is while nothing gets out, instead of being moved at the broker as fast as that can.
#[tokio::test]
async fn while_the_proxy_is_down_only_few_are_tried() {
    const EVENTS: usize = 3_000;
    scenario(async |world| {
        let peer = Peer::kind().await;
        let port = free_port();
        world.endpoints(&[Endpoint::at("ep_crm", "http://hooks.example.com/hook")]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_EGRESS_PROXY", format!("http://127.0.0.1:{port}"))
            .start()
            .await;
        world.publish_many(EVENTS, "booking.created").await;
        let parked = async || {
            let parked = dispatcher.metric("hookline_deliveries_parked_total").await;
            parked.unwrap_or_default()
        };
        eventually(SOON, "some are set aside", async || {
            (parked().await > 0.0).then_some(())
        })
        .await;
        // In so long, each would be begun several times.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let parks = parked().await;
        assert!(parks < EVENTS as f64, "{parks} times something was set aside");
        let there = format!("127.0.0.1:{}", peer.port());
        let _proxy = WebProxy::listen(&format!("127.0.0.1:{port}"), move |_, _| {
            Tunnel::To(there.clone())
        })
        .await;
        eventually(SOON * 2, "all deliveries", async || {
            (peer.posts() == EVENTS).then_some(())
        })
        .await;
        dispatcher.has_let_go_within(SOON).await;
        assert!(
            peer.requests()
                .iter()
                .all(|request| request.values("webhook-attempt") == ["1"])
        );
    })
    .await;
}

#[tokio::test]
async fn a_proxy_that_is_written_wrongly_is_refused_at_the_start_and_no_password_is_repeated() {
    scenario(async |world| {
        let auth = world.path("auth");
        std::fs::write(&auth, "no colon, s3cret").unwrap();
        let auth = auth.display().to_string();
        for (settings, named) in [
            (vec![("HOOKLINE_EGRESS_PROXY", "proxy:3128")], "http://host:port"),
            (vec![("HOOKLINE_EGRESS_PROXY", "https://proxy:3128")], "http://"),
            (
                vec![("HOOKLINE_EGRESS_PROXY", "http://u:s3cret@proxy:3128")],
                "HOOKLINE_EGRESS_PROXY_AUTH_FILE",
            ),
            (
                vec![
                    ("HOOKLINE_EGRESS_PROXY", "http://proxy:3128"),
                    ("HOOKLINE_EGRESS_PROXY_AUTH_FILE", auth.as_str()),
                ],
                "user:password",
            ),
            (
                vec![
                    ("HOOKLINE_EGRESS_PROXY", "http://proxy:3128"),
                    ("HOOKLINE_EGRESS_PROXY_AUTH_FILE", "user:s3cret"),
                ],
                "user:password",
            ),
        ] {
            let mut setup = world.dispatcher();
            for (name, value) in &settings {
                setup = setup.set(name, *value);
            }
            let dispatcher = setup.launch();
            let status = dispatcher.ends_within(SOON).await;
            assert_eq!(status.code(), Some(2), "{settings:?}");
            let said = dispatcher.says(named, SOON).await;
            let log = dispatcher.log();
            assert!(said.contains("HOOKLINE_EGRESS_PROXY"), "{settings:?}: {log}");
            assert!(!log.contains("s3cret"), "{log}");
        }
    })
    .await;
}
