//! A hung endpoint holds its own few slots, and nothing of anyone else's.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use hookline_common::topology::{PARK_DELAYS, Queue};
use hookline_producer::Event;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::load;
use hookline_tests::records::Records;
use hookline_tests::services::services;
use hookline_tests::wire::Strike;
use hookline_tests::{Answer, Gate, Receiver, World, eventually, scenario, status};
use tokio::time::Instant;

use crate::SOON;

/// What is no hold-up yet, however quick deliveries are alone: the shortest that a hung endpoint could cause lasts a second.
const NOISE: Duration = Duration::from_millis(250);

/// Publishes fifty events one after the other, and returns what half of them and what all but five took at most from publish to
/// arrival: those five are left to whatever else the machine does.
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
    (latencies[25], latencies[44])
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
        let setup = world.dispatcher().set("HOOKLINE_PREFETCH", "100");
        setup.set("HOOKLINE_REQUEST_TIMEOUT", "600s").start().await;
        let mut judge = Judge::default();
        let before = latencies(world, &healthy, &mut judge).await;

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
        let beside = latencies(world, &healthy, &mut judge).await;

        gate.open();
        hung.expect(200, SOON).await;
        world.is_settled_within(SOON).await;
        // The same before and after: what the machine does else it does to all three, or to one of them by chance.
        let after = latencies(world, &healthy, &mut judge).await;
        let alone = (before.0.max(after.0), before.1.max(after.1));
        assert!(
            beside.0 <= alone.0 * 3 + NOISE && beside.1 <= alone.1 * 3 + NOISE * 2,
            "half and all but five {beside:?}; alone {before:?} and {after:?}"
        );
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

/// As when a host on which many have their endpoints stops answering: within a second, before any is known to hang, they hold the window.
#[tokio::test]
async fn endpoints_that_all_hang_in_the_same_moment_hold_no_window_until_they_answer() {
    assert_others_pass_what_hangs(None).await;
}

/// The broker sends again, before all others, what is asked still, and that fills a window.
#[tokio::test]
async fn endpoints_that_hang_over_a_lost_link_hold_no_window_until_they_answer() {
    assert_others_pass_what_hangs(Some(Strike::Reset)).await;
}

/// Many endpoints answer, and then all hang. What is for another is delivered meanwhile, also where the links to the broker are struck.
async fn assert_others_pass_what_hangs(links: Option<Strike>) {
    const HUNG: usize = 30;
    const EACH: usize = 10;
    const WINDOW: usize = 100;
    scenario(async |world| {
        let gate = Gate::closed();
        let host = Receiver::answering(status(200)).await;
        let healthy = Receiver::answering(status(200)).await;
        let id = |number: usize| format!("ep_{number}");
        let kind = |number: usize| format!("booking.n{number}");
        let mut endpoints: Vec<_> = (0..HUNG)
            .map(|number| endpoint(&id(number), &host).events(&[&kind(number)]))
            .collect();
        endpoints.push(endpoint("ep_healthy", &healthy).events(&["invoice.*"]));
        world.endpoints(endpoints);
        let wire = world.wire().await;
        let setup = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url));
        let setup = setup.set("HOOKLINE_PREFETCH", WINDOW.to_string());
        let dispatcher = setup.set("HOOKLINE_REQUEST_TIMEOUT", "600s").start().await;
        let mut judge = Judge::default();
        let event = |kind: &str| Event::new("acme", kind, "{}").unwrap();
        // They are known to answer.
        let mut events: Vec<_> = (0..HUNG).map(|number| event(&kind(number))).collect();
        load::publish_until_stored(world.producer().await, &events).await;
        host.expect(HUNG, SOON).await;
        host.answer_now(status(200).behind(&gate));
        let burst = (0..HUNG * EACH).map(|number| event(&kind(number % HUNG)));
        let burst: Vec<_> = burst.collect();
        load::publish_until_stored(world.producer().await, &burst).await;
        if let Some(strike) = links {
            eventually(2 * SOON, "as many hang as the window holds", async || {
                (host.count() >= HUNG + WINDOW).then_some(())
            })
            .await;
            let made = wire.accepted();
            let struck = wire.strike(strike, None);
            eventually(SOON, "as many links as were struck", async || {
                (wire.accepted() >= made + struck).then_some(())
            })
            .await;
            dispatcher.is_ready_within(SOON).await;
        }
        let others: Vec<_> = (0..20).map(|_| event("invoice.paid")).collect();
        load::publish_until_stored(world.producer().await, &others).await;
        healthy.expect(others.len(), SOON).await;
        assert_eq!(host.accepted().len(), HUNG, "none has answered meanwhile");
        gate.open();
        host.expect(HUNG * (EACH + 1), 5 * SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        world.is_settled_within(SOON).await;
        events.extend(burst);
        // Each event is for one of them.
        judge.accepted(&events, &["one of the host's"]);
        judge.accepted(&others, &["ep_healthy"]);
        judge.saw("one of the host's", &host);
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
        // Unless it hung indeed, with the whole machine, as the dispatcher saw it.
        let records = Records::of(world).await.expect(201, SOON).await;
        let took = records
            .iter()
            .map(|record| record["duration_ms"].as_u64().unwrap());
        let slowest = Duration::from_millis(took.max().unwrap());
        let parked = dispatcher.metric("hookline_deliveries_parked_total").await;
        assert!(
            parked.is_none_or(|parked| parked == 0.0) || slowest > Duration::from_secs(1),
            "{parked:?} although no answer took longer than {slowest:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_owners_rate_is_kept_to_the_end_of_a_burst() {
    const RATE: usize = 50;
    const EVENTS: usize = 700;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver).text("rate", &format!("{RATE}/s"))]);
        world.dispatcher().start().await;
        world.publish_many(EVENTS, "booking.created").await;
        let requests = receiver.expect(EVENTS, 2 * SOON).await;
        // In which second each was signed: requests that come late to a busy receiver were not sent too fast.
        let seconds: Vec<i64> = requests
            .iter()
            .map(|request| request.header("webhook-timestamp").parse().unwrap())
            .collect();
        let (first, last) = (seconds.iter().min().unwrap(), seconds.iter().max().unwrap());
        let each: Vec<usize> = (*first..=*last)
            .map(|second| seconds.iter().filter(|at| **at == second).count())
            .collect();
        // Never much more than it says. That it is hardly less shows where no other program has a part in it: in the simulation.
        let within = |from: usize| each[from..each.len().min(from + 5)].iter().sum::<usize>();
        assert!((0..each.len()).all(|from| within(from) <= RATE * 6), "{each:?}");
    })
    .await;
}

/// A receiver takes fifty requests a second and refuses the others with `refusal`: how much of what it gets is in vain.
async fn a_receiver_that_limits_its_rate(refusal: Answer, events: usize) {
    scenario(async |world| {
        let window = std::sync::Mutex::new((Instant::now(), 0));
        let receiver = Receiver::scripted(move |_| {
            let mut window = window.lock().unwrap();
            if window.0.elapsed() >= Duration::from_secs(1) {
                *window = (Instant::now(), 0);
            }
            window.1 += 1;
            if window.1 <= 50 {
                status(200)
            } else {
                refusal.clone()
            }
        })
        .await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let since = Instant::now();
        world.publish_many(events, "booking.created").await;
        eventually(5 * SOON, "all are delivered", async || {
            (receiver.accepted().len() >= events).then_some(())
        })
        .await;
        let (took, refused) = (since.elapsed(), receiver.count() - events);
        assert!(refused <= events / 2, "{refused} refusals in {took:?}");
        world.is_settled_within(SOON).await;
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_says_when_to_come_again_gets_what_it_can_take() {
    a_receiver_that_limits_its_rate(status(429).header("retry-after", "1"), 400).await;
}

#[tokio::test]
async fn a_receiver_that_only_refuses_gets_what_it_can_take() {
    a_receiver_that_limits_its_rate(status(503), 700).await;
}
