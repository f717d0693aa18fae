//! What an account on the broker must be allowed: as little as the documentation's table says, and nothing of it can be left out.

use hookline_common::topology::Queue;
use hookline_producer::{Event, Producer, Settings};
use hookline_tests::broker::Broker;
use hookline_tests::cli::{command, why};
use hookline_tests::console::{database_scenario, dispatcher_on, setup, start};
use hookline_tests::endpoint::endpoint;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::{Receiver, World, eventually, scenario, status};
use serde_json::json;

use crate::SOON;

/// Makes the account `name` with the rights that the documentation gives it, for this world's namespace: its URL.
async fn account(name: &str, private: &PrivateBroker, world: &World) -> String {
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATING.md")).unwrap();
    let start = format!("rabbitmqctl set_permissions {name} ");
    let patterns = document
        .lines()
        .find_map(|line| line.strip_prefix(&start))
        .unwrap_or_else(|| panic!("docs/OPERATING.md does not say what {name} needs"));
    let patterns: Vec<String> = patterns
        .split('\'')
        .skip(1)
        .step_by(2)
        .map(|pattern| pattern.replace("hookline", world.namespace().to_string().as_str()))
        .collect();
    let [configure, write, read] = patterns.as_slice() else {
        panic!("three patterns for {name}: {patterns:?}");
    };
    let url = private.account(name, "^$").await;
    private
        .control(&["set_permissions", name, configure, write, read])
        .await;
    url
}

/// What a command printed, and whether it succeeded.
async fn run_as(url: &str, world: &World, arguments: &[&str]) -> std::process::Output {
    let mut command = command(world, arguments);
    command
        .env("HOOKLINE_AMQP_URL", url)
        .env("HOOKLINE_RETRY_SCHEDULE", "1s");
    command.output().await.unwrap()
}

#[tokio::test]
async fn each_account_needs_what_the_document_says_and_no_more() {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let broken = Receiver::answering(status(500)).await;
        world.endpoints([endpoint("ep_crm", &broken)]);
        let url = account("dispatcher", &private, world).await;
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", url)
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;

        let shop = account("booking-service", &private, world).await;
        let settings = Settings::new(&shop)
            .unwrap()
            .with_namespace(world.namespace().clone());
        let producer = Producer::connect(settings).await.unwrap();
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        producer.publish(&event).await.unwrap();

        let viewer = account("viewer", &private, world).await;
        let id = event.id.as_str();
        let shown = eventually(SOON, "the dead letter is shown", async || {
            let shown = run_as(&viewer, world, &["dlq", "show", id, "--json"]).await;
            shown.status.success().then_some(shown)
        })
        .await;
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(shown["attempts"].as_array().map(Vec::len), Some(2), "{shown}");
        for arguments in [&["dlq", "list"][..], &["status"], &["topology", "check"]] {
            let output = run_as(&viewer, world, arguments).await;
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        }
        let refused = why(&run_as(&viewer, world, &["dlq", "retry", id]).await, 1);
        assert!(refused.contains("403") && refused.contains("viewer"), "{refused}");
        let refused = why(&run_as(&shop, world, &["dlq", "list"]).await, 1);
        assert!(refused.contains("403"), "{refused}");

        let operator = account("operator", &private, world).await;
        let retried = run_as(&operator, world, &["dlq", "retry", id]).await;
        assert!(retried.status.success(), "{retried:?}");
        broken.expect(3, SOON).await;
        let purge = ["dlq", "purge", "--yes"];
        let failed = world.queue(Queue::Failed);
        eventually(SOON, "it has failed again, and is purged", async || {
            let purged = run_as(&operator, world, &purge).await;
            assert!(purged.status.success(), "{purged:?}");
            let is_over = broken.count() == 4;
            (is_over && Broker::connect(&private.url()).await.ready(&failed).await == Some(0)).then_some(())
        })
        .await;
        // With everything there already, a dispatcher need not be allowed to make it.
        let namespace = world.namespace();
        let (write, read) = (
            format!("^({namespace}\\.|amq\\.default$)"),
            format!("^{namespace}\\."),
        );
        private
            .control(&["set_permissions", "dispatcher", "^$", &write, &read])
            .await;
        let url = private.url().replace("guest:guest", "dispatcher:s3cret");
        let second = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", url)
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        second.stop().await;
        dispatcher.stop().await;
        let log = dispatcher.log();
        assert!(
            !log.contains("ACCESS_REFUSED") && !log.contains("refused"),
            "{log}"
        );
    })
    .await;
}

/// It takes events, files what failed, sends it again, and reads the log.
#[tokio::test]
async fn a_console_needs_what_the_document_says() {
    let private = PrivateBroker::start().await;
    database_scenario(async |world, database| {
        let broken = Receiver::answering(status(500)).await;
        let console =
            setup(world, database).set("HOOKLINE_AMQP_URL", account("console", &private, world).await);
        let console = start(console).await;
        let dispatcher = dispatcher_on(world, database.url().as_str())
            .set("HOOKLINE_AMQP_URL", private.url())
            .set("HOOKLINE_RETRY_SCHEDULE", "1s")
            .start()
            .await;
        let wanted = json!({"url": broken.url(), "id": "ep_crm"});
        console.register("acme", &wanted).await;
        let acme = |path: &str| format!("/v1/companies/acme/{path}");
        let event = json!({"type": "booking.created", "data": {}});
        let published = console
            .admin()
            .post(&acme("events"), &event)
            .await
            .expect(202)
            .json();
        let id = published["id"].as_str().unwrap();
        eventually(SOON, "it is filed, with both attempts", async || {
            let delivery = acme(&format!("deliveries/{id}/ep_crm"));
            let delivery = console.admin().get(&delivery).await;
            let open = console
                .admin()
                .get(&acme("failed?open=true"))
                .await
                .expect(200)
                .json();
            let attempts = delivery.json()["attempts"].as_array().map(Vec::len);
            (attempts == Some(2) && open["data"].as_array()?.len() == 1).then_some(())
        })
        .await;
        console
            .admin()
            .post(&acme("failed/retry"), &json!({}))
            .await
            .expect(202);
        broken.expect(4, SOON).await;
        for program in [&dispatcher, console.process()] {
            program.stop().await;
            let log = program.log();
            assert!(!log.contains("ACCESS_REFUSED"), "{log}");
        }
    })
    .await;
}
