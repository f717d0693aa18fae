//! A hung endpoint holds its own few slots, and nothing of anyone else's.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use hookline_common::topology::{PARK_DELAYS, Queue};
use hookline_producer::Event;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::{Gate, Receiver, World, eventually, scenario, status};
use tokio::time::Instant;

use crate::SOON;

/// What sharing the machine with other scenarios may add to any one delivery.
const NOISE: Duration = Duration::from_millis(250);

/// Publishes fifty events one after the other and returns median and longest time from publish to arrival.
async fn latencies(world: &World, receiver: &Receiver, judge: &mut Judge) -> (Duration, Duration) {
    let before = receiver.count();
    let mut published = HashMap::new();
    for _ in 0..50 {
        let event = Event::new("acme", "invoice.paid", "{}").unwrap();
        published.insert(event.id.to_string(), Instant::now());
        world.producer().await.publish(&event).await.unwrap();
        judge.accepted([&event], &["ep_healthy"]);
    }
    let requests = receiver.expect(before + 50, SOON).await;
    let mut latencies: Vec<_> = requests[before..]
        .iter()
        .map(|request| request.arrived - published[request.id()])
        .collect();
    latencies.sort_unstable();
    (latencies[25], latencies[49])
}

#[tokio::test]
async fn a_hung_endpoint_delays_no_other_and_gets_everything_when_it_recovers() {
    scenario(async |world| {
        let gate = Gate::closed();
        let hung = Receiver::answering(status(200).behind(&gate)).await;
        let healthy = Receiver::answering(status(200)).await;
        world.endpoints([
            endpoint("ep_hung", &hung).events(&["booking.*"]),
            endpoint("ep_healthy", &healthy).events(&["invoice.*"]),
        ]);
        world.dispatcher().set("HOOKLINE_PREFETCH", "100").start().await;
        let mut judge = Judge::default();
        let (median_alone, _) = latencies(world, &healthy, &mut judge).await;

        let pending = world.publish_many(200, "booking.created").await;
        judge.accepted(&pending, &["ep_hung"]);
        eventually(SOON, "deliveries are set aside", async || {
            let parked = world
                .broker()
                .ready(&world.queue(Queue::Park(PARK_DELAYS[0])))
                .await;
            (parked > Some(50)).then_some(())
        })
        .await;
        // A burst ahead in the same queue is another matter than a hung endpoint.
        eventually(SOON, "the burst has passed", async || {
            let waiting = world.broker().ready(&world.queue(Queue::Events)).await;
            (waiting == Some(0)).then_some(())
        })
        .await;
        let (median, longest) = latencies(world, &healthy, &mut judge).await;
        assert!(
            median <= median_alone * 2 + NOISE / 5 && longest <= median_alone * 2 + NOISE * 2,
            "median {median:?}, longest {longest:?}; alone {median_alone:?}"
        );

        gate.open();
        hung.expect(200, Duration::from_secs(30)).await;
        assert!(
            hung.requests().iter().all(|request| request.attempt() == 1),
            "being set aside spends no attempt"
        );
        judge.saw("ep_hung", &hung);
        judge.saw("ep_healthy", &healthy);
        assert_eq!(judge.verdict(), Verdict::default());
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_only_busy_is_never_set_aside() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200).after(Duration::from_millis(100))).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        // One is through, so its pace is known.
        world.publish("booking.created", "{}").await;
        receiver.expect(1, SOON).await;
        futures_util::stream::iter(0..200)
            .for_each_concurrent(50, async |_| {
                world.publish("booking.created", "{}").await;
            })
            .await;
        receiver.expect(201, SOON).await;
        let metrics = dispatcher.get("/metrics").await.unwrap().body;
        let parked = metrics
            .lines()
            .find(|line| line.starts_with("hookline_deliveries_parked"));
        assert!(parked.is_none_or(|line| line.ends_with(" 0")), "{parked:?}");
    })
    .await;
}

#[tokio::test]
async fn an_owners_rate_is_kept_to_the_end_of_a_burst() {
    const RATE: usize = 50;
    const EVENTS: usize = 900;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver).text("rate", &format!("{RATE}/s"))]);
        world.dispatcher().start().await;
        world.publish_many(EVENTS, "booking.created").await;
        let requests = receiver.expect(EVENTS, Duration::from_secs(120)).await;
        let first = requests.first().map(|request| request.arrived).unwrap();
        let seconds: Vec<u64> = requests
            .iter()
            .map(|request| (request.arrived - first).as_secs())
            .collect();
        let last = seconds.iter().max().copied().unwrap_or_default();
        let each: Vec<usize> = (0..=last)
            .map(|second| seconds.iter().filter(|at| **at == second).count())
            .collect();
        // Never much more than it says, and not so much less that the burst takes three times as long.
        let within = |from: usize| each[from..each.len().min(from + 10)].iter().sum::<usize>();
        assert!((0..each.len()).all(|from| within(from) <= RATE * 12), "{each:?}");
        assert!(each.len() <= EVENTS / RATE * 3, "{each:?}");
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_limits_its_rate_gets_what_it_can_take() {
    for (retry_after, events) in [(Some("1"), 400), (None, 1_000)] {
        scenario(async |world| {
            let window = std::sync::Mutex::new((Instant::now(), 0));
            let receiver = Receiver::scripted(move |_| {
                let mut window = window.lock().unwrap();
                if window.0.elapsed() >= Duration::from_secs(1) {
                    *window = (Instant::now(), 0);
                }
                window.1 += 1;
                match (window.1 <= 50, retry_after) {
                    (true, _) => status(200),
                    (false, Some(seconds)) => status(429).header("retry-after", seconds),
                    (false, None) => status(503),
                }
            })
            .await;
            world.endpoints([endpoint("ep_crm", &receiver)]);
            world.dispatcher().start().await;
            let since = Instant::now();
            world.publish_many(events, "booking.created").await;
            eventually(Duration::from_secs(300), "all are delivered", async || {
                (receiver.accepted().len() >= events).then_some(())
            })
            .await;
            let (took, refused) = (since.elapsed(), receiver.count() - events);
            assert!(refused <= events / 2, "{refused} refusals in {took:?}");
            world.is_empty_within(Duration::from_secs(60)).await;
        })
        .await;
    }
}
