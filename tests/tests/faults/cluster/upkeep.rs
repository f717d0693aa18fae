//! What an operator does to nodes while events are published: restarts them one by one, drains one and takes it back.

use hookline_tests::cluster::{Cluster, Turn};
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::scenario;

use super::ALL;
use hookline_tests::moment::Moment;

use super::stage::{FOR_EACH_NODE, Stage};

/// Their order, and what is asked before the next one goes, are those of docs/CLUSTER.md.
#[tokio::test]
async fn d12_all_nodes_are_restarted_one_by_one() {
    let cluster = Turn::take().await;
    let trial = Trial::here();
    scenario(async |world| {
        let stage = Stage::new(world, &cluster).await;
        stage.dispatchers(ALL).await;
        let load = stage.load(ALL).await;
        let begun = Moment::now();
        for node in 1..=Cluster::NODES {
            cluster.can_spare(node, world.namespace()).await;
            cluster.stop_node(node).await;
            stage.more(&load, 100).await;
            cluster.start_again(node).await;
        }
        stage.more(&load, 300).await;
        let silence = stage.longest_silence_since(begun);
        let published = load.stop().await;
        let allowed = Allowed::twice(Cluster::NODES * FOR_EACH_NODE);
        stage.closes(trial, published, silence, allowed).await;
    })
    .await;
}

#[tokio::test]
async fn d12_a_node_is_drained_and_revived() {
    let cluster = Turn::take().await;
    let trial = Trial::here();
    scenario(async |world| {
        let stage = Stage::new(world, &cluster).await;
        stage.led_by(2).await;
        let load = stage.load(ALL).await;
        let begun = Moment::now();
        cluster.drain(2).await;
        stage.more(&load, 500).await;
        cluster.revive(2).await;
        stage.more(&load, 500).await;
        let silence = stage.longest_silence_since(begun);
        let published = load.stop().await;
        stage
            .closes(trial, published, silence, Allowed::twice(FOR_EACH_NODE))
            .await;
    })
    .await;
}
