//! A process that may open few files delivers all the same: later, and without blaming anyone for it.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use hookline_common::topology::Queue;
use hookline_dispatcher::descriptors;
use hookline_tests::endpoint::{Endpoint, file};
use hookline_tests::hostile::{Peer, Talk};
use hookline_tests::{World, eventually, scenario};
use tokio::time::sleep;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
/// How long a receiver takes: long enough that all would have a connection at once if they could.
const LATENCY: Duration = Duration::from_millis(100);
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
        // One process plays all receivers: that it is slow must not look like a shortage.
        .set("HOOKLINE_REQUEST_TIMEOUT", "120s")
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

/// How many files a dispatcher without work has open.
async fn files_at_rest(world: &World) -> u32 {
    let dispatcher = world.dispatcher().open_files(64, 64).start().await;
    let name = dispatcher.name();
    let path = format!("/proc/{}/fd", name.split(' ').nth(1).expect("its pid"));
    // The fewest of several looks: a probe that has just been answered still has its own.
    let mut fewest = usize::MAX;
    for _ in 0..50 {
        fewest = fewest.min(fs::read_dir(&path).expect("a running process").count());
        sleep(Duration::from_millis(20)).await;
    }
    dispatcher.stop().await;
    u32::try_from(fewest).expect("a few")
}

/// The connections that stay open after their request take all the files that there are for the next.
#[tokio::test]
async fn what_has_run_out_is_said_once_a_minute_and_counted_and_costs_nobody_an_attempt() {
    // Many more than what may be left over, should the other dispatcher have had a file open in passing at each look.
    const ENDPOINTS: usize = 40;
    scenario(async |world| {
        // They take their time, so that all have a connection at once, or want one.
        let receivers = Peer::listen("0.0.0.0:0", None, async |mut talk: Talk| {
            while talk.request().await.is_some() {
                sleep(Duration::from_millis(300)).await;
                talk.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            }
        })
        .await;
        let endpoints: Vec<_> = (1..=ENDPOINTS)
            .map(|number| {
                let url = format!("http://127.0.0.{number}:{}/hook", receivers.port());
                Endpoint::at(&format!("ep_{number}"), &url)
            })
            .collect();
        world.endpoints(&endpoints);
        let files = files_at_rest(world).await + 2;
        let begun = Instant::now();
        let dispatcher = world.dispatcher().open_files(files, files).start().await;
        world.publish("booking.created", "{}").await;
        eventually(ALL_WITHIN, "everybody is delivered to", async || {
            (receivers.posts() >= ENDPOINTS).then_some(())
        })
        .await;
        dispatcher.has_let_go_within(ALL_WITHIN).await;
        // It has no file left for whoever asks either, until a connection is closed.
        let counted = eventually(ALL_WITHIN, "it is asked what it counted", async || {
            dispatcher.get("/metrics").await.ok()
        })
        .await
        .body;
        let counted = counted
            .lines()
            .find(|line| line.starts_with("hookline_shortages_total{") && line.contains("\"descriptors\""))
            .and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        assert!(counted.is_some_and(|count| count > 0), "{counted:?}");
        let log = dispatcher.log();
        let said = log
            .lines()
            .filter(|line| line.contains("this process has no file descriptor left"))
            .count();
        let minutes = usize::try_from(begun.elapsed().as_secs() / 60).unwrap();
        assert!((1..=1 + minutes).contains(&said), "{log}");
        for request in receivers.requests() {
            assert_eq!(request.values("webhook-attempt"), ["1"]);
        }
        assert_eq!(receivers.posts(), ENDPOINTS, "each once");
        world.expect_in(Queue::Failed, 0, Duration::ZERO).await;
        // With so few files it cannot end politely.
        dispatcher.kill().await;
    })
    .await;
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
