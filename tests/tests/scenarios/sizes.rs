//! Events of all sizes, one after the other and all at once: the dispatcher's memory stays within a bound, and each is
//! delivered once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hookline_producer::Event;
use hookline_tests::console::{self, database_scenario};
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::endpoint::{Endpoint, endpoint};
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::receiver::Received;
use hookline_tests::services::services;
use hookline_tests::wire::{Strike, Wire};
use hookline_tests::{Answer, Gate, Receiver, World, eventually, scenario, status};

use crate::SOON;

/// An event's data may have so many bytes.
const LARGE: usize = 100_000;
const SMALL: usize = 100;
/// Endpoints that share the load, so that no endpoint's limit bounds what is in hand.
const ENDPOINTS: usize = 20;
/// How long a receiver takes.
const USUAL: Duration = Duration::from_millis(50);
/// How often connections are made anew: from the third time on it makes no difference any more.
const ANEW: usize = 3;
/// What the dispatcher may have resident at the worst, in KiB. It was seen to take 117 MB, in release and debug builds, on a machine whose
/// processors were busy with other work; where it read whatever the broker sends as fast as it comes, 191 there.
const MAX_RESIDENT_KB: u64 = 150 * 1024;

/// Data of about so many bytes that does not compress to nothing.
pub(crate) fn data(bytes: usize, number: usize) -> String {
    let mut text = String::from("{\"lines\":[");
    let mut line = number;
    while text.len() + 32 < bytes {
        line = line
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{line},"));
    }
    text.push_str("0]}");
    text
}

async fn backlog(world: &World, sizes: &[usize]) -> Vec<Vec<Event>> {
    let mut events = vec![Vec::new(); ENDPOINTS];
    let made = sizes.iter().enumerate().map(|(number, bytes)| {
        let company = format!("company_{}", number % ENDPOINTS);
        let event = Event::new(&company, "booking.created", data(*bytes, number)).unwrap();
        events[number % ENDPOINTS].push(event.clone());
        event
    });
    // Made one at a time as they are published: all together take seconds, in which receivers, of the same thread, would not answer.
    let made = futures_util::stream::iter(made).then(async |event| {
        tokio::task::yield_now().await;
        event
    });
    let mut receipts = world.producer().await.publish_all(made).boxed_local();
    while let Some(receipt) = receipts.next().await {
        receipt.unwrap();
    }
    drop(receipts);
    events
}

/// Which dispatcher gets the backlog.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Started {
    /// One that starts when the backlog is there.
    Afresh,
    /// One that has run for a while, and whose connections were made anew again and again, as when brokers are restarted.
    Before,
}

/// Receivers that take their time, each with an endpoint of a company of its own.
async fn receivers(
    world: &World,
    answer: impl Fn(&Received) -> Answer + Copy + Send + 'static,
) -> Vec<Receiver> {
    let mut receivers = Vec::new();
    for _ in 0..ENDPOINTS {
        receivers.push(Receiver::scripted(answer).await);
    }
    let endpoints: Vec<_> = receivers
        .iter()
        .enumerate()
        .map(|(number, receiver)| {
            endpoint(&format!("ep_{number}"), receiver).text("company", &format!("company_{number}"))
        })
        .collect();
    world.endpoints(endpoints);
    receivers
}

/// Waits until each has had what is for it, the dispatcher has nothing in hand, and says what is wrong with what they got.
async fn verdict(receivers: &[Receiver], events: &[Vec<Event>], dispatcher: &Dispatcher) -> Verdict {
    let mut judge = Judge::default();
    for (number, (receiver, events)) in receivers.iter().zip(events).enumerate() {
        receiver.expect(events.len(), 5 * SOON).await;
        judge.accepted(events, &[&format!("ep_{number}")]);
    }
    dispatcher.has_let_go_within(5 * SOON).await;
    for (number, receiver) in receivers.iter().enumerate() {
        judge.saw(&format!("ep_{number}"), receiver);
    }
    judge.verdict()
}

async fn assert_bounded(what: &str, sizes: Vec<usize>, started: Started) {
    scenario(async |world| {
        let receivers = receivers(world, |_| status(200).after(USUAL)).await;
        let amqp_url = &services().amqp_url;
        let wire = world.wire().await;
        let dispatcher = world.dispatcher().set("HOOKLINE_AMQP_URL", wire.url(amqp_url));
        let (events, dispatcher) = match started {
            Started::Afresh => (backlog(world, &sizes).await, dispatcher.start().await),
            Started::Before => {
                let dispatcher = dispatcher.start().await;
                for _ in 0..ANEW {
                    connects_anew(&wire, &dispatcher).await;
                }
                wire.cut();
                let events = backlog(world, &sizes).await;
                dispatcher.forget_peak();
                wire.restore();
                (events, dispatcher)
            }
        };
        let verdict = verdict(&receivers, &events, &dispatcher).await;
        let (_, peak) = dispatcher.resident_kb();
        assert_eq!(verdict, Verdict::default());
        assert!(peak <= MAX_RESIDENT_KB, "{what}: {peak} KiB at the worst");
        // Records that the log did not confirm in time, on a busy machine, were set aside, and are moved back over this wire.
        world.is_empty_within(5 * SOON).await;
    })
    .await;
}

/// A dispatcher over this link, which tells how its windows follow the sizes.
async fn telling(world: &World, wire: &Wire) -> Arc<Dispatcher> {
    world
        .dispatcher()
        .set("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url))
        .set("RUST_LOG", "info,hookline_consume=debug")
        .start()
        .await
}

/// Ends all its connections, and waits until they are back.
async fn connects_anew(wire: &Wire, dispatcher: &Dispatcher) {
    let made = wire.accepted();
    let ended = wire.strike(Strike::Reset, None);
    eventually(SOON, "as many connections as were ended", async || {
        (wire.accepted() >= made + ended).then_some(())
    })
    .await;
    dispatcher.is_ready_within(SOON).await;
}

/// Of which each would be resident as a whole as soon as one byte of it is written.
#[tokio::test]
async fn no_program_takes_its_memory_in_huge_pages() {
    database_scenario(async |world, database| {
        world.endpoints([Endpoint::at("ep_crm", "http://127.0.0.1:9/")]);
        let dispatcher = world.dispatcher().start().await;
        let console = console::start(console::setup(world, database)).await;
        for process in [&dispatcher, console.process()] {
            let status = process.proc_status();
            // Linux says so since 5.0.
            assert!(status.lines().any(|line| line == "THP_enabled:\t0"), "{status}");
        }
    })
    .await;
}

#[tokio::test]
async fn large_events_only() {
    assert_bounded("large", vec![LARGE; 800], Started::Afresh).await;
}

#[tokio::test]
async fn small_and_large_ones_in_turn() {
    assert_bounded("in turn", [SMALL, LARGE].repeat(500), Started::Afresh).await;
}

#[tokio::test]
async fn mostly_small_ones_and_some_that_are_large() {
    let mut ten = vec![SMALL; 9];
    ten.push(LARGE);
    assert_bounded("bimodal", ten.repeat(400), Started::Afresh).await;
}

#[tokio::test]
async fn a_backlog_of_small_ones_and_then_one_of_large_ones() {
    let sizes = [vec![SMALL; 4000], vec![LARGE; 800]].concat();
    assert_bounded("sudden", sizes, Started::Afresh).await;
}

/// What the client library sets aside for its connections lies in memory that was used before, then, and is all resident.
#[tokio::test]
async fn a_backlog_of_small_ones_and_then_one_of_large_ones_for_a_dispatcher_that_was_cut_off() {
    let sizes = [vec![SMALL; 4000], vec![LARGE; 800]].concat();
    assert_bounded("sudden, cut off", sizes, Started::Before).await;
}

/// They are read no faster than others are delivered, and what of them is read already when the stop comes goes back to its queue.
#[tokio::test]
async fn a_stop_while_large_ones_follow_small_ones_delivers_none_of_them_twice() {
    const SMALL_ONES: usize = 4000;
    scenario(async |world| {
        let receivers = receivers(world, |_| status(200).after(USUAL)).await;
        let events = backlog(world, &[vec![SMALL; SMALL_ONES], vec![LARGE; 400]].concat()).await;
        let received = || receivers.iter().map(Receiver::count).sum::<usize>();
        // The first large ones come while the window is the one for small ones, others later.
        for until in [SMALL_ONES - 200, SMALL_ONES + 40, SMALL_ONES + 100] {
            let dispatcher = world.dispatcher().start().await;
            eventually(5 * SOON, "so many are delivered", async || {
                (received() >= until).then_some(())
            })
            .await;
            dispatcher.terminate().await;
            assert_eq!(dispatcher.ends_within(SOON).await.code(), Some(0));
        }
        let last = world.dispatcher().start().await;
        assert_eq!(verdict(&receivers, &events, &last).await, Verdict::default());
        world.is_empty_within(5 * SOON).await;
    })
    .await;
}

/// What is on its way when the window changes takes longer to come than any answer is waited for, and its answer stands behind it.
#[tokio::test]
async fn large_ones_that_follow_small_ones_over_a_slow_link_cost_no_link() {
    /// Of a window of large ones the last come after 14 seconds.
    const BYTES_PER_SECOND: u64 = 7_000_000;
    /// So many of them are with the receivers then that the window is too wide.
    const TAKES_LARGE: Duration = Duration::from_millis(950);
    scenario(async |world| {
        let receivers = receivers(world, |request| {
            let is_large = request.body.len() > LARGE / 2;
            status(200).after(if is_large { TAKES_LARGE } else { USUAL })
        })
        .await;
        let wire = world.wire().await;
        let dispatcher = telling(world, &wire).await;
        let small = backlog(world, &[SMALL; 4000]).await;
        for (receiver, events) in receivers.iter().zip(&small) {
            receiver.expect(events.len(), 5 * SOON).await;
        }
        wire.limit_answers(BYTES_PER_SECOND);
        let large = backlog(world, &[LARGE; 1000]).await;
        let events: Vec<_> = small
            .into_iter()
            .zip(large)
            .map(|(small, large)| [small, large].concat())
            .collect();
        assert_eq!(
            verdict(&receivers, &events, &dispatcher).await,
            Verdict::default()
        );
        let log = dispatcher.log();
        assert!(log.contains("the window follows the size of messages"), "{log}");
        assert!(!log.contains("is lost"), "the broker sent all the time: {log}");
    })
    .await;
}

/// Six receivers that do not answer yet hold as many bytes as slow ones may. Whose deliveries stand in the same queue get theirs.
#[tokio::test]
async fn slow_receivers_of_large_events_keep_nobody_else_waiting() {
    const SLOW: usize = 6;
    const EVENTS: usize = 30;
    const OTHERS: usize = 300;
    scenario(async |world| {
        let gate = Gate::closed();
        let slow = Receiver::answering(status(200).behind(&gate)).await;
        let healthy = Receiver::answering(status(200)).await;
        // More than one endpoint each: then what is for them goes through one queue.
        let ids = (0..SLOW).map(|number| format!("ep_{number}"));
        let mut endpoints: Vec<_> = ids
            .map(|id| endpoint(&id, &slow).text("company", "slow"))
            .collect();
        endpoints.extend(["ep_a", "ep_b"].map(|id| endpoint(id, &healthy).text("company", "healthy")));
        world.endpoints(endpoints);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_REQUEST_TIMEOUT", "10m")
            .start()
            .await;
        for number in 0..EVENTS {
            let event = Event::new("slow", "booking.created", data(LARGE, number)).unwrap();
            world.producer().await.publish(&event).await.unwrap();
        }
        eventually(SOON, "each slow one has several in hand", async || {
            (slow.count() >= 3 * SLOW).then_some(())
        })
        .await;
        for number in 0..OTHERS {
            let event = Event::new("healthy", "booking.created", data(SMALL, number)).unwrap();
            world.producer().await.publish(&event).await.unwrap();
        }
        healthy.expect(2 * OTHERS, SOON).await;
        assert_eq!(
            slow.accepted().len(),
            0,
            "all this while nobody slow has answered"
        );
        gate.open();
        slow.expect(SLOW * EVENTS, 5 * SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        assert_eq!((slow.count(), healthy.count()), (SLOW * EVENTS, 2 * OTHERS));
    })
    .await;
}

/// The window widens, for which the queue is given up for a moment: a broker that takes two seconds for each answer is waited for.
#[tokio::test]
async fn a_window_that_widens_while_the_broker_is_slow_gives_no_link_up() {
    const EVENTS: usize = 400;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200).after(Duration::from_millis(20))).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let wire = world.wire().await;
        let dispatcher = telling(world, &wire).await;
        wire.delay(Duration::from_secs(2));
        let events: Vec<_> = (0..EVENTS)
            .map(|number| Event::new("acme", "booking.created", data(SMALL, number)).unwrap())
            .collect();
        let mut receipts = world
            .producer()
            .await
            .publish_all(futures_util::stream::iter(events.clone()));
        while let Some(receipt) = receipts.next().await {
            receipt.unwrap();
        }
        drop(receipts);
        receiver.expect(EVENTS, 5 * SOON).await;
        wire.restore();
        let log = dispatcher.log();
        assert!(log.contains("the window follows the size of messages"), "{log}");
        assert!(
            !log.contains("is lost"),
            "no link was given up for being slow: {log}"
        );
        dispatcher.has_let_go_within(5 * SOON).await;
        // What was spilled while the log was slow, too, and by the same wire.
        world.is_settled_within(5 * SOON).await;
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        assert_eq!(judge.verdict(), Verdict::default());
    })
    .await;
}
