//! Events that real client libraries publish, with what each fills in by itself: delivered, or rejected with the reason.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};

use hookline_common::topology::Queue;
use hookline_tests::endpoint::endpoint;
use hookline_tests::hostile::not_run;
use hookline_tests::services::services;
use hookline_tests::{Receiver, World, scenario, status};
use serde_json::Value;
use tokio::process::Command;

use crate::SOON;
use crate::conformance::library::{packages, project};

/// A library, and the program in `tests/clients` that publishes with it.
struct Client {
    installed_with: &'static str,
    runs: &'static [&'static str],
    looks_for_packages_in: &'static str,
}

const AMQPLIB: Client = Client {
    installed_with: "npm",
    runs: &["node", "publish.js"],
    looks_for_packages_in: "NODE_PATH",
};

const fn python(runs: &'static [&'static str]) -> Client {
    Client {
        installed_with: "pip",
        runs,
        looks_for_packages_in: "PYTHONPATH",
    }
}

const PIKA: Client = python(&["python3", "publish.py", "pika"]);
const KOMBU: Client = python(&["python3", "publish.py", "kombu"]);
const AIO_PIKA: Client = python(&["python3", "publish.py", "aio-pika"]);

/// What was published: the event's id, and the case and what becomes of it.
type Published = BTreeMap<String, (String, String)>;

/// What such a program says it has published.
fn published(output: &Output) -> Published {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    let lines = std::str::from_utf8(&output.stdout).unwrap();
    let published: BTreeMap<_, _> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|line| (text(&line, "id"), (text(&line, "case"), text(&line, "expected"))))
        .collect();
    assert!(published.len() >= 10, "{lines}");
    published
}

impl Client {
    /// What it has published. Nothing where this machine cannot have the library.
    async fn publishes(&self, world: &World) -> Published {
        let Some(packages) = packages(self.installed_with, "tests/clients").await else {
            return BTreeMap::new();
        };
        let [program, arguments @ ..] = self.runs else {
            panic!("a program");
        };
        let output = Command::new(program)
            .args(arguments)
            .args([&services().amqp_url, &world.namespace().events_exchange()])
            .current_dir(project().join("tests/clients"))
            .env(self.looks_for_packages_in, packages)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        published(&output)
    }
}

/// What a library of Debian's for this language has published. Nothing, and a line that says so, where that cannot be had.
async fn of_debian(language: &str, world: &World) -> Published {
    /// Its script's word for that.
    const CANNOT: i32 = 77;
    let output = Command::new(project().join("tests/clients/debian.sh"))
        .arg(language)
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages"))
        .args([&services().amqp_url, &world.namespace().events_exchange()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    if output.status.code() == Some(CANNOT) {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        not_run(&format!("real_clients, {language}"), why.trim());
        return BTreeMap::new();
    }
    published(&output)
}

/// Publishes with a library, and looks what became of each event.
async fn each_is_delivered_or_rejected_as_it_must_be(publish: impl AsyncFnOnce(&World) -> Published) {
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([
            endpoint("ep_crm", &receiver),
            endpoint("ep_42", &receiver).text("company", "42"),
        ]);
        world.dispatcher().start().await;
        let published = publish(world).await;
        let delivered = published
            .values()
            .filter(|(_, expected)| expected == "delivered")
            .count();
        let mut seen = BTreeMap::new();
        for request in receiver.expect(delivered, SOON).await {
            seen.insert(request.id().to_owned(), "delivered".to_owned());
        }
        let rejected = world
            .expect_in(Queue::Rejected, published.len() - delivered, SOON)
            .await;
        for message in rejected {
            assert_eq!(message.text("sent-exchange"), world.namespace().events_exchange());
            seen.insert(
                message.id().to_owned(),
                message.text("rejected-reason").to_owned(),
            );
        }
        for (id, (case, expected)) in &published {
            assert_eq!(seen.get(id), Some(expected), "{case}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_amqplib_publishes_is_delivered_or_rejected_with_the_reason() {
    each_is_delivered_or_rejected_as_it_must_be(async |world| AMQPLIB.publishes(world).await).await;
}

#[tokio::test]
async fn what_pika_publishes_is_delivered_or_rejected_with_the_reason() {
    each_is_delivered_or_rejected_as_it_must_be(async |world| PIKA.publishes(world).await).await;
}

#[tokio::test]
async fn what_kombu_publishes_is_delivered_or_rejected_with_the_reason() {
    each_is_delivered_or_rejected_as_it_must_be(async |world| KOMBU.publishes(world).await).await;
}

#[tokio::test]
async fn what_aio_pika_publishes_is_delivered_or_rejected_with_the_reason() {
    each_is_delivered_or_rejected_as_it_must_be(async |world| AIO_PIKA.publishes(world).await).await;
}

#[tokio::test]
async fn what_bunny_publishes_is_delivered_or_rejected_with_the_reason() {
    each_is_delivered_or_rejected_as_it_must_be(async |world| of_debian("ruby", world).await).await;
}

#[tokio::test]
async fn what_php_amqplib_publishes_is_delivered_or_rejected_with_the_reason() {
    each_is_delivered_or_rejected_as_it_must_be(async |world| of_debian("php", world).await).await;
}

#[tokio::test]
async fn what_the_java_client_publishes_is_delivered_or_rejected_with_the_reason() {
    each_is_delivered_or_rejected_as_it_must_be(async |world| of_debian("java", world).await).await;
}
