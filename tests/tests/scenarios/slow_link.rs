//! A broker that is slow but alive, and more to publish for one event than it takes in ten seconds: it is waited for. Nothing
//! is sent twice, and what waits for its confirmation is bounded.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt as _;
use hookline_producer::Event;
use hookline_tests::endpoint::Endpoint;
use hookline_tests::services::services;
use hookline_tests::{eventually, scenario};
use http_body_util::{BodyExt as _, Empty};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::SOON;
use crate::sizes::data;

/// Bytes of an event's data.
const LARGE: usize = 100_000;
/// What the dispatcher may have resident at the worst, in KiB; see `sizes`. It was seen to take 137 MiB of six endpoints and
/// 167 MiB of 2,000, and a debug build no more.
const MAX_RESIDENT_KB: u64 = 260 * 1024;

/// What a receiver got, by path and event: how often.
type Tally = Arc<Mutex<HashMap<(String, String), u32>>>;

/// A receiver that counts and keeps no body: gigabytes come to it.
async fn tally() -> (u16, Tally, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tally = Tally::default();
    let counted = Arc::clone(&tally);
    let mut accepting = JoinSet::new();
    accepting.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let counted = Arc::clone(&counted);
                async move {
                    let (head, mut body) = request.into_parts();
                    let mut bytes = 0;
                    while let Some(Ok(frame)) = body.frame().await {
                        bytes += frame.data_ref().map_or(0, Bytes::len);
                    }
                    assert!(bytes > LARGE - 1_000, "the whole of it");
                    let id = head.headers["webhook-id"].to_str().unwrap().to_owned();
                    let key = (head.uri.path().to_owned(), id);
                    *counted.lock().unwrap().entry(key).or_default() += 1;
                    Ok::<_, Infallible>(hyper::Response::new(Empty::<Bytes>::new()))
                }
            });
            connections.spawn(async move {
                // Ends with an error where the dispatcher is gone.
                drop(
                    http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await,
                );
            });
        }
    });
    (port, tally, accepting)
}

async fn each_is_sent_once(events: usize, endpoints: usize, bytes_per_second: Option<u64>) {
    scenario(async |world| {
        let (port, tally, _accepting) = tally().await;
        let url = |number| format!("http://127.0.0.1:{port}/{number}");
        let registered = (0..endpoints).map(|number| Endpoint::at(&format!("ep_{number}"), &url(number)));
        world.endpoints(registered.collect::<Vec<_>>());
        let published =
            (0..events).map(|number| Event::new("acme", "booking.created", data(LARGE, number)).unwrap());
        let mut receipts = world
            .producer()
            .await
            .publish_all(futures_util::stream::iter(published));
        while let Some(receipt) = receipts.next().await {
            receipt.unwrap();
        }
        drop(receipts);
        let amqp_url = &services().amqp_url;
        let wire = world.wire().await;
        if let Some(bytes_per_second) = bytes_per_second {
            wire.limit(bytes_per_second);
        }
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", wire.url(amqp_url))
            .start()
            .await;
        let mut last = 0;
        // As long as some more have come.
        while last < events * endpoints {
            last = eventually(SOON, "more deliveries", async || {
                let now = tally.lock().unwrap().len();
                (now > last).then_some(now)
            })
            .await;
        }
        dispatcher.has_let_go_within(5 * SOON).await;
        let (_, peak) = dispatcher.resident_kb();
        let tally = tally.lock().unwrap();
        let twice: Vec<_> = tally.iter().filter(|(_, count)| **count > 1).collect();
        assert_eq!((tally.len(), twice), (events * endpoints, Vec::new()));
        let log = dispatcher.log();
        assert!(
            !log.contains("is lost"),
            "no link was given up for being slow: {log}"
        );
        assert!(peak <= MAX_RESIDENT_KB, "{peak} KiB at the worst");
    })
    .await;
}

/// 250 MB to publish, which takes 12 s and more.
#[tokio::test]
async fn six_endpoints_each_get_five_hundred_large_events_once_over_a_slow_link() {
    each_is_sent_once(500, 6, Some(20_000_000)).await;
}

/// 2 GB to publish, 200 MB of them for each event.
#[tokio::test]
async fn two_thousand_endpoints_each_get_ten_large_events_once() {
    each_is_sent_once(10, 2_000, None).await;
}
