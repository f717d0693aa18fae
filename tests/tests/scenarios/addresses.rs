//! Which node of the broker is connected to, and what is said where none lets us in.

use std::time::Duration;

use hookline_producer::{ConnectError, Event, Producer, Settings};
use hookline_tests::endpoint::endpoint;
use hookline_tests::pace::{Pace, paced};
use hookline_tests::ports::free_port;
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{Receiver, eventually, scenario, status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::SOON;

/// Where a list is begun is left to chance: that so many tries all begin with the same node does not happen.
const TRIES: usize = 40;
/// With one address alone it took thirty seconds and more.
const DELIVERED_AGAIN_WITHIN: Duration = Duration::from_secs(20);
/// Two nodes that hang are given two seconds each, and whoever is behind them lets us in by then.
const PASSED_OVER_WITHIN: Duration = Duration::from_secs(8);

async fn unreachable(url: &str) -> String {
    let settings = Settings::new(url).unwrap();
    let error = Producer::connect_at_first_try(settings)
        .await
        .err()
        .expect("nobody lets us in");
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(!text.contains("s3cret"), "{text}");
    text
}

/// What is said where nobody lets us in, once these parts are in it, or at last. Who answers at an address is listened to for a
/// second, in which a busy machine may hear nothing.
async fn unreachable_with(url: &str, parts: [&str; 2]) -> String {
    for _ in 1..TRIES {
        let error = unreachable(url).await;
        if parts.iter().all(|part| error.contains(part)) {
            return error;
        }
    }
    unreachable(url).await
}

/// A server that reads a little of whoever connects, answers with these bytes, and closes.
async fn answering(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 8];
            drop(stream.read(&mut asked).await);
            drop(stream.write_all(bytes).await);
            drop(stream.shutdown().await);
        }
    });
    port
}

/// The same, which answers the first that connects, and says nothing to those who ask again.
async fn answering_once(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut answer = Some(bytes);
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 8];
            drop(stream.read(&mut asked).await);
            if let Some(bytes) = answer.take() {
                drop(stream.write_all(bytes).await);
            }
            drop(stream.shutdown().await);
        }
    });
    port
}

#[tokio::test]
async fn a_dispatcher_whose_node_goes_away_takes_the_other_one() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let nodes = [world.wire().await, world.wire().await];
        let urls = nodes.each_ref().map(|node| node.url(&services().amqp_url));
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", urls.join(","))
            .start()
            .await;
        let mut delivered = 0;
        for (gone, node) in nodes.iter().enumerate() {
            let other = &nodes[1 - gone];
            let pace = Pace::start();
            node.cut();
            eventually(SOON, "all connections are at the other node", async || {
                (dispatcher.is_ready().await && other.accepted() > 0).then_some(())
            })
            .await;
            world.publish("booking.created", "{}").await;
            delivered += 1;
            receiver.expect(delivered, SOON).await;
            let took = pace.elapsed();
            assert!(took < DELIVERED_AGAIN_WITHIN, "{took:?}");
            node.restore();
        }
        dispatcher.has_let_go_within(SOON).await;
        dispatcher.stop().await;
        assert_eq!(receiver.count(), delivered);
    })
    .await;
}

#[tokio::test]
async fn a_node_that_is_gone_and_one_that_hangs_are_passed_over_wherever_they_stand() {
    scenario(async |world| {
        let silent = [
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        ];
        let [hangs, hangs_too] = silent
            .each_ref()
            .map(|it| format!("amqp://guest:guest@{}/%2f", it.local_addr().unwrap()));
        let gone = format!("amqp://guest:guest@127.0.0.1:{}/%2f", free_port());
        let list = format!("{gone},{},{hangs},{hangs_too}", services().amqp_url);
        for _ in 0..3 {
            let settings = Settings::new(&list)
                .unwrap()
                .with_namespace(world.namespace().clone());
            let connecting = paced(PASSED_OVER_WITHIN, Producer::connect_at_first_try(settings));
            let producer = connecting.await.expect("each is tried for two seconds").unwrap();
            assert!(producer.is_connected());
        }
    })
    .await;
}

#[tokio::test]
async fn the_first_node_is_any_so_that_not_everyone_goes_to_the_same() {
    scenario(async |world| {
        let nodes = [
            Wire::to(&services().amqp_url).await,
            Wire::to(&services().amqp_url).await,
        ];
        let urls = nodes.each_ref().map(|node| node.url(&services().amqp_url));
        for _ in 0..TRIES {
            let settings = Settings::new(&urls.join(",")).unwrap();
            let settings = settings.with_namespace(world.namespace().clone());
            Producer::connect_at_first_try(settings).await.unwrap();
        }
        let accepted = nodes.each_ref().map(Wire::accepted);
        // Who is let in too slowly goes on to the other one, after two seconds.
        assert!(accepted.iter().sum::<usize>() >= TRIES, "{accepted:?}");
        assert!(accepted.iter().all(|accepted| *accepted > 0), "{accepted:?}");
    })
    .await;
}

#[tokio::test]
async fn all_addresses_of_a_name_are_tried() {
    scenario(async |world| {
        // It stands for two addresses, and the broker listens at one of them.
        let mut url: url::Url = services().amqp_url.parse().unwrap();
        url.set_host(Some("localhost")).unwrap();
        let settings = Settings::new(url.as_str())
            .unwrap()
            .with_namespace(world.namespace().clone());
        world.leaves(hookline_common::topology::Queue::Events);
        let producer = Producer::connect_at_first_try(settings).await.unwrap();
        producer
            .publish(&Event::new("acme", "booking.created", "{}").unwrap())
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_speaks_no_amqp_is_told_by_its_name() {
    let url = |scheme: &str, port: u16| format!("{scheme}://shop:s3cret@127.0.0.1:{port}/%2f");
    let broker: url::Url = services().amqp_url.parse().unwrap();
    let plain = broker.port().unwrap();
    for (text, parts) in [
        (
            url("amqp", answering(b"HTTP/1.1 400 Bad Request\r\n\r\n").await),
            ["speaks HTTP", "5672"],
        ),
        (
            url("amqp", answering(b"\x15\x03\x03\x00\x02\x02\x46").await),
            ["speaks TLS", "amqps://"],
        ),
        (url("amqps", plain), ["without TLS", "write amqp://"]),
        (
            url("amqp", answering(b"AMQP\x03\x01\x00\x00").await),
            ["another version of AMQP", "0-9-1"],
        ),
        (
            url("amqp", answering(b"220 mail.example.com\r\n").await),
            ["not AMQP", "0-9-1"],
        ),
        (
            url("amqp", answering_once(b"220 mail.example.com\r\n").await),
            ["not AMQP", "0-9-1"],
        ),
        (url("amqp", free_port()), ["no connection", "check that it runs"]),
    ] {
        let error = unreachable_with(&text, parts).await;
        // The client library's parser knows words that help nobody.
        assert!(!error.contains("pars") && !error.contains("Nom"), "{error}");
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_vhost_are_told_apart_with_what_to_do() {
    let broker: url::Url = services().amqp_url.parse().unwrap();
    let port = broker.port().unwrap();
    for (rest, parts) in [
        ("guest:s3cret@HOST/%2f", ["403 ACCESS_REFUSED", "password"]),
        ("guest:guest@HOST/nowhere", ["530 NOT_ALLOWED", "list_vhosts"]),
        ("guest:guest@HOST/", ["530 NOT_ALLOWED", "ends with a /"]),
        ("guest:guest@HOST/%2f/", ["530 NOT_ALLOWED", "ends with a /"]),
    ] {
        let url = format!("amqp://{}", rest.replace("HOST", &format!("127.0.0.1:{port}")));
        let error = unreachable(&url).await;
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

/// What an operator set, seen from where it is printed.
#[tokio::test]
async fn a_list_that_is_misspelt_ends_a_program_with_the_place_and_without_a_password() {
    scenario(async |world| {
        world.endpoints([]);
        for list in [
            "amqp://shop:s3cret@h1/%2f;amqp://shop:s3cret@h2/%2f",
            "amqp://shop:s3cret@h1/%2f,h2:5672",
            "amqp://shop:s3cret@h1,shop:s3cret@h2",
        ] {
            let dispatcher = world.dispatcher().set("HOOKLINE_AMQP_URL", list).launch();
            assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(2));
            let line = dispatcher.says("HOOKLINE_AMQP_URL", SOON).await;
            assert!(line.contains("separated by commas"), "{line}");
            let log = dispatcher.log();
            assert!(!log.contains("s3cret") && !log.contains("h2"), "{log}");
        }
    })
    .await;
}
