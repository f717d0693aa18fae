//! Twenty receivers that want our memory, each in its own way and all at once, beside healthy ones: those get all that is theirs,
//! and the dispatcher needs little more than for the healthy ones alone.

use std::collections::BTreeMap;
use std::time::Duration;

use hookline_common::schedule::Delay;
use hookline_common::topology::Queue;
use hookline_producer::Event;
use hookline_tests::endpoint::{Endpoint, endpoint};
use hookline_tests::hostile::{Peer, Talk};
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::records::Records;
use hookline_tests::{Receiver, World, eventually, scenario, status};

use crate::SOON;

/// Healthy receivers, as many as there are others.
const HEALTHY: usize = BAD.len();
/// Events for the healthy ones alone, before and beside the others.
const USUAL: usize = 200;
/// Events that all of them get.
const SHARED: usize = 6;

/// What the others do, and how an attempt at them ends.
const BAD: [(&str, &str); 20] = [
    ("never answers", "timeout"),
    ("drips its head", "timeout"),
    ("fills the head's buffer and stalls", "timeout"),
    ("a head without end", "protocol_error"),
    ("a header without end", "protocol_error"),
    ("a Retry-After without end", "protocol_error"),
    ("5,000 headers", "protocol_error"),
    ("early hints for ever", "protocol_error"),
    ("no HTTP, without end", "protocol_error"),
    (
        "a length that is none, before a body without end",
        "protocol_error",
    ),
    ("resets before its head", "protocol_error"),
    ("switches protocols, and pours", "protocol_error"),
    ("redirects with a body without end", "http_status"),
    ("drips its body", "delivered"),
    ("chunks without end", "delivered"),
    ("a body of ten gigabytes", "delivered"),
    ("the largest head before a body without end", "delivered"),
    ("a chunk's extension without end", "delivered"),
    ("a bomb", "delivered"),
    ("resets within its body", "delivered"),
];

async fn misbehave(kind: &str, mut talk: Talk) {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const LONG: &str = "Content-Length: 10000000000\r\n\r\n";
    const NO_PAUSE: Duration = Duration::ZERO;
    let block = vec![b'a'; 64 * 1024];
    let large = format!("x-a: {}\r\n", "a".repeat(4_000)).repeat(15);
    match kind {
        "never answers" => talk.fall_silent().await,
        "drips its head" => {
            talk.say(OK).await;
            talk.pour("x-a: a\r\n", Duration::from_millis(50)).await;
        }
        "fills the head's buffer and stalls" => {
            talk.say(format!("{OK}{large}")).await;
            talk.fall_silent().await;
        }
        "a head without end" => {
            talk.say(OK).await;
            talk.pour(large, NO_PAUSE).await;
        }
        "a header without end" => {
            talk.say(format!("{OK}x-a: ")).await;
            talk.pour(block, NO_PAUSE).await;
        }
        "a Retry-After without end" => {
            talk.say("HTTP/1.1 429 Wait\r\nRetry-After: ").await;
            talk.pour([b'9'; 64 * 1024], NO_PAUSE).await;
        }
        "5,000 headers" => {
            talk.say(format!("{OK}{}\r\n", "a: b\r\n".repeat(5_000))).await;
            talk.fall_silent().await;
        }
        "early hints for ever" => {
            let hint = format!(
                "HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n",
                "a".repeat(8 * 1024)
            );
            talk.pour(hint, NO_PAUSE).await;
        }
        "no HTTP, without end" => talk.pour("SSH-2.0-OpenSSH_9.2\r\n".repeat(1_000), NO_PAUSE).await,
        "a length that is none, before a body without end" => {
            talk.say(format!("{OK}Content-Length: 5, 10000000000\r\n\r\n"))
                .await;
            talk.pour(block, NO_PAUSE).await;
        }
        "resets before its head" => talk.reset(),
        "switches protocols, and pours" => {
            talk.say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
                .await;
            talk.pour(block, NO_PAUSE).await;
        }
        "redirects with a body without end" => {
            talk.say(format!("HTTP/1.1 308 There\r\nLocation: /\r\n{LONG}"))
                .await;
            talk.pour(block, NO_PAUSE).await;
        }
        "drips its body" => {
            talk.say(format!("{OK}{LONG}")).await;
            talk.pour([b'a'; 256], Duration::from_millis(50)).await;
        }
        "chunks without end" => {
            talk.say(CHUNKED).await;
            talk.pour([b"4000\r\n", &block[..0x4000], b"\r\n"].concat(), NO_PAUSE)
                .await;
        }
        "a body of ten gigabytes" => {
            talk.say(format!("{OK}{LONG}")).await;
            talk.pour(block, NO_PAUSE).await;
        }
        "the largest head before a body without end" => {
            talk.say(format!("{OK}{large}{LONG}")).await;
            talk.pour(block, NO_PAUSE).await;
        }
        "a chunk's extension without end" => {
            talk.say(format!("{CHUNKED}1;a=")).await;
            talk.pour(block, NO_PAUSE).await;
        }
        "a bomb" => {
            // Its header, and zeros without end: in deflate, "258 times the byte before" again and again.
            let eight = [
                0x05, 0xa3, 0x60, 0x14, 0x8c, 0x82, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28, 0x18,
            ];
            talk.say(format!("{OK}Content-Encoding: gzip\r\n\r\n")).await;
            talk.say([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x62, 0x18]).await;
            talk.pour(eight.repeat(1_000), NO_PAUSE).await;
        }
        "resets within its body" => {
            talk.say(format!("{OK}Content-Length: 1000\r\n\r\n{}", "a".repeat(100)))
                .await;
            talk.reset();
        }
        other => unreachable!("{other}"),
    }
}

/// A peer that is all of them: which one, its path says.
async fn all_of_them() -> Peer {
    Peer::start(|mut talk| async move {
        let Some(request) = talk.request().await else {
            return;
        };
        let path = request.head.split(' ').nth(1).unwrap_or_default();
        let number: usize = path.rsplit('/').next().unwrap().parse().unwrap();
        misbehave(BAD[number].0, talk).await;
    })
    .await
}

/// Publishes for the healthy ones, and waits until each has got this and all before.
async fn invoices(world: &World, healthy: &[Receiver], all: &mut Vec<Event>, count: usize) {
    all.extend(world.publish_many(count, "invoice.paid").await);
    everybody_has(healthy, all.len()).await;
}

async fn everybody_has(healthy: &[Receiver], count: usize) {
    eventually(
        SOON,
        &format!("{count} events at each healthy receiver"),
        async || {
            let has_all = |receiver: &Receiver| receiver.delivered() >= count;
            healthy.iter().all(has_all).then_some(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_of_the_worst_side_by_side_cost_the_healthy_ones_nothing_and_little_memory() {
    let peer = all_of_them().await;
    scenario(async |world| {
        let later = Queue::Retry(Delay::from_seconds(3600));
        world.leaves(later);
        let (mut healthy, mut endpoints) = (Vec::new(), Vec::new());
        for number in 0..HEALTHY {
            let receiver = Receiver::answering(status(200)).await;
            endpoints.push(endpoint(&format!("ep_healthy_{number}"), &receiver));
            healthy.push(receiver);
            let url = format!("{}/{number}", peer.url());
            endpoints.push(Endpoint::at(&format!("ep_bad_{number}"), &url).events(&["booking.created"]));
        }
        world.endpoints(endpoints);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", "3600s")
            .set("HOOKLINE_REQUEST_TIMEOUT", "20s")
            .start()
            .await;
        let mut events = Vec::new();
        invoices(world, &healthy, &mut events, USUAL).await;
        let (_, usual) = dispatcher.resident_kb();
        dispatcher.forget_peak();

        let shared = world.publish_many(SHARED, "booking.created").await;
        events.extend(shared.iter().cloned());
        invoices(world, &healthy, &mut events, USUAL).await;
        let records = Records::of(world).await;
        let count = events.len() * HEALTHY + shared.len() * BAD.len();
        let records = records.expect(count, 2 * SOON).await;
        world.is_settled_within(SOON).await;
        let (_, peak) = dispatcher.resident_kb();
        // Without a bound it would be a hundred times as much: each of them has seconds to send what it likes.
        assert!(
            peak <= usual + usual / 2,
            "{usual} KiB for the healthy ones, {peak} KiB for all"
        );

        // The healthy ones got everything, once and at the first attempt.
        let mut judge = Judge::default();
        for (number, receiver) in healthy.iter().enumerate() {
            let id = format!("ep_healthy_{number}");
            judge.accepted(&events, &[&id]);
            judge.saw(&id, receiver);
            assert_eq!(receiver.count(), events.len(), "{id}");
        }
        assert_eq!(judge.verdict(), Verdict::default());
        // And each of the others did what it is there for. Where the machine is busy, some may run out of time before.
        let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
        for record in &records {
            let endpoint = record["endpoint"].as_str().unwrap();
            let Some(number) = endpoint.strip_prefix("ep_bad_") else {
                continue;
            };
            let (name, outcome) = BAD[number.parse::<usize>().unwrap()];
            if record["outcome"] == outcome {
                *ends.entry(name).or_default() += 1;
            } else {
                assert_eq!(record["outcome"], "timeout", "{name}: {record:.500}");
            }
        }
        for (name, outcome) in BAD {
            let count = ends.get(name).copied().unwrap_or_default();
            assert!(count > SHARED / 2, "{name}: {count} of {SHARED} end in {outcome}");
        }
    })
    .await;
}
