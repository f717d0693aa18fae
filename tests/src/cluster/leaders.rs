//! Who leads which queue of a cluster, asked of and told to the nodes in Erlang.

use hookline_common::topology::Namespace;

use super::nodes::Cluster;
use crate::{SOON, eventually};

impl Cluster {
    /// Has a node lead all quorum queues of a namespace.
    ///
    /// # Panics
    /// When it does not come to lead them.
    pub async fn leads(&self, node: usize, namespace: &Namespace) {
        // Those that it does not lead are asked for, and counted.
        let expression = format!(
            "length([rabbit_quorum_queue:transfer_leadership(Q, 'hookline-{node}@localhost') || Q <- rabbit_amqqueue:list(), \
             amqqueue:get_type(Q) =:= rabbit_quorum_queue, element(2, amqqueue:get_pid(Q)) =/= 'hookline-{node}@localhost', \
             lists:prefix(\"{namespace}.\", binary_to_list(element(4, amqqueue:get_name(Q))))])."
        );
        eventually(SOON, "the node leads all queues", async || {
            (self.evaluate(node, &expression).await.trim() == "0").then_some(())
        })
        .await;
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

    /// The node that leads a queue or a stream, as `asked` knows it.
    ///
    /// # Panics
    /// When it knows no such queue.
    pub async fn leader(&self, asked: usize, queue: &str) -> usize {
        let expression = format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), \
             case amqqueue:get_pid(Q) of {{_, N}} -> N; P -> node(P) end."
        );
        let answer = self.evaluate(asked, &expression).await;
        let nodes = 1..=Self::NODES;
        let mut leaders = nodes.filter(|node| answer.contains(&format!("hookline-{node}@")));
        leaders
            .next()
            .unwrap_or_else(|| panic!("{queue} is led by {answer}"))
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
    /// that has just come back has to catch up first. And the node knows them when it comes back from a crash.
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
        // So that the next one can be spared once this one is back.
        self.knows_its_queues_after_a_crash(node).await;
    }
}
