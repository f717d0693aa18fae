//! Names that nobody answers for have the sockets that are counted for lookups and no more, they fail, and others are looked up
//! beside them. In a process of its own, as its descriptors are counted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hookline_common::guard::{Policy, parse_cidr};
use hookline_common::outcome::Outcome;
use hookline_outbound::client::{Answer, Client, ClientSettings, RequestError, Resolver, SendError};
use http_body_util::Full;
use hyper::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::sleep;

const CONNECTIONS: usize = 16;
/// The fewest that there are, which is what so few connections have beside them.
const LOOKUP_SOCKETS: usize = 4;
/// Names that nobody answers for, which together would like to have three times as many.
const HUNG: usize = 3;
/// Half of it is how long it takes until a name is known to take long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
const A: [u8; 2] = [0, 1];

/// What is said to a query: nothing where the name begins with `hung`, otherwise that it is 127.0.0.1, for no time at all.
fn reply(query: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    if query[end + 1..].starts_with(b"hung") {
        return None;
    }
    while query[end] > 0 {
        end += 1 + usize::from(query[end]);
    }
    end += 5;
    let is_a = query[end - 4..end - 2] == A;
    let mut message = query[..2].to_vec();
    // A response, recursion wanted and there; one question, an answer or none.
    message.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    message.extend(&query[12..end]);
    if is_a {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    }
    Some(message)
}

/// The port of a name server.
async fn name_server() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut query = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            if let Some(message) = reply(&query[..length]) {
                socket.send_to(&message, from).await.unwrap();
            }
        }
    });
    port
}

/// The port of a receiver that takes everything.
async fn receiver() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    });
    port
}

async fn send(client: &Client, url: &str) -> Result<Answer, SendError> {
    client
        .send(Request::post(url).body(Full::new(Bytes::new())).unwrap())
        .await
}

/// As the dispatcher does it: what is short of ours is tried again.
async fn deliver(client: &Client, url: &str) -> Result<Answer, RequestError> {
    loop {
        match send(client, url).await {
            Ok(answer) => return Ok(answer),
            Err(SendError::Failed(error)) => return Err(error),
            Err(SendError::Shortage(_)) => sleep(Duration::from_millis(50)).await,
        }
    }
}

fn sockets_open() -> usize {
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}

#[tokio::test]
async fn hung_names_have_few_sockets_and_fail_and_others_are_found_beside_them() {
    let (names, receiver) = (name_server().await, receiver().await);
    let mut server = NameServerConfig::udp([127, 0, 0, 1].into());
    for connection in &mut server.connections {
        connection.port = names;
    }
    let resolver = Resolver::with_config(ResolverConfig::from_parts(None, Vec::new(), vec![server])).unwrap();
    let policy = Policy {
        allow_http: true,
        allow_cidrs: vec![parse_cidr("127.0.0.0/8").unwrap()],
        ..Policy::default()
    };
    let settings = ClientSettings::new(policy, resolver, REQUEST_TIMEOUT, CONNECTIONS);
    let client = Client::new(settings).unwrap();
    let hung = |number: usize| format!("http://hung{number}.example.com:{receiver}/");

    let before = sockets_open();
    let attempts: Vec<_> = (0..HUNG)
        .map(|number| {
            let (client, url) = (client.clone(), hung(number));
            tokio::spawn(async move { deliver(&client, &url).await })
        })
        .collect();
    let mut most = 0;
    while !attempts.iter().all(JoinHandle::is_finished) {
        most = most.max(sockets_open().saturating_sub(before));
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(most, LOOKUP_SOCKETS);
    for attempt in attempts {
        let error = attempt.await.unwrap().err().unwrap();
        assert_eq!(error.outcome, Outcome::DnsError, "{error}");
    }

    // However often they are asked for, they have but half of the sockets once each question has waited for long.
    let flows: Vec<_> = (0..HUNG)
        .map(|number| {
            let (client, url) = (client.clone(), hung(number));
            tokio::spawn(async move {
                loop {
                    drop(send(&client, &url).await);
                    sleep(Duration::from_millis(5)).await;
                }
            })
        })
        .collect();
    sleep(REQUEST_TIMEOUT).await;
    for number in 0..20 {
        let url = format!("http://hooks{number}.example.com:{receiver}/");
        match send(&client, &url).await {
            Ok(answer) => assert_eq!(answer.status.as_u16(), 200),
            Err(error) => panic!("{url}: {error}"),
        }
    }
    for flow in flows {
        flow.abort();
    }
}
