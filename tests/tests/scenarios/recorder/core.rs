//! What is recorded of what, in whatever order it comes.

use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::endpoint::endpoint;
use hookline_tests::{Receiver, status};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Stream, record, recorded_once, says};
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
        let rows = "SELECT concat_ws(' ', event, endpoint, attempt, outcome) FROM attempts ORDER BY attempt";
        let wanted = ["1 http_status", "2 delivered"].map(|rest| format!("{id} ep_crm {rest}"));
        assert_eq!(database.texts(rows).await, wanted);
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

/// A batch that waited in the spill comes after younger ones; one that was not confirmed in time comes twice.
#[tokio::test]
async fn records_that_come_late_or_twice_count_once_and_take_nothing_back() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let stream = Stream::of(world, 1_000_000).await;
        let at = |seconds: i64| {
            let now = Timestamp::now() - SignedDuration::from_mins(10);
            json!((now + SignedDuration::from_secs(seconds)).to_string())
        };
        let failed = |attempt: u16| {
            [
                ("attempt", json!(attempt)),
                ("outcome", json!("http_status")),
                ("status", json!(500)),
                ("final", json!(false)),
                ("next_attempt_at", at(i64::from(attempt) * 100)),
                ("started_at", at(i64::from(attempt) * 10)),
                ("data", json!(null)),
            ]
        };
        let (first, second) = (record("evt_1", &failed(1)), record("evt_1", &failed(2)));
        let third = record("evt_1", &[("attempt", json!(3)), ("started_at", at(30)), ("data", json!("{\"n\":3}"))]);
        let other = record("evt_2", &failed(1));
        stream.batch(&[third.clone(), other.clone(), other.clone()]).await;
        stream.batch(&[first, other, third]).await;
        stream.batch(&[second]).await;
        recorded_once(database.url(), 4, SOON).await;
        let deliveries = "SELECT concat_ws(' ', event, status, attempts, last_status, next_attempt_at IS NULL) FROM deliveries ORDER BY event";
        assert_eq!(
            database.texts(deliveries).await,
            ["evt_1 delivered 3 200 t", "evt_2 retrying 1 500 f"]
        );
        let events = "SELECT concat_ws(' ', id, convert_from(data, 'UTF8')) FROM events ORDER BY id";
        assert_eq!(database.texts(events).await, ["evt_1 {\"n\":3}", "evt_2"]);
        console.process().shows("hookline_log_records_known_total", 3.0).await;
    })
    .await;
}
