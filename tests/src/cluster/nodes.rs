//! Three nodes: started, joined, killed, frozen, stopped, and started again.

use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use hookline_common::schedule::RetrySchedule;
use hookline_common::topology::{Argument, Namespace, Queue, Topology};
use lapin::types::AMQPValue;
use tokio::process::Command;
use url::Url;

use crate::broker::Broker;
use crate::erlang::Erlang;
use crate::scripts::{self, Started};
use crate::services::services;
use crate::{SOON, eventually};

/// Three RabbitMQ nodes, joined.
pub struct Cluster {
    nodes: Started,
    ports: Vec<u16>,
}

impl Cluster {
    /// How many nodes it has.
    pub const NODES: usize = 3;

    /// Starts one.
    ///
    /// # Panics
    /// When it does not come up.
    pub(super) async fn start() -> Self {
        let mut cluster = Self {
            nodes: Started::by(services().broker_script.with_file_name("cluster.sh")),
            ports: Vec::new(),
        };
        cluster.nodes.run("start", &[&Self::NODES.to_string()]).await;
        for node in 1..=Self::NODES {
            let port = cluster.broker("port", node, &[]).await;
            cluster.ports.push(port.trim().parse().expect("a port"));
        }
        cluster
    }

    /// The URL of a node, counted from 1.
    ///
    /// # Panics
    /// When there is no such node.
    #[must_use]
    pub fn url(&self, node: usize) -> String {
        let port = self.ports[node - 1];
        format!("amqp://guest:guest@127.0.0.1:{port}/%2f")
    }

    /// The URLs of some nodes, as a list for `HOOKLINE_AMQP_URL`.
    #[must_use]
    pub fn urls_of(&self, nodes: &[usize]) -> String {
        let urls: Vec<_> = nodes.iter().map(|node| self.url(*node)).collect();
        urls.join(",")
    }

    /// The URLs of all nodes.
    #[must_use]
    pub fn urls(&self) -> String {
        self.urls_of(&[1, 2, 3])
    }

    /// The management API, which the first node has.
    ///
    /// # Panics
    /// Never: it is a URL.
    #[must_use]
    pub fn management(&self) -> Url {
        let url = format!("http://guest:guest@127.0.0.1:{}", self.ports[0] + 1);
        url.parse().expect("a URL")
    }

    /// Kills a node (SIGKILL), as a crash would, and returns as soon as it is gone.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn kill(&self, node: usize) {
        let pid = self.pid(node).expect("the node's pid file");
        self.signal(node, "KILL").await;
        eventually(SOON, "the node is gone", async || (!runs(&pid)).then_some(())).await;
        // Some other process may get the number.
        std::fs::remove_file(self.pid_file(node)).expect("the node's pid file goes");
    }

    /// Stops a node in order (SIGTERM), and returns when it is gone.
    pub async fn stop_node(&self, node: usize) {
        self.broker("stop", node, &[]).await;
    }

    /// Starts a node again, with the data that it had.
    pub async fn start_again(&self, node: usize) {
        self.nodes.run("again", &[&node.to_string()]).await;
    }

    /// Freezes a node (SIGSTOP): its connections stand, and it answers nothing.
    pub async fn freeze(&self, node: usize) {
        self.signal(node, "STOP").await;
    }

    /// Lets it go on.
    pub async fn thaw(&self, node: usize) {
        self.signal(node, "CONT").await;
    }

    async fn signal(&self, node: usize, signal: &str) {
        let pid = self.pid(node).expect("the node's pid file");
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &pid])
            .status()
            .await;
        assert!(sent.expect("kill runs").success(), "node {node} is gone");
    }

    /// Of a node that runs.
    fn pid(&self, node: usize) -> Option<String> {
        let pid = std::fs::read_to_string(self.pid_file(node)).ok()?;
        Some(pid.trim().to_owned())
    }

    fn pid_file(&self, node: usize) -> PathBuf {
        self.folder_of(node).join("pid")
    }

    /// Makes sure that all nodes run and see each other.
    ///
    /// # Panics
    /// When they do not come to.
    pub async fn is_whole(&self) {
        for node in 1..=Self::NODES {
            eventually(SOON, "three nodes run", async || {
                let running = self.evaluate(node, "length(rabbit_nodes:all_running()).").await;
                (running.trim() == Self::NODES.to_string()).then_some(())
            })
            .await;
        }
    }

    /// Kills whatever runs, in whatever state, and starts all nodes again with the data that they had.
    pub(super) async fn begin_anew(&self) {
        for node in 1..=Self::NODES {
            if self.pid(node).is_some_and(|pid| runs(&pid)) {
                self.kill(node).await;
            }
        }
        join_all((1..=Self::NODES).map(|node| self.start_again(node))).await;
    }

    /// Declares a queue of ours on one node, with a replica there and nowhere else: as on a cluster that grew later.
    ///
    /// # Panics
    /// When it is none of ours, or stands already.
    pub async fn declare_on(&self, node: usize, namespace: &Namespace, queue: Queue) {
        let whole = Topology::whole(namespace, &RetrySchedule::default()).with_replicas(1);
        let name = namespace.queue(queue);
        let spec = whole.queues.iter().find(|spec| spec.name == name);
        let argument = |value: &Argument| match value {
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
        };
        let arguments = &spec.expect("a queue of ours").arguments;
        let arguments: Vec<_> = arguments
            .iter()
            .map(|(name, value)| (*name, argument(value)))
            .collect();
        let broker = Broker::connect(&self.url(node)).await;
        broker.declare(&name, &arguments).await;
        self.knows_its_queues_after_a_crash(node).await;
    }

    /// Has a node write down which queues it has a replica of. By itself it does so half a second after a queue was declared:
    /// killed before, it comes back with an empty replica that waits for others, and what the only one held is lost.
    pub(super) async fn knows_its_queues_after_a_crash(&self, node: usize) {
        let expression =
            "#{names := #{directory_rev := Table}} = ra_system:fetch(quorum_queues), dets:sync(Table).";
        assert_eq!(self.evaluate(node, expression).await.trim(), "ok");
    }

    /// Runs `rabbitmqctl` of a node.
    pub async fn control(&self, node: usize, arguments: &[&str]) -> String {
        self.broker("ctl", node, &[&["auto"], arguments].concat()).await
    }

    /// Has a node evaluate an Erlang expression, and returns what that came to.
    pub async fn evaluate(&self, node: usize, expression: &str) -> String {
        let port = self.ports[node - 1].to_string();
        let script = &services().broker_script;
        Erlang::of(script, &self.folder_of(node), &port)
            .evaluate(expression)
            .await
    }

    fn folder_of(&self, node: usize) -> PathBuf {
        self.nodes.folder().join(node.to_string())
    }

    async fn broker(&self, command: &str, node: usize, arguments: &[&str]) -> String {
        scripts::run(
            &services().broker_script,
            command,
            &self.folder_of(node),
            arguments,
        )
        .await
    }
}

/// Whether a process runs; one that only waits to be reaped does not.
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .trim_start()
        .chars()
        .next();
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}
