//! A process without a file descriptor left says so, and blames neither receivers nor name servers. In a process of its
//! own, since the limit is one for all of its threads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::File;
use std::time::Duration;

use bytes::Bytes;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hookline_common::guard::{Policy, parse_cidr};
use hookline_outbound::client::{Client, ClientSettings, Resolver, SendError, Shortage};
use http_body_util::Full;
use hyper::Request;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Few enough to be used up quickly, and more than the test has open before.
const FILES: u64 = 200;

async fn send(client: &Client, url: &str) -> SendError {
    let request = Request::post(url).body(Full::new(Bytes::new())).unwrap();
    match client.send(request).await {
        Ok(answer) => panic!("{url} answered {}", answer.status),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_process_without_descriptors_spends_no_attempt_by_address_or_by_name() {
    let policy = Policy {
        allow_http: true,
        allow_cidrs: vec![parse_cidr("127.0.0.0/8").unwrap()],
        ..Policy::default()
    };
    // Nobody listens there: whoever can ask is refused.
    let server = NameServerConfig::udp([127, 0, 0, 1].into());
    let resolver = Resolver::with_config(ResolverConfig::from_parts(None, Vec::new(), vec![server])).unwrap();
    let client = Client::new(ClientSettings::new(policy, resolver, Duration::from_secs(5), 100)).unwrap();
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(FILES),
            maximum,
        },
    )
    .unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    for url in ["http://127.0.0.1:9/", "http://hooks.example.com:9/"] {
        let error = send(&client, url).await;
        assert!(
            matches!(error, SendError::Shortage(Shortage::Descriptors)),
            "{url}: {error:?}"
        );
    }
    let counted: Vec<_> = client.shortages().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, [(Shortage::Descriptors, 2)]);

    drop(files);
    let error = send(&client, "http://127.0.0.1:9/").await;
    assert!(matches!(error, SendError::Failed(_)), "{error:?}");
}
