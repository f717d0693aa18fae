//! A dispatcher that is killed at a named point of a message's way, and another that takes over.

use hookline_tests::dispatcher::IN_FLIGHT;
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::judge::Judge;
use hookline_tests::{Receiver, SOON, eventually, scenario, status};

/// Events around the one that it is killed at.
const EVENTS: usize = 500;

/// Kills a dispatcher the tenth time that it comes to `point`, starts another, and judges.
async fn killed_at(point: &str, answer: u16, duplicates: usize) {
    scenario(async |world| {
        let mut trial = Trial::here();
        let receiver =
            Receiver::scripted(move |request| status(if request.attempt() == 1 { answer } else { 200 }))
                .await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let first = world.dispatcher().killed_at(&format!("{point}@10")).start().await;
        let events = world.publish_many(EVENTS, "booking.created").await;
        eventually(SOON, "it is killed at the point", async || {
            first.has_ended().await.then_some(())
        })
        .await;
        assert!(first.log().contains("killed at the failpoint"), "{}", first.log());
        trial.healed();
        world.dispatcher().start().await;
        let judge = || {
            let mut judge = Judge::default();
            judge.accepted(&events, &["ep_crm"]);
            judge.saw("ep_crm", &receiver);
            judge
        };
        eventually(SOON, "everything is delivered", async || {
            judge().verdict().lost.is_empty().then_some(())
        })
        .await;
        world.is_empty_within(SOON).await;
        trial.closes(&judge(), Allowed::twice(duplicates)).await;
    })
    .await;
}

#[tokio::test]
async fn d01_killed_after_a_delivery_is_received_and_before_its_post() {
    killed_at("before_post", 200, IN_FLIGHT).await;
}
