//! Each node in turn is killed while events are published, and comes back.

use hookline_common::topology::Queue;
use hookline_tests::cluster::Cluster;
use hookline_tests::scenario;

use super::{IN_HAND, LONG, Published, Stage, connect, publish};

pub(super) async fn confirmed_events_are_delivered_although_each_node_is_killed_in_turn(cluster: &Cluster) {
    const EACH: usize = 150;
    scenario(async |world| {
        let stage = Stage::new(world, cluster, &[1, 2, 3]).await;
        let dispatcher = stage.dispatcher(&[1, 2, 3]).start().await;
        let mut all = Vec::new();
        for node in 1..=Cluster::NODES {
            cluster.can_spare(node, world.namespace()).await;
            let (published, ()) = tokio::join!(stage.publish(EACH), cluster.kill(node));
            all.push(published);
            if node == 1 {
                all.push(whoever_publishes_first_is_not_refused_for_ever(&stage, node).await);
            }
            cluster.start_again(node).await;
        }
        let stored: usize = all.iter().map(|published| published.stored.len()).sum();
        assert!(stored > EACH, "hardly anything was stored: {stored}");
        for published in &all {
            stage.all_arrive(published).await;
        }
        stage.nothing_is_lost(&all, Cluster::NODES * IN_HAND);
        dispatcher.has_let_go_within(LONG).await;
    })
    .await;
}

/// A channel that is opened in the moment in which the dead node still counts as the leader is refused; whoever publishes must not
/// stay on it until that node comes back.
async fn whoever_publishes_first_is_not_refused_for_ever(stage: &Stage<'_>, dead: usize) -> Published {
    let alive = dead % Cluster::NODES + 1;
    let events = stage.world.queue(Queue::Events);
    stage.cluster.takes_for_leader(alive, dead, &events).await;
    let producer = connect(stage.world, stage.cluster, &[alive]).await;
    let published = publish(&producer, 1).await;
    assert!(published.unsure.is_empty(), "{:?}", published.unsure);
    published
}
