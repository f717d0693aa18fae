//! A cluster of three brokers of the test's own, whose nodes it may kill, freeze and start again.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use crate::services::services;

/// Three RabbitMQ nodes, joined.
pub struct Cluster {
    folder: TempDir,
    broker_script: &'static Path,
    script: PathBuf,
    ports: Vec<String>,
}

impl Cluster {
    /// How many nodes it has.
    pub const NODES: usize = 3;

    /// Starts one.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start() -> Self {
        let broker_script: &Path = &services().broker_script;
        let mut cluster = Self {
            folder: TempDir::new().expect("a folder"),
            broker_script,
            script: broker_script.with_file_name("cluster.sh"),
            ports: Vec::new(),
        };
        let folder = cluster.folder.path().as_os_str();
        run(Command::new(&cluster.script)
            .arg("start")
            .arg(folder)
            .arg(Self::NODES.to_string()))
        .await;
        for node in 1..=Self::NODES {
            let port = cluster.broker("port", node, &[]).await;
            cluster.ports.push(port.trim().to_owned());
        }
        cluster
    }

    /// The URL of a node, counted from 1.
    ///
    /// # Panics
    /// When there is no such node.
    #[must_use]
    pub fn url(&self, node: usize) -> String {
        let port = &self.ports[node - 1];
        format!("amqp://guest:guest@127.0.0.1:{port}/%2f")
    }

    /// The URLs of all nodes, as a list for `HOOKLINE_AMQP_URL`.
    #[must_use]
    pub fn urls(&self) -> String {
        let urls: Vec<_> = (1..=Self::NODES).map(|node| self.url(node)).collect();
        urls.join(",")
    }

    /// Kills a node (SIGKILL), as a crash would.
    pub async fn kill(&self, node: usize) {
        self.broker("kill", node, &[]).await;
    }

    /// Starts a node again, with the data that it had.
    pub async fn start_again(&self, node: usize) {
        let port = &self.ports[node - 1];
        self.broker("start", node, &[port]).await;
    }

    /// Runs `rabbitmqctl` of a node.
    pub async fn control(&self, node: usize, arguments: &[&str]) -> String {
        let all: Vec<&str> = std::iter::once("auto").chain(arguments.iter().copied()).collect();
        self.broker("ctl", node, &all).await
    }

    /// Has a node evaluate an Erlang expression, and returns what that came to.
    pub async fn evaluate(&self, node: usize, expression: &str) -> String {
        self.control(node, &["eval", expression]).await
    }

    /// Ends all of it.
    pub async fn stop(self) {
        let folder = self.folder.path().as_os_str();
        run(Command::new(&self.script).arg("stop").arg(folder)).await;
    }

    async fn broker(&self, command: &str, node: usize, arguments: &[&str]) -> String {
        let folder = self.folder.path().join(node.to_string());
        run(Command::new(self.broker_script)
            .arg(command)
            .arg(folder)
            .args(arguments))
        .await
    }
}

impl Drop for Cluster {
    /// For a test that failed before it could stop it. A second stop does nothing.
    fn drop(&mut self) {
        let stopped = std::process::Command::new(&self.script)
            .arg("stop")
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .status();
        if let Err(error) = stopped {
            eprintln!(
                "a cluster may be left in {}: {error}",
                self.folder.path().display()
            );
        }
    }
}

async fn run(command: &mut Command) -> String {
    let output = command
        // Nobody looks at its pages, and it starts in half the time.
        .env("HOOKLINE_BROKER_PLUGINS", "none")
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the script runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
