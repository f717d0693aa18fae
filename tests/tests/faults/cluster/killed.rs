//! One node is killed (SIGKILL) while events are published and delivered, and comes back.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::cluster::{Cluster, Turn};
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::load::numbered;
use hookline_tests::load::publish_each;
use hookline_tests::scenario;

use super::ALL;
use hookline_tests::moment::Moment;

use super::stage::{FOR_EACH_NODE, Stage};

/// Kills a node while `clients` use those that they know, and brings it back.
async fn killed(led_by: usize, dies: usize, clients: &[usize]) {
    let cluster = Turn::take().await;
    let trial = Trial::here();
    scenario(async |world| {
        let stage = Stage::new(world, &cluster).await;
        stage.dispatchers(clients).await;
        cluster.leads(led_by, world.namespace()).await;
        let load = stage.load(clients).await;
        cluster.kill(dies).await;
        let back = stage.goes_on_after(Moment::now()).await;
        stage.more(&load, 500).await;
        cluster.start_again(dies).await;
        stage.more(&load, 300).await;
        let published = load.stop().await;
        stage
            .closes(trial, published, back, Allowed::twice(FOR_EACH_NODE))
            .await;
    })
    .await;
}

#[tokio::test]
async fn d12_the_leader_of_the_working_queues_is_killed() {
    killed(2, 2, ALL).await;
}

#[tokio::test]
async fn d12_a_follower_is_killed() {
    killed(1, 3, &[1, 2]).await;
}

/// All programs are connected to a node that leads nothing, and know the others.
#[tokio::test]
async fn d12_the_node_that_all_clients_are_on_is_killed() {
    let cluster = Turn::take().await;
    let trial = Trial::here();
    scenario(async |world| {
        let stage = Stage::new(world, &cluster).await;
        cluster.doors(&[1, 2], false).await;
        stage.dispatchers(ALL).await;
        let load = stage.load(ALL).await;
        cluster.doors(&[1, 2], true).await;
        cluster.leads(1, world.namespace()).await;
        stage.more(&load, 200).await;
        cluster.kill(3).await;
        let back = stage.goes_on_after(Moment::now()).await;
        stage.more(&load, 500).await;
        cluster.start_again(3).await;
        stage.more(&load, 300).await;
        let published = load.stop().await;
        stage
            .closes(trial, published, back, Allowed::twice(FOR_EACH_NODE))
            .await;
    })
    .await;
}

#[tokio::test]
async fn d12_each_node_in_turn_is_killed() {
    let cluster = Turn::take().await;
    let trial = Trial::here();
    scenario(async |world| {
        let stage = Stage::new(world, &cluster).await;
        stage.dispatchers(ALL).await;
        let load = stage.load(ALL).await;
        let mut back = Duration::ZERO;
        for node in 1..=Cluster::NODES {
            cluster.can_spare(node, world.namespace()).await;
            cluster.kill(node).await;
            back = back.max(stage.goes_on_after(Moment::now()).await);
            stage.more(&load, 200).await;
            cluster.start_again(node).await;
        }
        stage.more(&load, 200).await;
        let published = load.stop().await;
        let allowed = Allowed::twice(Cluster::NODES * FOR_EACH_NODE);
        stage.closes(trial, published, back, allowed).await;
    })
    .await;
}

/// A channel that is opened in the moment in which a dead node still counts as the leader is refused; whoever publishes must not
/// stay on it until that node comes back.
#[tokio::test]
async fn d12_a_publisher_takes_a_dead_node_for_the_leader() {
    /// The one that dies.
    const DEAD: usize = 1;
    /// The one that the publisher asks.
    const ALIVE: usize = 2;
    let cluster = Turn::take().await;
    let trial = Trial::here();
    scenario(async |world| {
        let stage = Stage::new(world, &cluster).await;
        stage.led_by(DEAD).await;
        let load = stage.load(ALL).await;
        cluster.kill(DEAD).await;
        let moment = Moment::now();
        stage.goes_on_after(moment).await;
        cluster
            .takes_for_leader(ALIVE, DEAD, &world.queue(Queue::Events))
            .await;
        let moment = Moment::now();
        let producer = stage.producer(&[ALIVE]).await;
        let first = publish_each(
            &producer,
            (0..500).map(|number| numbered("acme", number)).collect(),
        )
        .await;
        assert_eq!(
            (first.in_doubt.len(), first.refused.len()),
            (0, 0),
            "nothing is refused for ever"
        );
        let back = stage.goes_on_after(moment).await;
        cluster.start_again(DEAD).await;
        stage.more(&load, 200).await;
        let mut published = load.stop().await;
        published.accepted.extend(first.accepted);
        stage
            .closes(trial, published, back, Allowed::twice(FOR_EACH_NODE))
            .await;
    })
    .await;
}
