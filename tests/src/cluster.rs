//! A cluster of three brokers of the test's own, whose nodes it may kill, freeze and start again.

use std::fs::File;
use std::path::PathBuf;

use hookline_common::schedule::RetrySchedule;
use hookline_common::topology::{Argument, Namespace, Queue, Topology};
use lapin::types::AMQPValue;
use tokio::process::Command;
use url::Url;

use crate::broker::Broker;
use crate::scripts::{self, Started};
use crate::services::services;
use crate::{SOON, eventually};

/// Three RabbitMQ nodes, joined.
pub struct Cluster {
    nodes: Started,
    ports: Vec<u16>,
    _turn: File,
}

impl Cluster {
    /// How many nodes it has.
    pub const NODES: usize = 3;

    /// Starts one, when no other test of this machine has one: more of them would only slow each other down.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start() -> Self {
        let turn = tokio::task::spawn_blocking(|| {
            let path = std::env::temp_dir().join("hookline-tests-cluster.lock");
            let file = File::options().create(true).append(true).open(path)?;
            file.lock().map(|()| file)
        });
        let mut cluster = Self {
            _turn: turn.await.expect("no panic").expect("a lock"),
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

    /// Kills a node (SIGKILL), as a crash would.
    pub async fn kill(&self, node: usize) {
        self.broker("kill", node, &[]).await;
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
        let pid = std::fs::read_to_string(self.folder_of(node).join("pid")).expect("the node's pid file");
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), pid.trim()])
            .status()
            .await;
        assert!(sent.expect("kill runs").success(), "node {node} is gone");
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
    async fn knows_its_queues_after_a_crash(&self, node: usize) {
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
        self.control(node, &["eval", expression]).await
    }

    /// Has others lead the quorum queues that a node leads.
    pub async fn leads_nothing(&self, node: usize) {
        let other = node % Self::NODES + 1;
        let expression = format!(
            "[rabbit_quorum_queue:transfer_leadership(Q, 'hookline-{other}@localhost') || Q <- rabbit_amqqueue:list(), \
             amqqueue:get_type(Q) =:= rabbit_quorum_queue, element(2, amqqueue:get_pid(Q)) =:= 'hookline-{node}@localhost']."
        );
        self.evaluate(other, &expression).await;
    }

    /// Has a node name another one as the leader of a queue, as it is for a moment when that one has just died.
    pub async fn takes_for_leader(&self, node: usize, leader: usize, queue: &str) {
        // RabbitMQ 3.10 wants a transaction around it, and 4.x has none.
        let expression = format!(
            "Update = fun() -> rabbit_amqqueue:update(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>), fun(Q) -> \
             {{Name, _}} = amqqueue:get_pid(Q), amqqueue:set_pid(Q, {{Name, 'hookline-{leader}@localhost'}}) end) end, \
             case erlang:function_exported(rabbit_misc, execute_mnesia_transaction, 1) of \
             true -> rabbit_misc:execute_mnesia_transaction(Update); false -> Update() end."
        );
        self.evaluate(node, &expression).await;
    }

    /// Waits until all quorum queues of a namespace have a majority without this node, as people do before they stop it: one
    /// that has just come back has to catch up first.
    ///
    /// # Panics
    /// When they do not get it.
    pub async fn can_spare(&self, node: usize, namespace: &Namespace) {
        let expression = format!(
            "length([Q || Q <- rabbit_quorum_queue:list_with_minimum_quorum(), \
             string:prefix(binary_to_list(element(4, amqqueue:get_name(Q))), \"{namespace}.\") =/= nomatch])."
        );
        eventually(SOON, "each queue has a majority without the node", async || {
            (self.evaluate(node, &expression).await.trim() == "0").then_some(())
        })
        .await;
    }

    /// Ends all of it.
    pub async fn stop(self) {
        self.nodes.run("stop", &[]).await;
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
