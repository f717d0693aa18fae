//! What the metrics and the log say when something is wrong, in time for a person to act.

use hookline_common::schedule::Delay;
use hookline_common::topology::Queue;
use hookline_producer::{Event, Producer, Settings};
use hookline_tests::endpoint::endpoint;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::records::Records;
use hookline_tests::services::services;
use hookline_tests::{Gate, Receiver, World, eventually, scenario, status};
use tokio::time::Instant;

use crate::SOON;

const REFUSED: &str = "hookline_publish_refused_total";
const RECONNECTS: &str = "hookline_reconnects_total";
const OLDEST: &str = "hookline_oldest_unsettled_seconds";
const UNMATCHED: &str = "hookline_events_unmatched_total";

async fn producer(private: &PrivateBroker, world: &World) -> Producer {
    let settings = Settings::new(&private.url()).unwrap();
    let settings = settings.with_namespace(world.namespace().clone());
    Producer::connect(settings).await.unwrap()
}

/// Text of so many bytes that cannot be compressed much, another for each seed.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed + 1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut text = String::new();
    while text.len() < bytes {
        text.push_str(&format!("{:016x}", next()));
    }
    text.truncate(bytes);
    text
}

async fn set_max_message_size(private: &PrivateBroker, bytes: usize) {
    // RabbitMQ 3 reads it each time, and RabbitMQ 4 keeps what it has read at its start.
    let expression = format!(
        "application:set_env(rabbit, max_message_size, {bytes}), persistent_term:put(max_message_size, {bytes})."
    );
    private.evaluate(&expression).await;
}

#[tokio::test]
async fn a_queue_that_is_full_is_counted_and_told_once_and_everything_goes_on_when_it_has_room() {
    const EVENTS: usize = 20;
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", private.url())
            .set("HOOKLINE_RETRY_SCHEDULE", "5s")
            .start()
            .await;
        assert_eq!(dispatcher.metric(REFUSED).await, Some(0.0));
        let retry = world.queue(Queue::Retry(Delay::from_seconds(5)));
        let max_length = async |messages: u32| {
            let policy = format!(
                "rabbit_policy:parse_set(<<\"/\">>, <<\"full\">>, <<\"^{retry}$\">>, \
                 <<\"{{\\\"max-length\\\":{messages}}}\">>, <<\"0\">>, <<\"queues\">>, <<\"tests\">>)."
            );
            private.evaluate(&policy).await;
        };
        max_length(1).await;
        let begun = Instant::now();
        let producer = producer(&private, world).await;
        for number in 0..EVENTS {
            let event = Event::new("acme", "booking.created", format!("{{\"n\":{number}}}")).unwrap();
            producer.publish(&event).await.unwrap();
        }
        receiver.expect(EVENTS, SOON).await;
        eventually(SOON, "refusals are counted", async || {
            let refused = dispatcher.metric(REFUSED).await;
            refused.is_some_and(|refused| refused >= 30.0).then_some(())
        })
        .await;
        let log = dispatcher.log();
        let told: Vec<_> = log
            .lines()
            .filter(|line| line.contains("the broker refused it"))
            .collect();
        let minutes = usize::try_from(begun.elapsed().as_secs() / 60).unwrap();
        assert!((1..=1 + minutes).contains(&told.len()), "once a minute: {told:?}");
        assert!(told[0].contains(&retry) && told[0].contains("full"), "{told:?}");

        receiver.answer_now(status(200));
        // Not deleted: the broker tells nobody that has been refused of a limit that is gone.
        max_length(100_000).await;
        eventually(SOON, "each is delivered once", async || {
            (receiver.accepted().len() == EVENTS).then_some(())
        })
        .await;
        dispatcher.has_let_go_within(SOON).await;
        dispatcher.stop().await;
        assert_eq!(receiver.count(), 2 * EVENTS);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_settled_is_told_with_its_event_endpoint_and_attempt() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let data = format!("{{\"noise\":\"{}\"}}", noise(0, 50_000));
        let event = Event::new("acme", "booking.created", data).unwrap();
        producer(&private, world).await.publish(&event).await.unwrap();
        // A channel keeps the limit that it was opened with: the dispatcher's are opened from here on.
        set_max_message_size(&private, 20_000).await;
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", private.url())
            .start()
            .await;
        let told = dispatcher.says("cannot be settled", SOON).await;
        for part in [event.id.as_str(), "ep_crm", "attempt=1"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        // It stays where it is, for whoever comes next.
        dispatcher.stop().await;
        assert_eq!(receiver.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_link_that_comes_back_and_a_receiver_that_hangs_show_in_the_metrics() {
    scenario(async |world| {
        let gate = Gate::closed();
        let receiver = Receiver::answering(status(200).behind(&gate)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let wire = world.wire().await;
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url))
            .start()
            .await;
        assert_eq!(dispatcher.metric(RECONNECTS).await, Some(0.0));
        assert_eq!(dispatcher.metric(OLDEST).await, Some(0.0));
        world.publish("booking.created", "{}").await;
        eventually(SOON, "its age shows", async || {
            let oldest = dispatcher.metric(OLDEST).await;
            oldest.is_some_and(|oldest| oldest >= 1.0).then_some(())
        })
        .await;
        gate.open();
        receiver.expect_one(SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        assert_eq!(dispatcher.metric(OLDEST).await, Some(0.0));

        wire.cut();
        eventually(SOON, "it notices", async || {
            (!dispatcher.is_ready().await).then_some(())
        })
        .await;
        wire.restore();
        dispatcher.is_ready_within(SOON).await;
        let reconnects = dispatcher.metric(RECONNECTS).await;
        assert!(
            reconnects.is_some_and(|reconnects| reconnects >= 1.0),
            "{reconnects:?}"
        );
        dispatcher.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_event_that_nobody_wants_is_counted_and_named_to_who_asks() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver).events(&["invoice.*"])]);
        let dispatcher = world
            .dispatcher()
            .set("RUST_LOG", "info,hookline_dispatcher=debug")
            .start()
            .await;
        let event = world.publish("booking.created", "{}").await;
        world.publish("invoice.paid", "{}").await;
        receiver.expect_one(SOON).await;
        let told = dispatcher.says("no endpoint wants this event", SOON).await;
        for part in [event.id.as_str(), "acme", "booking.created"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        dispatcher.shows(UNMATCHED, 1.0).await;
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_refuses_batches_of_records_gets_smaller_ones_and_no_attempt_is_repeated() {
    const EVENTS: u64 = 60;
    const COUNT: usize = EVENTS as usize;
    const MAX: usize = 6_000;
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let producer = producer(&private, world).await;
        // All of them at once, so that batches are large.
        for seed in 0..EVENTS {
            let data = format!("{{\"noise\":\"{}\"}}", noise(seed, 4_000));
            let event = Event::new("acme", "booking.created", data).unwrap();
            producer.publish(&event).await.unwrap();
        }
        set_max_message_size(&private, MAX).await;
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", private.url())
            .start()
            .await;
        receiver.expect(COUNT, SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        let records = Records::at(&private.url(), world).await;
        records.expect(COUNT, SOON).await;
        dispatcher.stop().await;
        assert_eq!(receiver.count(), COUNT, "no attempt is made again");
        let lost = dispatcher.log().matches("records are left out").count();
        assert_eq!(lost, 0);
    })
    .await;
}
