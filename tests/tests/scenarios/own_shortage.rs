//! A process that may open few files delivers all the same: later, and without blaming anyone for it.

use std::fmt::Write as _;
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_dispatcher::descriptors;
use hookline_tests::endpoint::{Endpoint, file};
use hookline_tests::hostile::Peer;
use hookline_tests::{World, eventually, scenario};
use tokio::time::sleep;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
/// How long a receiver takes: long enough that all would have a connection at once if they could.
const LATENCY: Duration = Duration::from_millis(200);
/// How long everything may take with the fewest files, on a machine that does other things besides.
const ALL_WITHIN: Duration = Duration::from_secs(180);

/// One event for each of `count` healthy endpoints, every one on a host of its own.
async fn everybody_is_delivered_to(world: &World, count: usize, hard_limit: u32) {
    // This process plays all receivers.
    descriptors::raise_limit();
    let receivers = Peer::listen("0.0.0.0:0", None, |mut talk| async move {
        while talk.request().await.is_some() {
            sleep(LATENCY).await;
            talk.say(OK).await;
        }
    })
    .await;
    let endpoints: Vec<_> = (0..count)
        .map(|number| {
            let host = format!("127.0.{}.{}", number / 250, number % 250 + 1);
            let url = format!("http://{host}:{}/hook", receivers.port());
            Endpoint::at(&format!("ep_{number}"), &url)
        })
        .collect();
    world.endpoints_text(&file(&endpoints));
    let dispatcher = world
        .dispatcher()
        .open_files(hard_limit.min(1024), hard_limit)
        .start()
        .await;
    world.publish("booking.created", "{}").await;
    eventually(ALL_WITHIN, &format!("{count} deliveries"), async || {
        (receivers.posts() >= count).then_some(())
    })
    .await;
    dispatcher.has_let_go_within(ALL_WITHIN).await;

    let requests = receivers.requests();
    let mut hosts: Vec<_> = requests.iter().map(|request| request.values("host")[0]).collect();
    hosts.sort_unstable();
    hosts.dedup();
    assert_eq!((hosts.len(), requests.len()), (count, count), "each once");
    let mut attempts = String::new();
    for request in requests.iter().filter(|it| it.values("webhook-attempt") != ["1"]) {
        writeln!(attempts, "{}", request.head).unwrap();
    }
    assert_eq!(
        attempts, "",
        "what was short was ours, and cost nobody an attempt"
    );
    world.expect_in(Queue::Failed, 0, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifteen_hundred_endpoints_are_served_with_4096_files() {
    scenario(async |world| everybody_is_delivered_to(world, 1500, 4096).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifteen_hundred_endpoints_are_served_with_1024_files() {
    scenario(async |world| everybody_is_delivered_to(world, 1500, 1024).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifteen_hundred_endpoints_are_served_with_64_files() {
    scenario(async |world| everybody_is_delivered_to(world, 1500, 64).await).await;
}
