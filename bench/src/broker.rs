//! The broker from outside, by its management API: which process it is, and an end to what the benchmark made there.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::error::{Context as _, Fault, Result};
use crate::machine;
use crate::settings::Settings;

/// What the names of all our queues and exchanges start with; the pid of the benchmark follows.
const PREFIX: &str = "hookline-bench-";

/// How long a broker that has just started may take to gather its own figures; it does so every five seconds.
const START_TIME: Duration = Duration::from_secs(30);

/// The management API.
pub(crate) struct Broker {
    api: Url,
    client: reqwest::Client,
    prefix: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Node {
    os_pid: String,
}

#[derive(Deserialize)]
struct Alarms {
    mem_alarm: bool,
    disk_free_alarm: bool,
}

impl Broker {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// The URL is none.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let api = settings.management_url.parse();
        Ok(Self {
            api: api.context("HOOKLINE_TEST_MANAGEMENT_URL")?,
            client: http_client()?,
            prefix: format!("{PREFIX}{}-", std::process::id()),
        })
    }

    /// A namespace of this run's.
    pub(crate) fn namespace(&self, number: u32) -> String {
        format!("{}{number}", self.prefix)
    }

    /// The pid of the broker's one node, where it is a process of this machine that can be looked at: not in a container.
    ///
    /// # Errors
    /// The management API does not answer.
    pub(crate) async fn pid(&self) -> Result<Option<u32>> {
        let since = Instant::now();
        let nodes: Vec<Node> = loop {
            let nodes: Vec<Value> = self.get("/api/nodes?columns=os_pid").await?;
            let known = nodes.into_iter().map(serde_json::from_value).collect();
            match known {
                Ok(nodes) => break nodes,
                // A broker that has just started does not know its own process yet.
                Err(_) if since.elapsed() < START_TIME => sleep(Duration::from_millis(200)).await,
                Err(error) => {
                    return Err(Fault::new(format!(
                        "the broker does not know its own process: {error}"
                    )));
                }
            }
        };
        let [node] = nodes.as_slice() else { return Ok(None) };
        let pid = node.os_pid.parse().ok();
        Ok(pid.filter(|pid| machine::program(*pid).is_some_and(|name| name.contains("beam"))))
    }

    /// What keeps the broker from taking messages, if anything does: it holds back publishers and says nothing to them.
    pub(crate) async fn alarm(&self) -> Option<&'static str> {
        let nodes = self.get("/api/nodes?columns=mem_alarm,disk_free_alarm").await;
        let nodes: Vec<Alarms> = nodes.ok()?;
        if nodes.iter().any(|node| node.mem_alarm) {
            return Some("the broker has reached its memory limit, vm_memory_high_watermark");
        }
        let is_full = nodes.iter().any(|node| node.disk_free_alarm);
        is_full.then_some("the broker has reached its disk limit, disk_free_limit")
    }

    /// Deletes everything that this run has made.
    ///
    /// # Errors
    /// The management API does not answer, or refuses.
    pub(crate) async fn delete_ours(&self) -> Result<()> {
        self.delete(|name| name.starts_with(&self.prefix)).await
    }

    /// Deletes what the namespace holds.
    ///
    /// # Errors
    /// As [`Self::delete_ours`].
    pub(crate) async fn delete_namespace(&self, namespace: &str) -> Result<()> {
        let prefix = format!("{namespace}.");
        self.delete(|name| name.starts_with(&prefix)).await
    }

    /// Deletes what runs that were killed have left: those whose process is gone.
    ///
    /// # Errors
    /// As [`Self::delete_ours`].
    pub(crate) async fn delete_orphans(&self) -> Result<()> {
        self.delete(|name| owner(name).is_some_and(|pid| machine::program(pid).is_none()))
            .await
    }

    async fn delete(&self, is_meant: impl Fn(&str) -> bool) -> Result<()> {
        for kind in ["queues", "exchanges"] {
            let all: Vec<Named> = self.get(&format!("/api/{kind}/%2F?disable_stats=true")).await?;
            for Named { name } in all.into_iter().filter(|object| is_meant(&object.name)) {
                let url = self.url(&format!("/api/{kind}/%2F/{name}"))?;
                let deleted = self.client.delete(url).send().await;
                deleted.context(format_args!("deleting {name}"))?;
            }
        }
        Ok(())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        const WHAT: &str = "asking the management API";
        let answer = self.client.get(self.url(path)?).send().await.context(WHAT)?;
        if !answer.status().is_success() {
            return Err(Fault::new(format!("{WHAT}: {path} answers {}", answer.status())));
        }
        let body = answer.bytes().await.context(WHAT)?;
        serde_json::from_slice(&body).context(WHAT)
    }

    fn url(&self, path: &str) -> Result<Url> {
        self.api.join(path).context(path)
    }
}

/// A client for the benchmark's own questions.
///
/// # Errors
/// It cannot be set up.
pub(crate) fn http_client() -> Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build();
    client.context("setting up an HTTP client")
}

/// The pid of the run that an object belongs to.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_other_runs_are_told_by_their_pid() {
        assert_eq!(owner("hookline-bench-4711-3.retry.60s"), Some(4711));
        assert_eq!(owner("hookline.events"), None);
        assert_eq!(owner("hookline-bench-x"), None);
    }
}
