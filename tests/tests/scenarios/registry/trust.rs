//! What a registry must not be taken in by, what it does with secrets that it cannot open, and what it may do at least.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_dispatcher::settings::EndpointsSource;
use hookline_tests::console::{MASTER_KEY, NEWER_KEY, database_scenario, heard};
use hookline_tests::endpoint::SECRET;
use hookline_tests::in_process::Embedded;
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::message::{HandMade, text};
use hookline_tests::records::Records;
use hookline_tests::signature::meeva;
use hookline_tests::{Receiver, eventually, status};

use super::{count, dispatcher, parked, publish, register, store};
use crate::SOON;

#[tokio::test]
async fn a_forged_message_reaches_neither_a_foreign_endpoint_nor_an_address_of_its_own() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let store = store(url, MASTER_KEY).await;
        let [acme, globex, evil] = [
            Receiver::answering(status(200)).await,
            Receiver::answering(status(200)).await,
            Receiver::answering(status(200)).await,
        ];
        register(&store, "acme", "ep_acme", &acme).await;
        register(&store, "globex", "ep_globex", &globex).await;
        let dispatcher = Embedded::start(world, |settings| {
            settings.endpoints = EndpointsSource::Registry(Box::new(super::settings(url, MASTER_KEY)));
            settings.unknown_grace = Duration::from_secs(1);
        })
        .await;
        // Both are known.
        for company in ["acme", "globex"] {
            publish(world, company).await;
        }
        acme.expect_one(SOON).await;
        globex.expect_one(SOON).await;
        let records = Records::of(world).await;
        let foreign = HandMade::delivery("ep_globex");
        foreign.send(world, Queue::Deliveries).await;
        // Whatever else it brings along, requests go where the registry says.
        let readdressed = HandMade::delivery("ep_acme")
            .header("url", text(&evil.url()))
            .header("secret", text("whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2Vk"));
        readdressed.send(world, Queue::Due).await;
        let request = acme.expect(2, SOON).await.remove(1);
        assert_eq!(request.header("meeva-signature"), meeva(SECRET, &request.body));
        let is_discarded = |record: &serde_json::Value| record["outcome"] == "discarded";
        let discarded = eventually(SOON, "the foreign one is discarded", async || {
            records.all().into_iter().find(is_discarded)
        })
        .await;
        assert_eq!(discarded["event"], foreign.id());
        assert_eq!(discarded["company"], "acme");
        assert_eq!((acme.count(), globex.count(), evil.count()), (2, 1, 0));
        dispatcher.stop().await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_address_that_a_console_took_is_held_to_the_dispatchers_own_rules() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Failed);
        let url = database.url().as_str();
        let store = store(url, MASTER_KEY).await;
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_crm", &receiver).await;
        dispatcher(world, url)
            .unset("HOOKLINE_ALLOW_CIDRS")
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        publish(world, "acme").await;
        let failed = world.expect_in(Queue::Failed, 1, SOON).await.remove(0);
        assert_eq!(failed.text("last-outcome"), "blocked");
        assert_eq!(receiver.connections(), 0);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_opened_waits_for_its_key_and_holds_up_nobody() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let (older, newer) = (store(url, MASTER_KEY).await, store(url, NEWER_KEY).await);
        let [sound, sealed] = [
            Receiver::answering(status(200)).await,
            Receiver::answering(status(200)).await,
        ];
        register(&newer, "acme", "ep_sound", &sound).await;
        register(&older, "acme", "ep_sealed", &sealed).await;
        let with_keys = |keys: &str| dispatcher(world, url).set("HOOKLINE_MASTER_KEY", keys);
        let running = with_keys(NEWER_KEY).start().await;
        let mut events = Vec::new();
        for _ in 0..5 {
            events.push(publish(world, "acme").await);
        }
        sound.expect(5, SOON).await;
        eventually(SOON, "what it cannot send is set aside", async || {
            // Each more than once: it comes back, and has to wait again.
            let unopened = count(&running, "hookline_registry_unopened").await;
            (parked(&running).await > 5.0 && unopened == 1.0).then_some(())
        })
        .await;
        running.stop().await;
        let told = running
            .log()
            .matches("what is for this endpoint has to wait")
            .count();
        assert_eq!(told, 1, "once, however often it is looked at");
        assert_eq!(sealed.count(), 0);

        with_keys(&format!("{NEWER_KEY},{MASTER_KEY}")).start().await;
        let requests = sealed.expect(5, SOON).await;
        assert!(requests.iter().all(|request| request.attempt() == 1));
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_sound", "ep_sealed"]);
        judge.saw("ep_sound", &sound);
        judge.saw("ep_sealed", &sealed);
        assert_eq!(judge.verdict(), Verdict::default());
        older.close().await;
        newer.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_row_of_a_newer_version_keeps_nobody_else_from_their_events() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let store = store(url, MASTER_KEY).await;
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_new", &receiver).await;
        register(&store, "acme", "ep_crm", &receiver).await;
        let format = |format: &str| format!("UPDATE endpoints SET format = '{format}' WHERE id = 'ep_new'");
        database.execute(&format("of-tomorrow")).await.unwrap();
        let dispatcher = dispatcher(world, url).start().await;
        let event = publish(world, "acme").await;
        assert_eq!(receiver.expect_one(SOON).await.id(), event.id.as_str());
        heard(&dispatcher, database.execute(&format("standard")))
            .await
            .unwrap();
        let both = receiver.expect(2, SOON).await;
        assert_eq!(both[1].id(), event.id.as_str());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn reading_endpoints_is_all_that_a_dispatcher_needs_to_be_allowed() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let store = store(url, MASTER_KEY).await;
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_crm", &receiver).await;
        // Whose tables they are may take it away from himself.
        let only_read = "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM hookline; \
                         REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM hookline; \
                         GRANT SELECT ON endpoints TO hookline";
        database.execute(only_read).await.unwrap();
        assert!(database.execute("DELETE FROM endpoints").await.is_err());
        let dispatcher = dispatcher(world, url).start().await;
        publish(world, "acme").await;
        receiver.expect_one(SOON).await;
        let told = database.execute("SELECT pg_notify('hookline_endpoints', 'acme')");
        heard(&dispatcher, told).await.unwrap();
        // SIGHUP has everything read again, as it has with a file.
        heard(&dispatcher, dispatcher.signal("HUP")).await;
        store.close().await;
    })
    .await;
}
