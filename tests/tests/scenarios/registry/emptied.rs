//! A registry that is suddenly empty is believed where its endpoints were removed one by one, and not where it lost them.

use hookline_common::ids::{CompanyId, EndpointId};
use hookline_store::Actor;
use hookline_tests::console::{MASTER_KEY, database_scenario};
use hookline_tests::{Receiver, eventually, status};

use super::{count, dispatcher, parked, publish, register, store};
use crate::SOON;

#[tokio::test]
async fn a_registry_that_lost_all_its_endpoints_is_not_believed() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let store = store(url, MASTER_KEY).await;
        let dispatcher = dispatcher(world, url)
            .unset("HOOKLINE_ALLOW_NO_ENDPOINTS")
            .start()
            .await;
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_crm", &receiver).await;
        publish(world, "acme").await;
        receiver.expect(1, SOON).await;
        database.execute("TRUNCATE endpoints").await.unwrap();
        dispatcher.says("has no endpoint any more", SOON).await;
        assert_eq!(count(&dispatcher, "hookline_registry_up").await, 0.0);
        // Who is known goes on; who is not has to wait.
        publish(world, "acme").await;
        receiver.expect(2, SOON).await;
        publish(world, "globex").await;
        eventually(SOON, "it is set aside", async || {
            (parked(&dispatcher).await > 0.0).then_some(())
        })
        .await;
        register(&store, "globex", "ep_crm", &receiver).await;
        dispatcher.says("has endpoints again", SOON).await;
        receiver.expect(3, SOON).await;
        world.is_settled_within(SOON).await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_last_endpoint_of_all_can_be_removed() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let store = store(url, MASTER_KEY).await;
        let dispatcher = dispatcher(world, url)
            .unset("HOOKLINE_ALLOW_NO_ENDPOINTS")
            .start()
            .await;
        // Whether it had some before, a process that has just begun cannot know.
        dispatcher.says("the registry has no endpoint yet", SOON).await;
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_crm", &receiver).await;
        publish(world, "acme").await;
        receiver.expect(1, SOON).await;
        let (acme, id) = (
            CompanyId::parse("acme").unwrap(),
            EndpointId::parse("ep_crm").unwrap(),
        );
        store.remove_endpoint(&acme, &id, &Actor::Admin).await.unwrap();
        // As for each company that lost its last one: set aside for two minutes.
        eventually(SOON, "nothing is sent any more", async || {
            publish(world, "acme").await;
            (parked(&dispatcher).await > 0.0).then_some(())
        })
        .await;
        eventually(SOON, "the registry is believed", async || {
            (count(&dispatcher, "hookline_registry_up").await == 1.0).then_some(())
        })
        .await;
        register(&store, "acme", "ep_crm", &receiver).await;
        world.is_settled_within(SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        store.close().await;
    })
    .await;
}
