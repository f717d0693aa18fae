//! A dispatcher whose machine has run out: no room for its log, nobody behind its streams, hardly a file to open. Deliveries go
//! on, and no endpoint is blamed.

use hookline_producer::{Event, Producer, Settings};
use hookline_tests::dispatcher::Setup;
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial, are_found};
use hookline_tests::judge::Judge;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::{Gate, Receiver, SOON, World, eventually, scenario, status};

const EVENTS: usize = 2000;
/// What a log may be long where its disk is full, in blocks of 512 bytes: some twenty lines.
const LOG_BLOCKS: u32 = 16;

/// Delivers events whose every second one costs a line of the log, and stops in order.
async fn deliveries_go_on<'a>(world: &'a World, setup: Setup<'a>) {
    let trial = Trial::here();
    let mut count = 0;
    let receiver = Receiver::scripted(move |request| {
        count += usize::from(request.attempt() == 1);
        let is_refused = request.attempt() == 1 && count % 2 == 0;
        status(if is_refused { 500 } else { 200 })
    })
    .await;
    world.endpoints([endpoint("ep_crm", &receiver)]);
    let dispatcher = setup.start().await;
    let events = world.publish_many(EVENTS, "booking.created").await;
    are_found(world, &[&receiver], EVENTS, SOON).await;
    world.is_settled_within(SOON).await;
    assert!(dispatcher.is_ready().await);
    dispatcher.stop().await;
    let mut judge = Judge::with_usual_schedule();
    judge.accepted(&events, &["ep_crm"]);
    judge.saw("ep_crm", &receiver);
    // Every attempt is one that the receiver asked for.
    assert_eq!(receiver.count(), EVENTS + EVENTS / 2);
    trial.closes(&judge, Allowed::nothing()).await;
}

#[tokio::test]
async fn d42_stdout_and_stderr_are_closed() {
    scenario(async |world| {
        deliveries_go_on(world, world.dispatcher().redirected(">&- 2>&-")).await;
    })
    .await;
}

#[tokio::test]
async fn d42_the_disk_of_the_log_is_full() {
    scenario(async |world| {
        deliveries_go_on(world, world.dispatcher().redirected(">/dev/full 2>/dev/full")).await;
    })
    .await;
}

#[tokio::test]
async fn d42_the_log_has_grown_as_large_as_a_file_may_be() {
    scenario(async |world| {
        let log = world.path("log");
        let setup = world
            .dispatcher()
            .file_blocks(LOG_BLOCKS)
            .redirected(&format!("2>'{}'", log.display()));
        deliveries_go_on(world, setup).await;
        let written = std::fs::metadata(&log).unwrap().len();
        assert_eq!(written, u64::from(LOG_BLOCKS) * 512, "it is full");
    })
    .await;
}

#[tokio::test]
async fn d42_a_hundred_receivers_and_64_open_files() {
    const RECEIVERS: usize = 100;
    const EACH: usize = 20;
    scenario(async |world| {
        let trial = Trial::here();
        let (mut receivers, mut endpoints, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..RECEIVERS {
            let receiver = Receiver::answering(status(200)).await;
            ids.push(format!("ep_{number}"));
            endpoints.push(endpoint(&ids[number], &receiver));
            receivers.push(receiver);
        }
        world.endpoints(endpoints);
        let dispatcher = world.dispatcher().open_files(64, 64).start().await;
        let events = world.publish_many(EACH, "booking.created").await;
        let all: Vec<&Receiver> = receivers.iter().collect();
        are_found(world, &all, RECEIVERS * EACH, 3 * SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        world.is_settled_within(SOON).await;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut judge = Judge::with_usual_schedule();
        judge.accepted(&events, &ids);
        for (id, receiver) in ids.iter().zip(&receivers) {
            judge.saw(id, receiver);
            assert!(
                receiver.requests().iter().all(|request| request.attempt() == 1),
                "what was short was ours, and cost nobody an attempt"
            );
        }
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

/// The broker takes a consumer for dead that acknowledges too late, and closes its channel: with half an hour no request lasts as
/// long, with seconds many do.
#[tokio::test]
async fn d33_the_broker_waits_for_acknowledgements_no_longer_than_for_requests() {
    const SLOW: usize = 20;
    let private = PrivateBroker::start().await;
    for (setting, milliseconds) in [("consumer_timeout", 3000), ("channel_tick_interval", 500)] {
        let expression = format!("application:set_env(rabbit, {setting}, {milliseconds}).");
        private.evaluate(&expression).await;
    }
    scenario(async |world| {
        let mut trial = Trial::here();
        let gate = Gate::closed();
        let slow = Receiver::answering(status(200).behind(&gate)).await;
        let quick = Receiver::answering(status(200)).await;
        world.endpoints([
            endpoint("ep_slow", &slow).events(&["booking.created"]),
            endpoint("ep_quick", &quick).events(&["booking.cancelled"]),
        ]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", private.url())
            .set("HOOKLINE_REQUEST_TIMEOUT", "600s")
            .start()
            .await;
        let settings = Settings::new(&private.url()).unwrap();
        let settings = settings.with_namespace(world.namespace().clone());
        let producer = Producer::connect(settings).await.unwrap();
        let publish = async |count: usize, event_type: &str| {
            let mut events = Vec::new();
            for _ in 0..count {
                let event = Event::new("acme", event_type, "{}").unwrap();
                producer.publish(&event).await.unwrap();
                events.push(event);
            }
            events
        };
        let hanging = publish(SLOW, "booking.created").await;
        eventually(SOON, "the broker has lost patience twice", async || {
            let reconnects = dispatcher.metric("hookline_reconnects_total").await;
            (reconnects >= Some(2.0)).then_some(())
        })
        .await;
        // What is quick goes on beside it.
        let others = publish(EVENTS, "booking.cancelled").await;
        are_found(world, &[&quick], EVENTS, SOON).await;
        trial.healed();
        gate.open();
        are_found(world, &[&slow, &quick], SLOW + EVENTS, SOON).await;
        world.rests_on(&private.url(), SOON).await;
        dispatcher.stop().await;
        let mut judge = Judge::with_usual_schedule();
        judge.accepted(&hanging, &["ep_slow"]);
        judge.accepted(&others, &["ep_quick"]);
        judge.saw("ep_slow", &slow);
        judge.saw("ep_quick", &quick);
        // What is still under way is known when the broker hands it out again.
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}
