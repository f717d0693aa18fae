//! Each node in turn is killed while events are published, and comes back.

use hookline_tests::cluster::Cluster;
use hookline_tests::scenario;

use super::{IN_HAND, LONG, Stage};

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
