//! What is recorded of what.

use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::endpoint::endpoint;
use hookline_tests::{Receiver, status};

use super::{attempts, says};
use crate::SOON;

const DATA: &str = "{ \"z\":1.0,\n\t\"a\":\"\\u00eb\" }\n";

#[tokio::test]
async fn an_attempt_a_delivery_and_an_event_are_recorded_as_they_were() {
    database_scenario(async |world, database| {
        let receiver = Receiver::scripted(|request| match request.attempt() {
            1 => status(503).header("retry-note", "later").body("not now"),
            _ => status(200),
        })
        .await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        start(setup(world, database)).await;
        let event = world.publish("booking.created", DATA).await;
        receiver.expect(2, SOON).await;
        let status = "SELECT concat_ws(' ', company, event, endpoint, type, origin, status, attempts, last_outcome, \
                      last_status, next_attempt_at) FROM deliveries";
        let id = event.id.as_str();
        let wanted = format!("acme {id} ep_crm booking.created event delivered 2 delivered 200");
        says(database, status, &[&wanted], SOON).await;
        let rows: Vec<_> = attempts(database).await.into_iter().collect();
        assert_eq!(
            rows,
            [
                (format!("{id} ep_crm 1 http_status"), 1),
                (format!("{id} ep_crm 2 delivered"), 1)
            ]
        );
        let told = "SELECT concat_ws(' ', status, response, is_final, response_headers::jsonb->>'retry-note', \
                    request_headers::jsonb->>'webhook-attempt', next_attempt_at > started_at, url) FROM attempts \
                    ORDER BY attempt";
        let url = receiver.url();
        assert_eq!(
            database.texts(told).await,
            [format!("503 not now f later 1 t {url}"), format!("200  t 2 {url}")]
        );
        // What was published is there byte for byte, and when it happened.
        let kept = "SELECT concat_ws(' ', company, id, type, convert_from(data, 'UTF8')) FROM events";
        assert_eq!(
            database.texts(kept).await,
            [format!("acme {id} booking.created {DATA}")]
        );
        let happened = "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM events";
        assert_eq!(database.texts(happened).await, [event.created_at.to_millis_text()]);
    })
    .await;
}
