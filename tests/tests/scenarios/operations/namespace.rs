//! From one namespace to another, with events in both.

use std::sync::Arc;

use hookline_common::topology::{Namespace, Queue};
use hookline_tests::answer::Answer;
use hookline_tests::broker::Broker;
use hookline_tests::console::{Console, MASTER_KEY, database_scenario, setup, start};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::endpoint::SECRET;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::receiver::Received;
use hookline_tests::{Receiver, World, eventually, status};
use serde_json::json;

use super::{Operator, documented, event, is_filed, is_logged, publisher};
use crate::SOON;

const SCHEDULE: &str = "3s";

struct Place<'a> {
    world: &'a World,
    database: &'a Database,
    broker: &'a PrivateBroker,
}

impl Place<'_> {
    async fn console(&self, namespace: &str) -> Console {
        let setup = setup(self.world, self.database)
            .set("HOOKLINE_AMQP_URL", self.broker.url())
            .set("HOOKLINE_NAMESPACE", namespace)
            .set("HOOKLINE_RETRY_SCHEDULE", SCHEDULE);
        start(setup).await
    }

    async fn dispatcher(&self, namespace: &str) -> Arc<Dispatcher> {
        self.world
            .dispatcher()
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set("HOOKLINE_AMQP_URL", self.broker.url())
            .set("HOOKLINE_NAMESPACE", namespace)
            .set("HOOKLINE_DATABASE_URL", self.database.url().as_str())
            .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
            .set("HOOKLINE_RETRY_SCHEDULE", SCHEDULE)
            .start()
            .await
    }

    async fn queues(&self) -> Vec<String> {
        let listed = self.broker.control(&["list_queues", "--silent", "name"]).await;
        listed.lines().map(str::to_owned).collect()
    }
}

/// `later` is taken at its second attempt, `never` at none.
fn answer(request: &Received) -> Answer {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let is_taken = !body.contains("never") && (request.attempt() > 1 || !body.contains("later"));
    status(if is_taken { 200 } else { 500 })
}

#[tokio::test]
async fn a_namespace_is_left_for_another_one_and_nothing_with_it() {
    let private = PrivateBroker::start().await;
    database_scenario(async |world, database| {
        let place = Place {
            world,
            database,
            broker: &private,
        };
        let (old, new) = (
            world.namespace().to_string(),
            format!("{}-new", world.namespace()),
        );
        let receiver = Receiver::scripted(answer).await;
        let console = place.console(&old).await;
        let endpoint = json!({"url": receiver.url(), "id": "ep_crm", "secret": SECRET});
        console.register("acme", &endpoint).await;
        let before = place.dispatcher(&old).await;
        let publishing_there = publisher(&private, &old).await;
        let events =
            |names: [&str; 2]| names.map(|name| event("booking.created", &json!({"it": name}).to_string()));
        let [later, never] = events(["later", "never"]);
        for event in [&later, &never] {
            publishing_there.publish(event).await.unwrap();
        }
        // 1
        let _after = place.dispatcher(&new).await;
        // 2
        let publishing_here = publisher(&private, &new).await;
        let [fresh, fresh_never] = events(["fresh", "never"]);
        for event in [&fresh, &fresh_never] {
            publishing_here.publish(event).await.unwrap();
        }
        eventually(SOON, "the new namespace's event arrives", async || {
            receiver
                .accepted()
                .iter()
                .any(|request| request.id() == fresh.id.as_str())
                .then_some(())
        })
        .await;
        // 3
        let operator = Operator::new(world)
            .with("HOOKLINE_AMQP_URL", private.url())
            .with("HOOKLINE_NAMESPACE", old.clone())
            .with("HOOKLINE_RETRY_SCHEDULE", SCHEDULE.to_owned());
        is_logged(&console, &later, "ep_crm", 2, "delivered").await;
        eventually(SOON, "the old namespace is empty", async || {
            let rows = operator.lists("hookline status", &[]).await;
            let parts = [
                ".events",
                ".deliveries",
                ".due",
                ".quarantine",
                ".retry.",
                ".park.",
            ];
            let passes = |name: &str| parts.iter().any(|part| name.contains(part));
            let waits = rows
                .iter()
                .filter(|row| row["name"].as_str().is_some_and(passes))
                .map(|row| row["ready"].as_u64().unwrap());
            (waits.sum::<u64>() == 0).then_some(())
        })
        .await;
        // 4: with a console they are filed.
        is_filed(&console, &never, "ep_crm").await;
        is_logged(&console, &never, "ep_crm", 2, "failed").await;
        // 5: what the new namespace has gathered is recorded and filed now, and what is from the old one stays.
        before.stop().await;
        console.process().stop().await;
        let console = place.console(&new).await;
        is_logged(&console, &fresh, "ep_crm", 1, "delivered").await;
        is_logged(&console, &fresh_never, "ep_crm", 2, "failed").await;
        is_filed(&console, &fresh_never, "ep_crm").await;
        is_logged(&console, &later, "ep_crm", 2, "delivered").await;
        is_filed(&console, &never, "ep_crm").await;
        // 6
        let of_old = format!("{old}.");
        for queue in place
            .queues()
            .await
            .iter()
            .filter(|name| name.starts_with(&of_old))
        {
            let words = documented("rabbitmqctl delete_queue", &[("hookline.retry.1800s", queue)]);
            let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
            private.control(&words).await;
        }
        // Without its management plugin a broker has no command for it.
        let exchange = Namespace::parse(&old).unwrap().queue(Queue::Events);
        Broker::connect(&private.url())
            .await
            .delete(&[], &[exchange])
            .await;
        let [last, _] = events(["last", "never"]);
        publishing_here.publish(&last).await.unwrap();
        is_logged(&console, &last, "ep_crm", 1, "delivered").await;
        let left = place.queues().await;
        assert!(
            left.iter().all(|name| name.starts_with(&format!("{new}."))),
            "{left:?}"
        );
    })
    .await;
}
