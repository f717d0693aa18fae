//! What each status means, and that no header of an answer makes us do anything.

use std::time::Duration;

use hookline_dispatcher::client::RequestError;
use hookline_tests::endpoint::endpoint;
use hookline_tests::hostile::rig::{AT_ONCE, LONG};
use hookline_tests::hostile::{Peer, Rig};
use hookline_tests::{Receiver, scenario, status};

use super::{OK, answered, tried};
use crate::SOON;

#[tokio::test]
async fn c10_switching_protocols_is_a_protocol_error_and_ends_the_connection() {
    let rig = Rig::new(LONG);
    for head in [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        let (tried, peer) = tried(&rig, move |mut talk| async move {
            talk.request().await;
            talk.say(head).await;
            talk.fall_silent().await;
        })
        .await;
        assert_eq!(tried.end(), ("protocol_error", None), "{tried:?}");
        assert!(
            tried.error().contains("101") && tried.paced < AT_ONCE,
            "{tried:?}"
        );
        peer.is_left(1, AT_ONCE).await;
        assert_eq!((peer.posts(), peer.connections()), (1, 1));
    }
}

#[tokio::test]
async fn c11_b64_a_redirect_is_a_failure_and_nobody_goes_there() {
    let rig = Rig::new(LONG);
    let canary = Peer::kind().await;
    for status in [300, 301, 302, 303, 304, 305, 307, 308] {
        let location = canary.url();
        let answer = format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answered(&rig, answer).await.end(), ("http_status", Some(status)));
    }
    for location in [
        "http://169.254.169.254/latest",
        "//127.0.0.1/",
        "gopher://127.0.0.1:70/_x",
        "\u{7f}\u{1}",
    ] {
        let answer = format!("HTTP/1.1 307 Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        assert_ne!(answered(&rig, answer).await.record.outcome.as_str(), "delivered");
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn c12_a_redirect_to_itself_is_one_post() {
    let peer = Peer::start(|mut talk| async move {
        let request = talk.request().await.expect("a request");
        let host = request.values("host")[0].to_owned();
        talk.say(format!(
            "HTTP/1.1 307 Here\r\nLocation: http://{host}/hook\r\nContent-Length: 0\r\n\r\n"
        ))
        .await;
        talk.fall_silent().await;
    })
    .await;
    let tried = Rig::new(LONG).attempt(&peer.url()).await;
    assert_eq!(tried.end(), ("http_status", Some(307)));
    assert_eq!((peer.posts(), peer.connections()), (1, 1));
}

#[tokio::test]
async fn c23_every_form_of_success_is_one() {
    let rig = Rig::new(LONG);
    for (answer, status, response) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"),
        (
            "HTTP/1.1 201 Created\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
            201,
            "",
        ),
        (
            "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            202,
            "hi",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", 204, ""),
        ("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", 205, ""),
        ("HTTP/1.0 200 OK\r\n\r\nno length", 200, "no length"),
        ("HTTP/1.1 200 OK\r\n\r\nno length", 200, "no length"),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, ""),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 200, "hi"),
        ("\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            200,
            "",
        ),
        (
            "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            200,
            "",
        ),
    ] {
        let tried = answered(&rig, answer).await;
        assert_eq!(tried.end(), ("delivered", Some(status)), "{answer:?} {tried:?}");
        assert_eq!(
            (tried.response(), tried.is_body_incomplete()),
            (response, false),
            "{answer:?}"
        );
    }
}

/// Each of these statuses is a failure with that status, whatever else the answer says.
async fn fail_with_their_status(codes: &[u16]) {
    let rig = Rig::new(LONG);
    for &code in codes {
        let answer = format!(
            "HTTP/1.1 {code} No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nProxy-Authenticate: Basic\r\n\
             Set-Cookie: a=b\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"
        );
        let tried = answered(&rig, answer).await;
        assert_eq!(tried.end(), ("http_status", Some(code)));
        let asked = matches!(code, 502 | 504).then_some(Duration::from_secs(60));
        assert_eq!(
            tried.not_before, asked,
            "{code}: Retry-After means something in a refusal only"
        );
        assert_eq!(tried.error(), "", "{code}");
    }
}

#[tokio::test]
async fn c32_every_other_refusal_of_the_request_is_a_failure_with_that_status() {
    fail_with_their_status(&[400, 401, 403, 404, 405, 407, 408, 410, 422, 425, 451]).await;
}

#[tokio::test]
async fn c34_every_other_error_of_the_receiver_is_a_failure_with_that_status() {
    fail_with_their_status(&[500, 501, 502, 504, 505, 507, 599]).await;
}

#[tokio::test]
async fn c32_nothing_is_sent_that_nobody_asked_for() {
    let peer = Peer::start(|mut talk| async move {
        while talk.request().await.is_some() {
            talk.say(
                "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nSet-Cookie: a=b; Path=/\r\n\
                 Accept-CH: DPR\r\nContent-Length: 0\r\n\r\n",
            )
            .await;
        }
    })
    .await;
    let rig = Rig::new(LONG);
    for _ in 0..3 {
        assert_eq!(rig.attempt(&peer.url()).await.end(), ("http_status", Some(401)));
    }
    assert_eq!(
        (peer.posts(), peer.connections()),
        (3, 1),
        "one POST each, on the connection there is"
    );
    for request in peer.requests() {
        let mut names: Vec<_> = request
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        names.sort_unstable();
        let expected = [
            "content-length",
            "content-type",
            "host",
            "meeva-signature",
            "user-agent",
            "webhook-attempt",
            "webhook-id",
            "webhook-signature",
            "webhook-timestamp",
        ];
        assert_eq!(names, expected);
        assert!(
            request.head.starts_with("POST /hook HTTP/1.1\r\n"),
            "{}",
            request.head
        );
    }
}

#[tokio::test]
async fn b65_no_hint_makes_us_connect() {
    let rig = Rig::new(LONG);
    let canary = Peer::kind().await;
    let there = canary.url();
    let port = canary.port();
    for answer in [
        format!(
            "HTTP/1.1 201 Created\r\nLocation: {there}\r\nContent-Location: {there}\r\nContent-Length: 0\r\n\r\n"
        ),
        format!("HTTP/1.1 200 OK\r\nRefresh: 0; url={there}\r\nContent-Length: 0\r\n\r\n"),
        format!(
            "HTTP/1.1 200 OK\r\nAlt-Svc: http/1.1=\":{port}\"; ma=60, h2=\":{port}\"\r\nContent-Length: 0\r\n\r\n"
        ),
        format!("HTTP/1.1 103 Early Hints\r\nLink: <{there}>; rel=preconnect\r\n\r\n{OK}"),
        format!("HTTP/1.1 200 OK\r\nLink: <{there}>; rel=preload\r\nContent-Length: 0\r\n\r\n"),
        format!(
            "HTTP/1.1 200 OK\r\nReport-To: {{\"endpoints\":[{{\"url\":\"{there}\"}}]}}\r\nContent-Length: 0\r\n\r\n"
        ),
    ] {
        assert_eq!(
            answered(&rig, answer.clone()).await.record.outcome.as_str(),
            "delivered",
            "{answer}"
        );
    }
    for status in [301, 307, 308] {
        let answer = format!("HTTP/1.1 {status} Go\r\nLocation: https://127.0.0.1:{port}/hook\r\n\r\n");
        assert_eq!(answered(&rig, answer).await.end(), ("http_status", Some(status)));
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn b66_proxies_of_the_environment_are_not_used() {
    scenario(async |world| {
        let (canary, receiver) = (Peer::kind().await, Receiver::answering(status(200)).await);
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let mut dispatcher = world.dispatcher();
        for variable in [
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
        ] {
            dispatcher = dispatcher.set(variable, canary.url());
        }
        dispatcher.set("NO_PROXY", "").start().await;
        world.publish("booking.created", "{}").await;
        let request = receiver.expect_one(SOON).await;
        assert_eq!(request.path, "/hook", "as to an origin, not as to a proxy");
        assert_eq!(canary.connections(), 0);
    })
    .await;
}

#[tokio::test]
async fn b69_the_host_is_the_url_s_whatever_the_endpoint_wants() -> Result<(), RequestError> {
    let peer = Peer::kind().await;
    let rig = Rig::new(LONG);
    rig.attempt(&peer.url()).await;
    let request = &peer.requests()[0];
    assert_eq!(request.values("host"), [format!("127.0.0.1:{}", peer.port())]);
    assert_eq!(rig.past_the_url_rule(&peer.url()).await?, 200);
    Ok(())
}
