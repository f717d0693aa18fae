//! Cuts between the dispatcher and the broker: what was done is not done again. Under load they are in the fault suite.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::endpoint::endpoint;
use hookline_tests::message::{HandMade, text};
use hookline_tests::services::services;
use hookline_tests::wire::Wire;
use hookline_tests::{Gate, Receiver, World, eventually, scenario, status};
use lapin::BasicProperties;

use crate::SOON;

/// A dispatcher whose link to the broker can be cut, with one endpoint.
async fn on_a_wire(world: &World, receiver: &Receiver) -> (Arc<Wire>, Arc<Dispatcher>) {
    let wire = world.wire().await;
    world.endpoints([endpoint("ep_crm", receiver)]);
    let dispatcher = world
        .dispatcher()
        .set("HOOKLINE_AMQP_URL", wire.url(&services().amqp_url))
        .start()
        .await;
    (wire, dispatcher)
}

#[tokio::test]
async fn an_attempt_that_ends_while_the_link_is_down_is_not_made_again() {
    scenario(async |world| {
        let gate = Gate::closed();
        let receiver = Receiver::answering(status(200).behind(&gate)).await;
        let (wire, dispatcher) = on_a_wire(world, &receiver).await;
        world.publish_many(5, "booking.created").await;
        eventually(SOON, "five requests", async || {
            (receiver.count() == 5).then_some(())
        })
        .await;
        wire.cut();
        eventually(SOON, "it notices", async || {
            (!dispatcher.is_ready().await).then_some(())
        })
        .await;
        gate.open();
        receiver.expect(5, SOON).await;
        wire.restore();
        dispatcher.is_ready_within(SOON).await;
        world.is_settled_within(SOON).await;
        assert_eq!(receiver.count(), 5);
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_goes_on_across_a_reconnect_is_not_made_again() {
    scenario(async |world| {
        let gate = Gate::closed();
        let receiver = Receiver::answering(status(200).behind(&gate)).await;
        let (wire, dispatcher) = on_a_wire(world, &receiver).await;
        world.publish_many(5, "booking.created").await;
        eventually(SOON, "five requests", async || {
            (receiver.count() == 5).then_some(())
        })
        .await;
        wire.cut();
        eventually(SOON, "it notices", async || {
            (!dispatcher.is_ready().await).then_some(())
        })
        .await;
        wire.restore();
        dispatcher.is_ready_within(SOON).await;
        gate.open();
        world.is_settled_within(SOON).await;
        assert_eq!(receiver.count(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_failed_attempt_across_a_reconnect_is_retried_once_and_on_time() {
    scenario(async |world| {
        let gate = Gate::closed();
        let first = status(500).behind(&gate);
        let receiver = Receiver::scripted(move |request| {
            if request.attempt() == 1 {
                first.clone()
            } else {
                status(200)
            }
        })
        .await;
        let (wire, dispatcher) = on_a_wire(world, &receiver).await;
        world.publish("booking.created", "{}").await;
        eventually(SOON, "a request", async || (receiver.count() == 1).then_some(())).await;
        wire.cut();
        eventually(SOON, "it notices", async || {
            (!dispatcher.is_ready().await).then_some(())
        })
        .await;
        gate.open();
        receiver.expect(1, SOON).await;
        wire.restore();
        let requests = receiver.expect(2, SOON).await;
        world.is_settled_within(SOON).await;
        assert_eq!(receiver.count(), 2);
        assert!(requests[1].arrived - requests[0].ended.unwrap() >= Duration::from_secs(1));
    })
    .await;
}

/// Redeliveries are recognised by all that a message is, not by its id: somebody may use one id for many events, or none.
#[tokio::test]
async fn messages_that_share_an_id_or_have_none_are_told_apart_across_reconnects() {
    const EACH: usize = 300;
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let receiver = Receiver::answering(status(200).after(Duration::from_millis(300))).await;
        let (wire, dispatcher) = on_a_wire(world, &receiver).await;
        for number in 0..EACH {
            let body = format!("{{\"n\":{number}}}");
            let shared = HandMade::event().body(body.clone());
            shared
                .properties(|it| it.with_message_id("booking_42".into()))
                .publish(world)
                .await;
            let without = HandMade::event()
                .body(body)
                .header("case", text(&number.to_string()));
            without.properties(without_id).publish(world).await;
        }
        // Many are done and many more are in hand whenever the link goes.
        for done in [60, 120] {
            eventually(SOON, "some are done", async || {
                (receiver.count() >= done).then_some(())
            })
            .await;
            wire.cut();
            let tries = wire.accepted() + 2;
            eventually(SOON, "it tries to come back", async || {
                (wire.accepted() >= tries).then_some(())
            })
            .await;
            wire.restore();
        }
        eventually(SOON, "every event is delivered", async || {
            let bodies: HashSet<Vec<u8>> = receiver
                .accepted()
                .into_iter()
                .map(|request| request.body.to_vec())
                .collect();
            (bodies.len() == EACH).then_some(())
        })
        .await;
        eventually(SOON, "every message without an id is rejected", async || {
            let rejected = world.read(Queue::Rejected).await;
            let cases: HashSet<String> = rejected
                .iter()
                .map(|message| message.text("case").to_owned())
                .collect();
            (cases.len() == EACH).then_some(())
        })
        .await;
        // What was rejected and not acknowledged when the link went is rejected once more.
        world.is_settled_within(SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        dispatcher.stop().await;
    })
    .await;
}

fn without_id(properties: BasicProperties) -> BasicProperties {
    let mut bare = BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/json".into());
    if let Some(headers) = properties.headers() {
        bare = bare.with_headers(headers.clone());
    }
    if let (Some(kind), Some(timestamp)) = (properties.kind(), properties.timestamp()) {
        bare = bare.with_type(kind.clone()).with_timestamp(*timestamp);
    }
    bare
}
