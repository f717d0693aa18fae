//! Events of Hookline's own: who may publish them, and where they go.

use hookline_tests::SOON;
use hookline_tests::answer::status;
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::receiver::Receiver;
use serde_json::json;

use super::{dispatcher, publish, register};

#[tokio::test]
async fn events_of_our_own_cannot_be_published_over_http_and_go_where_they_are_named() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        dispatcher(world, database).start().await;
        let named = Receiver::answering(status(204)).await;
        register(&console, "ep_named", &named, &["endpoint.disabled"]).await;
        let all = Receiver::answering(status(204)).await;
        register(&console, "ep_all", &all, &[]).await;
        let event = json!({"type": "endpoint.disabled", "data": {}});
        let refused = console.admin().post("/v1/companies/acme/events", &event).await;
        assert!(refused.body.contains("Hookline's own"), "{refused:?}");
        assert_eq!(refused.problem(400), "invalid_request");
        // What comes over the broker is not lost: it is an event like ours, and goes where one goes.
        let event = hookline_producer::Event::new("acme", "endpoint.disabled", "{}".to_owned()).unwrap();
        world.producer().await.publish(&event).await.unwrap();
        named.expect_one(SOON).await;
        let other = publish(&console, "booking.created").await;
        assert_eq!(all.expect_one(SOON).await.id(), other);
    })
    .await;
}
