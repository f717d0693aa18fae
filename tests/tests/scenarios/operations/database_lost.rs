//! A database that lost its data, and one whose key is lost.

use hookline_tests::console::{MASTER_KEY, NEWER_KEY, database_scenario, run, setup, start};
use hookline_tests::endpoint::{SECRET, endpoint, file as entries};
use hookline_tests::{Receiver, status};
use serde_json::json;

use super::{Operator, documented, is_signed};
use crate::SOON;

#[tokio::test]
async fn a_database_that_lost_its_data_is_made_again_while_deliveries_go_on() {
    database_scenario(async |world, database| {
        let receiver = Receiver::answering(status(200)).await;
        let console = start(setup(world, database)).await;
        let body = json!({"url": receiver.url(), "id": "ep_crm", "secret": SECRET});
        console.register("acme", &body).await;
        let dispatcher = || {
            world
                .dispatcher()
                .unset("HOOKLINE_ENDPOINTS_FILE")
                .set("HOOKLINE_DATABASE_URL", database.url().as_str())
                .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
        };
        let before = dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        receiver.expect(1, SOON).await;
        console.process().stop().await;
        let lost = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
        database.execute(lost).await.unwrap();
        world.publish("booking.created", "{}").await;
        receiver.expect(2, SOON).await;
        // The tables are made again, with nothing in them.
        let words = documented("hookline-console migrate", &[]);
        let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let made = run(database, MASTER_KEY, &words).await;
        assert!(made.status.success(), "{made:?}");
        world.publish("booking.created", "{}").await;
        receiver.expect(3, SOON).await;
        // Endpoints come from a file.
        let console = start(setup(world, database)).await;
        let file = world.path("endpoints-again.toml").display().to_string();
        std::fs::write(&file, entries(&[endpoint("ep_crm", &receiver)])).unwrap();
        let operator = Operator::new(world).at_console(&console);
        operator
            .runs("hookline endpoints import", &[("FILE", &file)], &["--yes"])
            .await;
        before.stop().await;
        dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        receiver.expect(4, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn a_lost_key_takes_a_new_secret_for_each_endpoint_and_those_with_headers_are_registered_anew() {
    database_scenario(async |world, database| {
        let (plain, with_headers) = (
            Receiver::answering(status(200)).await,
            Receiver::answering(status(200)).await,
        );
        let console = start(setup(world, database)).await;
        let headers = json!({"url": with_headers.url(), "id": "ep_headers", "secret": SECRET, "headers": {"x-key": "k"}});
        console
            .register("acme", &json!({"url": plain.url(), "id": "ep_plain", "secret": SECRET}))
            .await;
        console.register("acme", &headers).await;
        let dispatcher = |key: &str| {
            world
                .dispatcher()
                .unset("HOOKLINE_ENDPOINTS_FILE")
                .set("HOOKLINE_DATABASE_URL", database.url().as_str())
                .set("HOOKLINE_MASTER_KEY", key)
        };
        let before = dispatcher(MASTER_KEY).start().await;
        world.publish("booking.created", "{}").await;
        plain.expect(1, SOON).await;
        with_headers.expect(1, SOON).await;

        // The console has another key; dispatchers that run go on with what they know.
        console.process().stop().await;
        let console = start(setup(world, database).set("HOOKLINE_MASTER_KEY", NEWER_KEY)).await;
        world.publish("booking.created", "{}").await;
        plain.expect(2, SOON).await;
        with_headers.expect(2, SOON).await;

        let operator = Operator::new(world).at_console(&console);
        let values = [("EP_ID", "ep_plain"), ("--company", "acme")];
        let rotated = operator.runs("hookline endpoints rotate", &values, &["--json"]).await;
        let rotated: serde_json::Value = serde_json::from_str(rotated.trim()).unwrap();
        let secret = rotated["secret"].as_str().unwrap().to_owned();
        let path = "/v1/companies/acme/endpoints/ep_headers";
        console.admin().delete(path).await.expect(204);
        console.register("acme", &headers).await;
        before.stop().await;
        dispatcher(NEWER_KEY).start().await;
        world.publish("booking.created", "{}").await;
        let requests = plain.expect(3, SOON).await;
        assert!(is_signed(&requests[2], &secret), "{:?}", requests[2]);
        let requests = with_headers.expect(3, SOON).await;
        assert_eq!(requests[2].header("x-key"), "k");
    })
    .await;
}
