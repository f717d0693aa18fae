//! A crash of a program: every event that was accepted is found again. What else may crash, and where, the fault suite tries
//! (`tests/tests/faults/`).

use std::time::Duration;

use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::{Receiver, eventually, scenario, status};

use crate::{IN_FLIGHT, SOON};

#[tokio::test]
async fn a_killed_dispatcher_repeats_at_most_what_it_had_in_flight() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200).after(Duration::from_millis(200))).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let first = world
            .dispatcher()
            .set("HOOKLINE_ENDPOINT_CONCURRENCY", IN_FLIGHT.to_string());
        let first = first.start().await;
        let events = world.publish_many(200, "booking.created").await;
        eventually(SOON, "it is in the middle of it", async || {
            (receiver.accepted().len() >= 60).then_some(())
        })
        .await;
        first.kill().await;
        world.dispatcher().start().await;
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        eventually(SOON, "everything is delivered", async || {
            let accepted = receiver.accepted();
            events
                .iter()
                .all(|event| accepted.iter().any(|request| request.id() == event.id.as_str()))
                .then_some(())
        })
        .await;
        world.is_settled_within(SOON).await;
        judge.saw("ep_crm", &receiver);
        // In flight is also what was answered and not yet acknowledged to the broker.
        judge.nothing_is_lost(2 * IN_FLIGHT);
    })
    .await;
}
