//! Two of three nodes go: nothing can be stored, which is told, and what was stored comes with them.

use hookline_common::topology::Queue;
use hookline_tests::cli::why;
use hookline_tests::cluster::Cluster;
use hookline_tests::scenario;

use super::{LONG, Stage, hookline};

pub(super) async fn without_a_majority_nothing_is_lost_and_the_cause_is_told(cluster: &Cluster) {
    scenario(async |world| {
        let stage = Stage::new(world, cluster, &[1, 2, 3]).await;
        let dispatcher = stage.dispatcher(&[1, 2, 3]).start().await;
        let before = stage.publish(50).await;
        tokio::join!(cluster.kill(2), cluster.kill(3));

        let publish = async {
            let mut one = hookline(
                world,
                cluster,
                &[1],
                &[
                    "publish",
                    "--company",
                    "acme",
                    "--type",
                    "booking.created",
                    "--data",
                    "{}",
                ],
            );
            why(&one.output().await.unwrap(), 1)
        };
        let list = async {
            let mut list = hookline(world, cluster, &[1], &["dlq", "list"]);
            why(&list.output().await.unwrap(), 1)
        };
        let (during, published, listed) = tokio::join!(stage.publish(1), publish, list);
        assert!(during.stored.is_empty(), "a minority stores nothing");
        let events = world.queue(Queue::Events);
        let error = during.unsure[0].1.to_string();
        for text in [&error, &published] {
            assert!(
                text.contains(&events)
                    && text.contains("quorum")
                    && text.contains("cluster_status")
                    && !text.contains("vhost"),
                "{text}"
            );
        }
        let failed = world.queue(Queue::Failed);
        assert!(listed.contains(&format!("{failed} cannot be asked")), "{listed}");

        tokio::join!(cluster.start_again(2), cluster.start_again(3));
        let after = stage.publish(50).await;
        assert!(!after.stored.is_empty(), "{:?}", after.unsure.first());
        for published in [&before, &after] {
            stage.all_arrive(published).await;
        }
        dispatcher.has_let_go_within(LONG).await;
        // A log that has no quorum either is waited for, and not done without.
        assert_eq!(dispatcher.metric("hookline_records_lost_total").await, Some(0.0));
    })
    .await;
}
