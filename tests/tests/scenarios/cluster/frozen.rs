//! A node that leads the queues is frozen: its connections stand, and it answers nothing.

use hookline_tests::cluster::Cluster;
use hookline_tests::scenario;

use super::{IN_HAND, LONG, Stage, hookline};

/// The node that leads.
const FROZEN: usize = 2;

pub(super) async fn what_a_frozen_node_led_goes_on_by_others(cluster: &Cluster) {
    scenario(async |world| {
        // Leaders stand where they are declared.
        let applied = hookline(world, cluster, &[FROZEN], &["topology", "apply"]);
        let applied = { applied }
            .env("HOOKLINE_RETRY_SCHEDULE", "1s,2s,3s")
            .output()
            .await
            .unwrap();
        assert!(applied.status.success(), "{applied:?}");
        let stage = Stage::new(world, cluster, &[1, 2, 3]).await;
        let old = stage.dispatcher(&[1, 2, 3]).start().await;
        let before = stage.publish(50).await;
        stage.all_arrive(&before).await;

        cluster.freeze(FROZEN).await;
        // One that starts now asks for nothing that the frozen node holds up.
        let new = stage.dispatcher(&[1, 2, 3]);
        let (during, new) = tokio::join!(stage.publish(200), new.start());
        assert!(
            !during.stored.is_empty(),
            "others lead: {:?}",
            during.unsure.first()
        );
        stage.all_arrive(&during).await;

        // And so does one that must connect again.
        let connections = cluster.control(1, &["close_all_connections", "a test"]).await;
        let again = stage.publish(50).await;
        assert!(
            !again.stored.is_empty(),
            "{connections} {:?}",
            again.unsure.first()
        );
        stage.all_arrive(&again).await;
        for dispatcher in [&old, &new] {
            dispatcher.is_ready_within(LONG).await;
        }

        cluster.thaw(FROZEN).await;
        let after = stage.publish(50).await;
        stage.all_arrive(&after).await;
        stage.nothing_is_lost([&before, &during, &again, &after], 2 * IN_HAND);
        for dispatcher in [&old, &new] {
            dispatcher.has_let_go_within(LONG).await;
        }
        // The others have given it up meanwhile, and its copy of who is there stays old until it starts anew.
        cluster.kill(FROZEN).await;
        cluster.start_again(FROZEN).await;
    })
    .await;
}
