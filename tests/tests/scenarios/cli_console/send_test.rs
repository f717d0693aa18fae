//! `hookline endpoints test`: a sample of an event, and what became of it.

use hookline_tests::answer::status;
use hookline_tests::cli::{out, why};
use hookline_tests::console::{MASTER_KEY, database_scenario, setup, start};
use hookline_tests::services::services;
use hookline_tests::{Receiver, scenario};
use serde_json::json;

use super::Shell;

const TEST: &str = "endpoints test ep_crm --company acme --type booking.created";

/// The console's part is played by a receiver.
#[tokio::test]
async fn the_attempt_decides_how_the_command_ends() {
    scenario(async |world| {
        let console = Receiver::answering(status(202).body(r#"{"event":"evt_1"}"#)).await;
        let shell = Shell::new(world, &console.url(), "t0ken");
        assert_eq!(shell.succeed(TEST).await, "evt_1\n");
        assert_eq!(console.requests()[0].body, r#"{"type":"booking.created"}"#);
        let told = shell.fail(&format!("{TEST} --wait 2s")).await;
        assert!(told.contains("no attempt of evt_1 within 2s"), "{told}");
        assert!(console.requests()[1].path.ends_with("/endpoints/ep_crm/test?wait=2s"));

        let record = |outcome: &str, status: u16| {
            json!({
                "event": "evt_1", "attempt": 1, "outcome": outcome, "status": status, "duration_ms": 12, "response": "no\n"
            })
        };
        console.answer_now(status(200).body(record("delivered", 204).to_string()));
        let told = shell.succeed(&format!("{TEST} --wait 2s")).await;
        assert!(told.contains("delivered") && told.contains("204"), "{told}");
        let object = shell.object(&format!("{TEST} --wait 2s")).await;
        assert_eq!(object, record("delivered", 204));
        console.answer_now(status(200).body(record("http_status", 500).to_string()));
        let output = shell.run(&format!("{TEST} --wait 2s")).await;
        assert!(why(&output, 1).contains("http_status"));
        assert!(out(&output).contains("no\\n"), "{output:?}");
    })
    .await;
}

#[tokio::test]
async fn a_sample_reaches_the_endpoint_and_its_attempt_is_printed() {
    database_scenario(async |world, database| {
        let console =
            start(setup(world, database).set("HOOKLINE_AMQP_URL", services().amqp_url.as_str())).await;
        let dispatcher = world
            .dispatcher()
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set("HOOKLINE_DATABASE_URL", database.url().as_str())
            .set("HOOKLINE_MASTER_KEY", MASTER_KEY);
        dispatcher.start().await;
        let crm = Receiver::answering(status(204)).await;
        let admin = Shell::admin(world, &console);
        let url = crm.url();
        // Neither the filter nor the pause keeps a test event back.
        admin
            .succeed(&format!(
                "endpoints add --company acme --id ep_crm --url {url} --events form.* --disabled"
            ))
            .await;
        let told = admin.succeed(&format!("{TEST} --wait 30s")).await;
        assert!(told.contains("delivered") && told.contains("204"), "{told}");
        let received = crm.requests();
        assert_eq!(received.len(), 1);
        assert!(told.contains(received[0].id()), "{told}");

        crm.answer_now(status(500));
        let told = admin.fail(&format!("{TEST} --wait 30s")).await;
        assert!(told.contains("http_status"), "{told}");
        assert_eq!(crm.count(), 2, "a test event is not retried");
    })
    .await;
}
