//! Metrics: what programs show is what is declared, what is declared is what is documented, and alerts and board ask for nothing
//! else.

mod declared; // what is shown, and what is written about it
mod alerts; // what asks for it, and says what to do
mod board; // what shows it
mod prometheus; // the same in a real Prometheus

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookline_tests::console::{Console, MASTER_KEY, setup, start};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::endpoint::SECRET;
use hookline_tests::{Receiver, World, eventually, status};
use serde_json::json;

use crate::SOON;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn file(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Promtool and Prometheus, where they can be had.
async fn programs() -> Option<PathBuf> {
    let asked = tokio::process::Command::new(root().join("scripts/prometheus.sh"))
        .output()
        .await
        .unwrap();
    let folder = String::from_utf8(asked.stdout).unwrap();
    asked.status.success().then(|| PathBuf::from(folder.trim()))
}

/// A console, and a dispatcher that has its endpoints from it.
struct Installation {
    console: Console,
    dispatcher: Arc<Dispatcher>,
    receiver: Receiver,
}

/// An installation at work: one event was delivered, one retried and one failed for good by the time it is handed over.
async fn at_work(world: &World, database: &Database) -> Installation {
    let schedule = "1s";
    let console = start(setup(world, database).set("HOOKLINE_RETRY_SCHEDULE", schedule)).await;
    let receiver = Receiver::scripted(|request| {
        let takes = !String::from_utf8_lossy(&request.body).contains("never");
        let takes_now =
            takes && (request.attempt() > 1 || !String::from_utf8_lossy(&request.body).contains("later"));
        status(if takes_now { 200 } else { 500 })
    })
    .await;
    let endpoint = json!({"url": receiver.url(), "id": "ep_crm", "secret": SECRET});
    console.register("acme", &endpoint).await;
    let dispatcher = world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database.url().as_str())
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
        .set("HOOKLINE_RETRY_SCHEDULE", schedule)
        .start()
        .await;
    for data in ["{}", r#"{"when":"later"}"#, r#"{"when":"never"}"#] {
        world.publish("booking.created", data).await;
    }
    receiver.expect(5, SOON).await;
    eventually(
        SOON,
        "the attempts are recorded, and the dead letter is filed",
        async || {
            let written = console
                .process()
                .metric("hookline_log_records_written_total")
                .await?;
            let filed = console
                .process()
                .metric("hookline_dead_letters_filed_total")
                .await?;
            (written >= 5.0 && filed >= 1.0).then_some(())
        },
    )
    .await;
    Installation {
        console,
        dispatcher,
        receiver,
    }
}

/// A page of `/metrics`.
struct Shown {
    /// Type and help of each.
    metrics: BTreeMap<String, (String, String)>,
    /// The labels that its samples have.
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Shown {
    fn read(page: &str) -> Self {
        let (mut metrics, mut labels) = (BTreeMap::new(), BTreeMap::<_, BTreeSet<String>>::new());
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                metrics.insert(name.to_owned(), (String::new(), help.to_owned()));
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                metrics.entry(name.to_owned()).or_default().0 = kind.to_owned();
            } else if let Some((name, rest)) = line.split_once('{') {
                let (of_sample, _value) = rest.rsplit_once('}').unwrap();
                let names = of_sample.split("\",").filter_map(|label| label.split_once('='));
                labels
                    .entry(name.to_owned())
                    .or_default()
                    .extend(names.map(|(name, _)| name.to_owned()));
            }
        }
        Self { metrics, labels }
    }
}
