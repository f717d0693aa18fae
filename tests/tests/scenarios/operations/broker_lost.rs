//! A broker that comes back with nothing: programs go on by themselves, and the log names what has to be sent again.

use hookline_tests::console::{MASTER_KEY, database_scenario, setup, start};
use hookline_tests::dispatcher::Setup;
use hookline_tests::endpoint::SECRET;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::{Receiver, eventually, status};
use serde_json::json;

use super::{Operator, event, is_logged, publisher};
use crate::SOON;

/// Longer than the scenario: what waits for a retry is lost with the broker.
const SCHEDULE: &str = "10m";

fn with<'a>(setup: Setup<'a>, broker: &PrivateBroker) -> Setup<'a> {
    setup
        .set("HOOKLINE_AMQP_URL", broker.url())
        .set("HOOKLINE_RETRY_SCHEDULE", SCHEDULE)
}

#[tokio::test]
async fn a_broker_that_lost_its_data_is_set_up_again_and_what_it_held_is_sent_again_by_the_log() {
    let private = PrivateBroker::start_new().await;
    database_scenario(async |world, database| {
        let (takes, refuses) = (
            Receiver::answering(status(200)).await,
            Receiver::answering(status(500)).await,
        );
        let console = start(with(setup(world, database), &private)).await;
        for (id, events, receiver) in [
            ("ep_crm", "booking.created", &takes),
            ("ep_down", "booking.cancelled", &refuses),
        ] {
            let endpoint = json!({"url": receiver.url(), "id": id, "secret": SECRET, "events": [events]});
            console.register("acme", &endpoint).await;
        }
        let dispatcher = with(world.dispatcher(), &private)
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set("HOOKLINE_DATABASE_URL", database.url().as_str())
            .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
            .start()
            .await;
        let namespace = world.namespace().to_string();
        let producer = publisher(&private, &namespace).await;
        let delivered = event("booking.created", "{}");
        let retrying = event("booking.cancelled", r#"{"it":"refused"}"#);
        for event in [&delivered, &retrying] {
            producer.publish(event).await.unwrap();
        }
        is_logged(&console, &delivered, "ep_crm", 1, "delivered").await;
        is_logged(&console, &retrying, "ep_down", 1, "retrying").await;
        // Accepted, and not delivered yet: its dispatcher is frozen.
        dispatcher.signal("STOP").await;
        let unsure = event("booking.created", r#"{"it":"unsure"}"#);
        producer.publish(&unsure).await.unwrap();

        private.lose_data().await;
        dispatcher.signal("CONT").await;
        // 1: all that is needed is made by whoever needs it, and told.
        private.start_again().await;
        dispatcher.is_ready_within(SOON * 2).await;
        // 2: the same event under the same id.
        eventually(SOON, "the publisher is back", async || {
            producer.publish(&unsure).await.ok()
        })
        .await;
        is_logged(&console, &unsure, "ep_crm", 1, "delivered").await;
        console
            .process()
            .says("the stream of attempts was made anew", SOON)
            .await;
        let ids: Vec<String> = takes
            .accepted()
            .iter()
            .map(|request| request.id().to_owned())
            .collect();
        assert!(ids.contains(&unsure.id.to_string()), "{ids:?}");
        // 3: what waited for a retry comes no more, and is named.
        let operator = Operator::new(world).at_console(&console);
        let waiting = operator
            .lists(
                "hookline deliveries list --company … --status retrying",
                &[("--company", "acme")],
            )
            .await;
        let named: Vec<_> = waiting.iter().map(|row| row["event"].as_str().unwrap()).collect();
        assert_eq!(named, [retrying.id.as_str()]);
        refuses.answer_now(status(200));
        let values = [
            ("EVENT_ID", retrying.id.as_str()),
            ("--company", "acme"),
            ("--endpoint", "ep_down"),
        ];
        operator.runs("hookline events replay", &values, &[]).await;
        is_logged(&console, &retrying, "ep_down", 2, "delivered").await;
    })
    .await;
}
