//! The links of a cluster: those between its nodes, which a test may part, and the doors for clients.
//!
//! Nodes are parted inside Erlang: each side takes another cookie for the other one, and closes the connection; it can be made again
//! only when both have forgotten that. It needs no rights on the machine, and touches no other broker on it. Both sides know at once
//! that they are parted, as after a reset; what a silent cut does is what a frozen node does.

use futures_util::future::join_all;

use super::nodes::Cluster;
use crate::{SOON, eventually};

/// What a node does that sees less than half of the others.
#[derive(Debug, Clone, Copy)]
pub enum OnPartition {
    /// It goes on: RabbitMQ's default.
    Ignore,
    /// It closes its doors until it sees them again: what RabbitMQ's cluster operator sets.
    PauseMinority,
}

impl Cluster {
    /// Cuts a node off from the two others.
    ///
    /// # Panics
    /// When they still see each other.
    pub async fn cut_off(&self, node: usize) {
        let refuse = format!(
            "[erlang:set_cookie(N, list_to_atom(\"not_of_\" ++ atom_to_list(node()))) || \
             N <- [{}], N =/= node(), N =:= 'hookline-{node}@localhost' orelse node() =:= 'hookline-{node}@localhost'].",
            all_names()
        );
        join_all((1..=Self::NODES).map(|each| self.evaluate(each, &refuse))).await;
        // All links of one node at once: where one of the others hears of it before the next, they part from each other as well.
        self.evaluate(node, "[erlang:disconnect_node(N) || N <- nodes()].")
            .await;
        let sees = format!("length([N || N <- [{}], lists:member(N, nodes())]).", all_names());
        assert_eq!(self.evaluate(node, &sees).await.trim(), "0", "it is alone");
    }

    /// Lets all nodes connect to each other again, and waits until they have.
    ///
    /// # Panics
    /// When they do not find together.
    pub async fn join_again(&self) {
        let forget = format!(
            "[erlang:set_cookie(N, erlang:get_cookie()) || N <- [{}], N =/= node()].",
            all_names()
        );
        join_all((1..=Self::NODES).map(|each| self.evaluate(each, &forget))).await;
        let sees = format!(
            "length([N || N <- [{}], N =/= node(), net_kernel:connect_node(N) =:= true]).",
            all_names()
        );
        for node in 1..=Self::NODES {
            eventually(SOON, "the node sees all others", async || {
                (self.evaluate(node, &sees).await.trim() == "2").then_some(())
            })
            .await;
        }
    }

    /// Has all nodes behave like this from now on when they are parted.
    pub async fn on_partition(&self, way: OnPartition) {
        let way = match way {
            OnPartition::Ignore => "ignore",
            OnPartition::PauseMinority => "pause_minority",
        };
        let set = format!("application:set_env(rabbit, cluster_partition_handling, {way}).");
        join_all((1..=Self::NODES).map(|node| self.evaluate(node, &set))).await;
    }

    /// Has nodes take no new clients, or take them again.
    pub async fn doors(&self, nodes: &[usize], are_open: bool) {
        let set = if are_open {
            "rabbit_maintenance:resume_all_client_listeners()."
        } else {
            "rabbit_maintenance:suspend_all_client_listeners()."
        };
        join_all(nodes.iter().map(|node| self.evaluate(*node, set))).await;
    }

    /// Drains a node, as `rabbitmq-upgrade drain` does: others lead, clients go, and no new ones are taken.
    pub async fn drain(&self, node: usize) {
        self.evaluate(node, "rabbit_maintenance:drain().").await;
    }

    /// Takes a drained node back, as `rabbitmq-upgrade revive` does.
    pub async fn revive(&self, node: usize) {
        self.evaluate(node, "rabbit_maintenance:revive().").await;
    }
}

fn all_names() -> String {
    let names: Vec<_> = (1..=Cluster::NODES)
        .map(|node| format!("'hookline-{node}@localhost'"))
        .collect();
    names.join(", ")
}
