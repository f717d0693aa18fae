//! A database that does not answer, or has no tables: what is not known waits, and is not taken for gone.

use std::time::Duration;

use hookline_common::topology::{PARK_DELAYS, Queue};
use hookline_dispatcher::settings::EndpointsSource;
use hookline_tests::console::{MASTER_KEY, database_scenario, empty_database_scenario};
use hookline_tests::in_process::Embedded;
use hookline_tests::message::HandMade;
use hookline_tests::records::Records;
use hookline_tests::wire::Wire;
use hookline_tests::{Receiver, eventually, status};
use sqlx::Executor as _;
use tokio::time::sleep;

use super::{count, dispatcher, parked, publish, register, settings, store};
use crate::SOON;

#[tokio::test]
async fn a_connection_that_went_silent_is_noticed_and_what_was_not_heard_is_made_up_for() {
    database_scenario(async |world, database| {
        let wire = Wire::to(database.url().as_str()).await;
        let store = store(database.url().as_str(), MASTER_KEY).await;
        let dispatcher = dispatcher(world, &wire.url(database.url().as_str()))
            .start()
            .await;
        publish(world, "acme").await;
        eventually(SOON, "the company is known to have no endpoints", async || {
            (count(&dispatcher, "hookline_events_unmatched_total").await == 1.0).then_some(())
        })
        .await;
        // New connections pass; those there are were forgotten by a machine on the way, and nobody says so.
        wire.fall_silent();
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_crm", &receiver).await;
        dispatcher.says("changes of endpoints are not heard", SOON).await;
        dispatcher
            .says("changes of endpoints are heard again", SOON)
            .await;
        eventually(SOON, "the endpoint gets events", async || {
            publish(world, "acme").await;
            (receiver.count() > 0).then_some(())
        })
        .await;
        world.is_settled_within(SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_nobody_wanted_before_an_outage_waits_until_it_is_known_whether_somebody_does_now() {
    database_scenario(async |world, database| {
        let wire = Wire::to(database.url().as_str()).await;
        let store = store(database.url().as_str(), MASTER_KEY).await;
        let dispatcher = dispatcher(world, &wire.url(database.url().as_str()))
            .start()
            .await;
        publish(world, "acme").await;
        eventually(SOON, "the company is known to have no endpoints", async || {
            (count(&dispatcher, "hookline_events_unmatched_total").await == 1.0).then_some(())
        })
        .await;
        wire.cut();
        dispatcher.says("changes of endpoints are not heard", SOON).await;
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_crm", &receiver).await;
        // Changes are heard, and what has changed cannot be read yet.
        let mut holder = database.connect().await;
        holder.execute("BEGIN; LOCK TABLE endpoints").await.unwrap();
        wire.restore();
        dispatcher
            .says("changes of endpoints are heard again", SOON)
            .await;
        let before = parked(&dispatcher).await;
        let event = publish(world, "acme").await;
        // It lies in no queue for long enough to be seen there.
        eventually(SOON, "it is set aside", async || {
            (parked(&dispatcher).await > before).then_some(())
        })
        .await;
        holder.execute("ROLLBACK").await.unwrap();
        let request = receiver.expect_one(SOON).await;
        assert_eq!(request.id(), event.id.as_str());
        assert_eq!(count(&dispatcher, "hookline_events_unmatched_total").await, 1.0);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_nobody_can_look_up_is_not_taken_for_gone() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let wire = Wire::to(url).await;
        let (store, through) = (store(url, MASTER_KEY).await, wire.url(url));
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_first", &receiver).await;
        let dispatcher = Embedded::start(world, |settings| {
            settings.endpoints = EndpointsSource::Registry(Box::new(super::settings(&through, MASTER_KEY)));
            settings.unknown_grace = Duration::from_secs(5);
        })
        .await;
        publish(world, "acme").await;
        receiver.expect_one(SOON).await;
        let records = Records::of(world).await;
        wire.cut();
        // Another replica knows it; to this one it is unknown for longer than what is gone is waited for.
        register(&store, "acme", "ep_second", &receiver).await;
        HandMade::delivery("ep_second")
            .send(world, Queue::Deliveries)
            .await;
        let event = publish(world, "acme").await;
        // It is set aside for 1 s at first, then for 8 s, and then, when it would count as gone, again.
        let queue = world.queue(Queue::Park(PARK_DELAYS[3]));
        eventually(SOON, "it waits", async || {
            (world.broker().ready(&queue).await == Some(1)).then_some(())
        })
        .await;
        // It is back for an instant only, which nobody would see; how often it was set aside stands in it.
        sleep(PARK_DELAYS[3].as_duration()).await;
        eventually(SOON, "and has to wait again", async || {
            let held = world.broker().some(&queue, 1).await;
            held.iter()
                .any(|message| message.integer("parked") >= Some(3))
                .then_some(())
        })
        .await;
        wire.restore();
        let requests = receiver.expect(3, SOON).await;
        assert_eq!(requests[1].id(), event.id.as_str());
        let records = records.expect(3, SOON).await;
        assert!(records.iter().all(|record| record["outcome"] == "delivered"));
        dispatcher.stop().await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_database_without_tables_is_waited_for_and_says_who_makes_them() {
    empty_database_scenario(async |world, database| {
        let url = database.url().as_str();
        let dispatcher = dispatcher(world, url).launch();
        let line = dispatcher.says("nothing is consumed", SOON).await;
        assert!(line.contains("hookline-console migrate"), "{line}");
        assert!(!dispatcher.is_ready().await);
        let store = hookline_store::Store::new(settings(url, MASTER_KEY));
        store.migrate().await.unwrap();
        dispatcher.is_ready_within(SOON).await;
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_crm", &receiver).await;
        publish(world, "acme").await;
        receiver.expect_one(SOON).await;
        store.close().await;
    })
    .await;
}
