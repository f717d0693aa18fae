//! A connection is left alone when its receiver, by its own words, is about to close it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hookline_common::guard::{Policy, parse_cidr};
use hookline_outbound::client::{Client, ClientSettings, Resolver};
use http_body_util::Full;
use hyper::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// The port of a receiver that says how long it keeps connections, and how many it was sent.
async fn receiver(keep_alive: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{keep_alive}\r\n");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (port, connections)
}

fn client() -> Client {
    let policy = Policy {
        allow_http: true,
        allow_cidrs: vec![parse_cidr("127.0.0.0/8").unwrap()],
        ..Policy::default()
    };
    // Nobody is asked for an address.
    let server = NameServerConfig::udp([127, 0, 0, 1].into());
    let resolver = Resolver::with_config(ResolverConfig::from_parts(None, Vec::new(), vec![server])).unwrap();
    Client::new(ClientSettings::new(policy, resolver, Duration::from_secs(60), 16)).unwrap()
}

/// How many connections three requests are sent on, of which the last comes more than a second after the others.
async fn connections_for_three(keep_alive: &'static str) -> usize {
    let (port, connections) = receiver(keep_alive).await;
    let client = client();
    for pause in [Duration::ZERO, Duration::from_millis(1200), Duration::ZERO] {
        let request = Request::post(format!("http://127.0.0.1:{port}/"))
            .body(Full::new(Bytes::new()))
            .unwrap();
        assert_eq!(client.send(request).await.unwrap().status.as_u16(), 200);
        sleep(pause).await;
    }
    connections.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_connection_is_idle_for_a_second_less_than_its_receiver_keeps_it() {
    let (unsaid, long, short, none) = tokio::join!(
        connections_for_three(""),
        connections_for_three("Keep-Alive: timeout=75\r\n"),
        connections_for_three("Keep-Alive: timeout=2, max=100\r\n"),
        connections_for_three("Keep-Alive: timeout=1\r\n"),
    );
    assert_eq!((unsaid, long, none), (1, 1, 3));
    // On a machine that stands still between the first two as well there is one more.
    assert!((2..=3).contains(&short), "{short}");
}
