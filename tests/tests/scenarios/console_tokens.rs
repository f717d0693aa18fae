//! How long a token is known without a look at the database, and what that is good for.

use std::future::pending;
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::SOON;
use hookline_tests::api::Api;
use hookline_tests::console::{ADMIN_TOKEN, database_scenario, setup, start};
use hookline_tests::eventually::eventually;
use hookline_tests::wire::Wire;
use serde_json::json;
use tokio::time::sleep;

const ENDPOINTS: &str = "/v1/companies/acme/endpoints";
const EVENTS: &str = "/v1/companies/acme/events";
/// After so long a token that was revoked elsewhere is refused.
const REFUSED_AFTER: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_token_that_another_console_revoked_is_refused_after_five_seconds() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let other = start(setup(world, database)).await;
        let made = console
            .admin()
            .post("/v1/companies/acme/tokens", &json!({}))
            .await;
        let made = made.expect(201).json();
        let at_other = Api::new(other.process().port(), made["token"].as_str());
        at_other.get(ENDPOINTS).await.expect(200);
        let path = format!("/v1/companies/acme/tokens/{}", made["id"].as_str().unwrap());
        console.admin().delete(&path).await.expect(204);
        // Asked all the time, so that being asked does not keep it known.
        let asking = async {
            while at_other.get(ENDPOINTS).await.status == 200 {}
            // Strangers who ask too often would be told to wait.
            pending::<()>().await;
        };
        tokio::select! {
            () = sleep(REFUSED_AFTER) => {}
            () = asking => {}
        }
        assert_eq!(at_other.get(ENDPOINTS).await.problem(401), "unauthorized");
    })
    .await;
}

#[tokio::test]
async fn without_the_database_events_are_published_by_the_operator_and_by_those_who_asked_a_moment_ago() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Events);
        let wire = Wire::to(database.url().as_str()).await;
        let url = wire.url(database.url().as_str());
        let console = start(setup(world, database).set("HOOKLINE_DATABASE_URL", url)).await;
        let acme = console.company("acme").await;
        let event = json!({"type": "booking.created", "data": {}});
        // A machine that is busy may take longer from one request to the next than a token is known.
        eventually(SOON, "a known token publishes", async || {
            wire.restore();
            if acme.get(ENDPOINTS).await.status != 200 {
                return None;
            }
            wire.cut();
            (acme.post(EVENTS, &event).await.status == 202).then_some(())
        })
        .await;
        sleep(REFUSED_AFTER).await;
        assert_eq!(
            acme.post(EVENTS, &event).await.problem(503),
            "database_unavailable"
        );
        let operator = Api::new(console.process().port(), Some(ADMIN_TOKEN));
        operator.post(EVENTS, &event).await.expect(202);
    })
    .await;
}
