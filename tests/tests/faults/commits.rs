//! Connections to the database that are cut in the middle of a COMMIT: what was meant to be there once is there once.

use hookline_tests::console::{database_scenario, dispatcher_on, setup_on, start};
use hookline_tests::endpoint::{SECRET, endpoint};
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::judge::Judge;
use hookline_tests::load::{numbered, publish_until_stored};
use hookline_tests::recorded::recorded_once;
use hookline_tests::wire::Wire;
use hookline_tests::{Receiver, SOON, eventually, status};
use serde_json::json;

/// Whoever registers an endpoint and gets no answer does it again under the same id, and has it once.
#[tokio::test]
async fn d27_endpoint_made_while_the_connection_is_cut_in_commit() {
    const COMPANIES: usize = 20;
    const EACH: usize = 50;
    let trial = Trial::here();
    database_scenario(async |world, database| {
        let direct = database.url().as_str();
        let wire = Wire::to(direct).await;
        let console = start(setup_on(world, &wire.url(direct))).await;
        let receiver = Receiver::answering(status(200)).await;
        let wanted = json!({"url": receiver.url(), "id": "ep_crm", "secret": SECRET});
        let mut unanswered = 0;
        for number in 0..COMPANIES {
            let path = format!("/v1/companies/company-{number}/endpoints");
            let cuts = wire.cuts();
            wire.cut_at("COMMIT", number % 2 == 0);
            let made = console.admin().post(&path, &wanted).await;
            assert!(matches!(made.status, 201 | 503), "{made:?}");
            unanswered += usize::from(made.status == 503);
            assert!(wire.cuts() > cuts, "it was in a COMMIT");
            wire.restore();
            eventually(SOON, "it is there at last", async || {
                let made = console.admin().post(&path, &wanted).await;
                assert!(matches!(made.status, 201 | 409 | 503), "{made:?}");
                (made.status != 503).then_some(())
            })
            .await;
            let listed = console.admin().get(&path).await.expect(200).json();
            assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed}");
        }
        assert!(unanswered > 0);
        dispatcher_on(world, direct).start().await;
        let mut events = Vec::new();
        for number in 0..COMPANIES {
            events.extend((0..EACH).map(|event| numbered(&format!("company-{number}"), event)));
        }
        publish_until_stored(world.producer().await, &events).await;
        receiver.expect(COMPANIES * EACH, SOON).await;
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_usual_schedule();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

#[tokio::test]
async fn d27_recorder_whose_connection_is_cut_in_commit() {
    const EVENTS: usize = 4000;
    const CUTS: usize = 12;
    let trial = Trial::here();
    database_scenario(async |world, database| {
        let direct = database.url().as_str();
        let wire = Wire::to(direct).await;
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let _console = start(setup_on(world, &wire.url(direct))).await;
        let mut events = Vec::new();
        for round in 0..CUTS {
            let cuts = wire.cuts();
            wire.cut_at("COMMIT", round % 2 == 0);
            events.extend(world.publish_many(EVENTS / CUTS, "booking.created").await);
            eventually(SOON, "it is cut in a COMMIT", async || {
                (wire.cuts() > cuts).then_some(())
            })
            .await;
            wire.restore();
        }
        receiver.expect(events.len(), SOON).await;
        recorded_once(database.url(), events.len(), 3 * SOON).await;
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_usual_schedule();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}
