//! Whom we talk to under TLS: only who proves to be whom the URL names, in time, and nobody else hears a byte of HTTP.

pub(crate) mod program;

use std::process::Stdio;
use std::time::Duration;

use hookline_tests::eventually;
use hookline_tests::hostile::certificates::{Authority, Identity};
use hookline_tests::hostile::rig::{AT_ONCE, LONG, SHORT, TOLERANCE, loopback};
use hookline_tests::hostile::{NameServer, Peer, Rig, Talk, Tried, a, not_run};
use hookline_tests::ports::free_port;
use rustls::version::{TLS12, TLS13};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;

use crate::SOON;

/// The name that every receiver here has.
const NAME: &str = "hooks.example.com";

/// Whoever sends to receivers of that name, and trusts one authority besides the system's.
struct Sender {
    rig: Rig,
    _names: NameServer,
}

impl Sender {
    async fn trusting(authority: &Authority, timeout: Duration) -> Self {
        let names = NameServer::knowing(vec![a(NAME, "127.0.0.1")]).await;
        let rig = Rig::with(loopback(), names.resolver(), Some(&authority.pem()), timeout);
        Self { rig, _names: names }
    }

    async fn try_once(&self, peer: &Peer) -> Tried {
        self.rig.attempt(&peer.https_url(NAME)).await
    }
}

async fn kind_behind(tls: TlsAcceptor) -> Peer {
    Peer::listen("127.0.0.1:0", Some(tls), Talk::be_kind).await
}

/// A handshake fault with a reason, at once, after which nobody has heard a byte of HTTP.
fn assert_tls_error(tried: &Tried, peer: &Peer, reason: &str) {
    assert_eq!(tried.end(), ("tls_error", None), "{reason}: {tried:?}");
    assert!(tried.error().contains(reason), "{reason}: {tried:?}");
    assert!(tried.paced < AT_ONCE, "{reason}: {tried:?}");
    assert_eq!(
        (peer.connections(), peer.bytes(), peer.posts()),
        (1, 0, 0),
        "{reason}"
    );
}

#[tokio::test]
async fn c25_a_certificate_of_a_root_in_the_file_is_trusted_and_names_come_from_the_url() {
    let authority = Authority::new("ours");
    let peer = kind_behind(authority.vouch_for(&[NAME]).acceptor()).await;
    let sender = Sender::trusting(&authority, LONG).await;
    assert_eq!(sender.try_once(&peer).await.end(), ("delivered", Some(200)));
    assert_eq!(peer.server_names(), [Some(NAME.to_owned())]);
    assert_eq!(
        peer.requests()[0].values("host"),
        [format!("{NAME}:{}", peer.port())]
    );

    // An address has no place in SNI, and is proven by the certificate all the same.
    let peer = kind_behind(authority.vouch_for(&["127.0.0.1"]).acceptor()).await;
    let tried = sender.rig.attempt(&peer.https_url("127.0.0.1")).await;
    assert_eq!(tried.end(), ("delivered", Some(200)));
    assert_eq!(peer.server_names(), [None]);
}

#[tokio::test]
async fn c25_a_connection_of_tls_is_kept_and_proven_once() {
    let authority = Authority::new("ours");
    let peer = kind_behind(authority.vouch_for(&[NAME]).acceptor()).await;
    let sender = Sender::trusting(&authority, LONG).await;
    for _ in 0..3 {
        assert_eq!(sender.try_once(&peer).await.end(), ("delivered", Some(200)));
    }
    assert_eq!((peer.posts(), peer.connections()), (3, 1));
}

#[tokio::test]
async fn c25_a_certificate_that_proves_nothing_is_a_tls_error_with_a_reason() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let sender = Sender::trusting(&ours, LONG).await;
    for (identity, reason) in [
        (ours.vouched_for(&[NAME]), "expired"),
        (ours.vouch_for(&["hooks.example.org"]), "not valid for name"),
        (ours.vouch_for(&["example.com"]), "not valid for name"),
        (ours.vouch_for(&["127.0.0.1"]), "not valid for name"),
        (ours.vouch_for(&["*.example.org"]), "not valid for name"),
        (Identity::self_signed(&[NAME]), "UnknownIssuer"),
        (other.vouch_for(&[NAME]), "UnknownIssuer"),
    ] {
        let peer = kind_behind(identity.acceptor()).await;
        assert_tls_error(&sender.try_once(&peer).await, &peer, reason);
    }
}

#[tokio::test]
async fn c26_what_is_no_tls_is_a_tls_error_at_once() {
    let sender = Sender::trusting(&Authority::new("ours"), LONG).await;
    for (answer, is_reset) in [
        (
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            false,
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", false),
        ("", false),
        ("", true),
        ("\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{28}", false),
    ] {
        let peer = Peer::start(move |mut talk| async move {
            talk.read().await;
            talk.say(answer).await;
            if is_reset {
                talk.reset();
            }
        })
        .await;
        let tried = sender.try_once(&peer).await;
        assert_eq!(tried.end(), ("tls_error", None), "{answer:?}: {tried:?}");
        assert!(tried.error().len() > "TLS handshake failed: ".len(), "{tried:?}");
        assert!(
            tried.paced < AT_ONCE && peer.connections() == 1,
            "{answer:?}: {tried:?}"
        );
    }
}

#[tokio::test]
async fn c26_a_handshake_that_is_stuck_is_a_tls_error_when_the_time_is_up() {
    let sender = Sender::trusting(&Authority::new("ours"), SHORT).await;
    // Nothing at all, and a record that grows by a byte at a time.
    let silent = Peer::start(Talk::fall_silent).await;
    let dripping = Peer::start(|mut talk| async move {
        talk.say([0x16, 3, 3, 0x3f, 0xff]).await;
        talk.pour([2], Duration::from_millis(50)).await;
    })
    .await;
    let (first, second) = tokio::join!(sender.try_once(&silent), sender.try_once(&dripping));
    for (tried, peer) in [(first, silent), (second, dripping)] {
        assert_eq!(tried.end(), ("tls_error", None), "{tried:?}");
        tried.assert_took(SHORT);
        peer.is_left(1, TOLERANCE).await;
        assert_eq!(peer.connections(), 1);
    }
}

#[tokio::test]
async fn c26_a_receiver_that_is_slow_after_the_handshake_is_a_timeout() {
    let authority = Authority::new("ours");
    let peer = Peer::listen(
        "127.0.0.1:0",
        Some(authority.vouch_for(&[NAME]).acceptor()),
        Talk::fall_silent,
    )
    .await;
    // Time enough for the handshake on a busy machine.
    let sender = Sender::trusting(&authority, 4 * SHORT).await;
    let tried = sender.try_once(&peer).await;
    assert_eq!(tried.end(), ("timeout", None), "{tried:?}");
    peer.is_left(1, TOLERANCE).await;
}

#[tokio::test]
async fn c26_a_demand_for_a_client_certificate_is_a_tls_error() {
    let authority = Authority::new("ours");
    let sender = Sender::trusting(&authority, LONG).await;
    for version in [&TLS12, &TLS13] {
        // With TLS 1.3 the client has finished its handshake, and sent its request, before it hears of the refusal.
        for _ in 0..20 {
            let acceptor = authority.only_with_client_certificate(authority.vouch_for(&[NAME]), version);
            let peer = kind_behind(acceptor).await;
            assert_tls_error(&sender.try_once(&peer).await, &peer, "ertificate");
        }
    }
}

#[tokio::test]
async fn c26_tls_1_0_and_1_1_are_not_spoken() {
    if !Command::new("openssl")
        .arg("version")
        .output()
        .await
        .is_ok_and(|output| output.status.success())
    {
        not_run("c26_tls_1_0_and_1_1_are_not_spoken", "openssl is not installed");
        return;
    }
    let authority = Authority::new("ours");
    let sender = Sender::trusting(&authority, 4 * SHORT).await;
    let folder = tempfile::TempDir::new().unwrap();
    let identity = authority.vouch_for(&[NAME]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("cert.pem"), &identity.certificate_pem).unwrap();
    std::fs::write(path("key.pem"), &identity.key_pem).unwrap();
    for (version, is_spoken) in [("-tls1", false), ("-tls1_1", false), ("-tls1_2", true)] {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let old = ["-cipher", "ALL:@SECLEVEL=0", version];
        let mut server = Command::new("openssl")
            .args(["s_server", "-accept", &address, "-www", "-quiet"])
            .args(["-cert", &path("cert.pem"), "-key", &path("key.pem")])
            .args(old)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // It is up, and speaks with whoever speaks as it does.
        eventually(SOON, "openssl answers its like", async || {
            let client = Command::new("openssl")
                .args(["s_client", "-connect", &address])
                .args(old)
                .stdin(Stdio::null())
                .output();
            client.await.unwrap().status.success().then_some(())
        })
        .await;
        let tried = sender.rig.attempt(&format!("https://{NAME}:{port}/")).await;
        // It has no answer to a POST, so that the attempt which gets through fails later.
        let is_tls_error = tried.record.outcome.as_str() == "tls_error";
        assert_eq!(is_tls_error, !is_spoken, "{version}: {tried:?}");
        assert!(is_spoken || tried.paced < SHORT, "{version}: {tried:?}");
        server.kill().await.unwrap();
    }
}

#[tokio::test]
async fn c14_tls_that_breaks_off_after_the_head_does_not_undo_the_status() {
    let authority = Authority::new("ours");
    let sender = Sender::trusting(&authority, LONG).await;
    for (answer, is_whole, is_reset) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true, false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhi", false, false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhi", false, true),
        // Without its own goodbye TLS cannot tell an end from a cut.
        ("HTTP/1.0 200 OK\r\n\r\nhi", false, false),
    ] {
        let acceptor = authority.vouch_for(&[NAME]).acceptor();
        let peer = Peer::listen("127.0.0.1:0", Some(acceptor), move |mut talk| async move {
            talk.request().await;
            talk.say(answer).await;
            if is_reset {
                talk.reset();
            }
        })
        .await;
        let tried = sender.try_once(&peer).await;
        assert_eq!(tried.end(), ("delivered", Some(200)), "{answer:?}: {tried:?}");
        assert_eq!(tried.is_body_incomplete(), !is_whole, "{answer:?}: {tried:?}");
        assert_eq!(peer.posts(), 1);
    }
}

#[tokio::test]
async fn c13_tls_that_breaks_off_before_a_status_is_a_protocol_error() {
    let authority = Authority::new("ours");
    let sender = Sender::trusting(&authority, LONG).await;
    for is_reset in [false, true] {
        let acceptor = authority.vouch_for(&[NAME]).acceptor();
        let peer = Peer::listen("127.0.0.1:0", Some(acceptor), move |mut talk| async move {
            talk.request().await;
            if is_reset {
                talk.reset();
            }
        })
        .await;
        let tried = sender.try_once(&peer).await;
        assert_eq!(tried.end(), ("protocol_error", None), "{tried:?}");
        assert_eq!((peer.posts(), peer.connections()), (1, 1));
    }
}
