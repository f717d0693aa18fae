//! The publishers of `examples/publishers`: what they publish is delivered, and what no queue takes is told.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use hookline_tests::console::{ADMIN_TOKEN, database_scenario, setup, start};
use hookline_tests::endpoint::endpoint;
use hookline_tests::services::services;
use hookline_tests::{Receiver, scenario, status};
use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, ExchangeDeleteOptions};
use lapin::types::FieldTable;
use serde_json::Value;
use tokio::process::Command;

use crate::SOON;
use crate::conformance::library::{packages, project};

struct Publisher {
    folder: &'static str,
    installed_with: &'static str,
    runs: [&'static str; 2],
    looks_for_packages_in: &'static str,
}

const PUBLISHERS: [Publisher; 3] = [
    Publisher {
        folder: "examples/publishers/python",
        installed_with: "pip",
        runs: ["python3", "publish.py"],
        looks_for_packages_in: "PYTHONPATH",
    },
    Publisher {
        folder: "examples/publishers/node",
        installed_with: "npm",
        runs: ["node", "publish.js"],
        looks_for_packages_in: "NODE_PATH",
    },
    Publisher {
        folder: "examples/publishers/php",
        installed_with: "php",
        runs: ["php", "publish.php"],
        looks_for_packages_in: "COMPOSER_VENDOR_DIR",
    },
];

impl Publisher {
    /// Publishes booking `id` under `namespace`.
    async fn run(&self, packages: &PathBuf, namespace: &str, id: &str) -> Output {
        let [program, script] = self.runs;
        let output = Command::new(program)
            .args([script, id])
            .current_dir(project().join(self.folder))
            .env(self.looks_for_packages_in, packages)
            .env("HOOKLINE_AMQP_URL", &services().amqp_url)
            .env("HOOKLINE_NAMESPACE", namespace)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        output.await.unwrap()
    }

    async fn packages(&self) -> Option<PathBuf> {
        packages(self.installed_with, self.folder).await
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[tokio::test]
async fn what_each_publishes_is_delivered_under_the_id_that_it_prints() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let mut published = Vec::new();
        for publisher in &PUBLISHERS {
            let Some(packages) = publisher.packages().await else {
                continue;
            };
            let namespace = world.namespace().to_string();
            let booking = format!("b_{}", publisher.installed_with);
            let output = publisher.run(&packages, &namespace, &booking).await;
            assert!(
                output.status.success(),
                "{}: {}",
                publisher.folder,
                text(&output.stderr)
            );
            published.push((text(&output.stdout), booking));
        }
        let requests = receiver.expect(published.len(), SOON).await;
        assert_eq!(requests.len(), published.len());
        for (id, booking) in published {
            let request = requests.iter().find(|request| request.id() == id).unwrap();
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            assert_eq!(body["type"], "booking.created");
            assert_eq!(body["data"]["booking"]["id"], booking.as_str());
            assert_eq!(body["data"]["booking"]["attendee"]["firstName"], "Zoë");
        }
    })
    .await;
}

#[tokio::test]
async fn what_no_queue_takes_or_no_exchange_is_there_for_is_told_and_exit_status_1() {
    scenario(async |world| {
        let unbound = format!("{}-unbound", world.namespace());
        let exchange = format!("{unbound}.events");
        let channel = world.broker().channel().await;
        let declared = channel.exchange_declare(
            exchange.as_str().into(),
            ExchangeKind::Topic,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        );
        declared.await.unwrap();
        for publisher in &PUBLISHERS {
            let Some(packages) = publisher.packages().await else {
                continue;
            };
            for (namespace, part) in [
                (unbound.as_str(), "no queue takes events"),
                ("nowhere-at-all", "refuses the event"),
            ] {
                let output = publisher.run(&packages, namespace, "b_1").await;
                let told = text(&output.stderr);
                assert_eq!(output.status.code(), Some(1), "{}: {told}", publisher.folder);
                assert!(told.contains(part), "{}: {told}", publisher.folder);
                assert_eq!(text(&output.stdout), "", "no id is printed");
            }
        }
        let deleted = channel.exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default());
        deleted.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_the_script_for_http_publishes_is_delivered() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let publish = |token: &str| {
            Command::new("bash")
                .arg(project().join("examples/publishers/publish.sh"))
                .arg("b_http")
                .env(
                    "HOOKLINE_API_URL",
                    format!("http://127.0.0.1:{}", console.process().port()),
                )
                .env("HOOKLINE_API_TOKEN", token)
                .stdin(Stdio::null())
                .output()
        };
        let output = publish(ADMIN_TOKEN).await.unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let accepted: Value = serde_json::from_slice(&output.stdout).unwrap();
        let request = receiver.expect_one(SOON).await;
        assert_eq!(request.id(), accepted["id"].as_str().unwrap());
        assert!(!publish("another-token").await.unwrap().status.success());
    })
    .await;
}
