//! A button that is pressed twice, or in two tabs: what is asked for at the same moment is sent once.

use futures_util::future::join_all;
use hookline_common::topology::Queue;
use hookline_tests::api::Reply;
use hookline_tests::browser::Browser;
use hookline_tests::console::{Console, database_scenario, setup, start};
use hookline_tests::database::Database;
use hookline_tests::log_rows::{Row, insert_event, make_days};
use hookline_tests::{World, eventually};
use serde_json::json;

use crate::SOON;

/// How often it is asked for at once.
const TIMES: usize = 8;

/// A console with an endpoint, and a log that has room for today's events. What it sends stays in its queue.
async fn with_endpoint(world: &World, database: &Database) -> Console {
    world.leaves(Queue::Deliveries);
    let console = start(setup(world, database)).await;
    make_days(database, 1).await;
    console
        .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
        .await;
    console
}

/// Of many answers those of whom it was sent for. The others are told that it is on its way.
fn sent(replies: &[Reply]) -> usize {
    for refused in replies.iter().filter(|reply| reply.status != 202) {
        assert_eq!(refused.problem(409), "under_way");
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
    }
    let sent = replies.iter().filter(|reply| reply.status == 202).count();
    assert!((1..TIMES).contains(&sent), "it was sent {sent} times");
    sent
}

/// Lines of the audit about it. However slowly they were asked, a second lies between two of them.
async fn audited(database: &Database, action: &str) -> usize {
    let sql = format!("SELECT extract(epoch FROM at)::text FROM audit WHERE action = '{action}' ORDER BY at");
    let times = database.texts(&sql).await;
    let times: Vec<f64> = times.iter().map(|text| text.parse().unwrap()).collect();
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= 1.0, "{times:?}");
    }
    times.len()
}

#[tokio::test]
async fn a_replay_that_is_asked_for_many_times_at_once_is_sent_once() {
    database_scenario(async |world, database| {
        let console = with_endpoint(world, database).await;
        insert_event(database, "acme", "evt_1", Some("{}")).await;
        let acme = console.company("acme").await;
        let path = "/v1/companies/acme/events/evt_1/replay";
        // For all that want it, and for one of them: that one would get it twice.
        let (all, one) = (json!({}), json!({"endpoint": "ep_crm"}));
        let replies = join_all((0..TIMES).map(|number| acme.post(path, [&all, &one][number % 2]))).await;
        let sent = sent(&replies);
        assert_eq!(audited(database, "event.replayed").await, sent);
        assert_eq!(world.read(Queue::Deliveries).await.len(), sent);
        // Another event is another matter, and so is the same one a second later.
        insert_event(database, "acme", "evt_2", Some("{}")).await;
        let other = acme.post("/v1/companies/acme/events/evt_2/replay", &one).await;
        other.expect(202);
        eventually(SOON, "it can be sent once more", async || {
            (acme.post(path, &one).await.status == 202).then_some(())
        })
        .await;
        // Nothing of it is kept for long.
        database
            .execute("UPDATE sent_again SET sent_at = now() - interval '1 hour'")
            .await
            .unwrap();
        acme.post(path, &one).await.expect(202);
        let kept = database.texts("SELECT event || endpoint FROM sent_again").await;
        assert_eq!(kept, ["evt_1ep_crm"]);
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_that_is_retried_many_times_at_once_is_sent_once() {
    database_scenario(async |world, database| {
        let console = with_endpoint(world, database).await;
        Row::of("evt_1", "ep_crm", 9)
            .status("failed", "timeout", 0)
            .insert_dead(database, "{}")
            .await;
        let acme = console.company("acme").await;
        let (path, body) = ("/v1/companies/acme/failed/evt_1/ep_crm/retry", json!({}));
        let replies = join_all((0..TIMES).map(|_| acme.post(path, &body))).await;
        let sent = sent(&replies);
        assert_eq!(world.read(Queue::Deliveries).await.len(), sent);
        let lines = database
            .texts("SELECT object FROM audit WHERE action = 'failed.retried'")
            .await;
        assert_eq!(lines.len(), sent);
    })
    .await;
}

#[tokio::test]
async fn a_button_that_is_pressed_in_two_tabs_sends_once() {
    database_scenario(async |world, database| {
        let console = with_endpoint(world, database).await;
        insert_event(database, "acme", "evt_1", Some("{}")).await;
        Row::of("evt_1", "ep_crm", 9).insert(database).await;
        let person = Browser::of_company(&console, "acme").await;
        let proof = person.proof().await;
        let path = "/companies/acme/deliveries/evt_1/ep_crm/replay";
        let fields = [("csrf", proof.as_str())];
        let replies = join_all((0..TIMES).map(|_| person.bare_post(path, &fields))).await;
        let sent = replies.iter().filter(|reply| reply.status == 303).count();
        assert!((1..TIMES).contains(&sent), "it was sent {sent} times");
        for refused in replies.iter().filter(|reply| reply.status != 303) {
            assert_eq!(refused.status, 409, "{refused:?}");
            assert!(refused.body.contains("not sent once more"), "{refused:?}");
        }
        assert_eq!(audited(database, "event.replayed").await, sent);
        assert_eq!(world.read(Queue::Deliveries).await.len(), sent);
    })
    .await;
}
