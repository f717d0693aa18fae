//! Two of three nodes die, or all: nothing can be stored, which is told, and what was stored comes back with them.

use hookline_common::topology::Queue;
use hookline_tests::cli::why;
use hookline_tests::cluster::Turn;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::load::{numbered, publish_each};
use hookline_tests::{World, scenario};

use super::stage::{FOR_EACH_NODE, Moment, Stage};
use super::{ALL, hookline};

/// Events that are published to the node that is left.
const ALONE: usize = 300;

#[tokio::test]
async fn d12_two_of_three_are_killed_and_come_back() {
    let cluster = Turn::take().await;
    scenario(async |world| {
        let stage = Stage::new(world, &cluster).await;
        stage.dispatchers(ALL).await;
        let load = stage.load(ALL).await;
        tokio::join!(cluster.kill(2), cluster.kill(3));
        // For as long as publishers wait for an answer.
        let alone = stage.producer(&[1]).await;
        let events = (0..ALONE).map(|number| numbered("acme", number)).collect();
        let (during, ()) = tokio::join!(publish_each(&alone, events), the_cause_is_told(&stage));
        assert_eq!(during.accepted.len(), 0, "a minority stores nothing");

        tokio::join!(cluster.start_again(2), cluster.start_again(3));
        let back = stage.goes_on_after(Moment::now()).await;
        stage.more(&load, 500).await;
        let mut published = load.stop().await;
        published.in_doubt.extend(during.in_doubt);
        let allowed = Allowed::twice(FOR_EACH_NODE + ALONE);
        stage.closes(Trial::here(), published, back, allowed).await;
    })
    .await;
}

/// By whoever asks the one that is left.
async fn the_cause_is_told(stage: &Stage<'_>) {
    let (world, cluster): (&World, _) = (stage.world, stage.cluster);
    let library = async {
        let producer = stage.producer(&[1]).await;
        let error = producer.publish(&numbered("acme", 0)).await.unwrap_err();
        error.to_string()
    };
    let command = async {
        let arguments = [
            "publish",
            "--company",
            "acme",
            "--type",
            "booking.created",
            "--data",
            "{}",
        ];
        let mut publish = hookline(world, cluster, &[1], &arguments);
        why(&publish.output().await.unwrap(), 1)
    };
    let list = async {
        let mut list = hookline(world, cluster, &[1], &["dlq", "list"]);
        why(&list.output().await.unwrap(), 1)
    };
    let (library, command, listed) = tokio::join!(library, command, list);
    let events = world.queue(Queue::Events);
    for text in [&library, &command] {
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
}

#[tokio::test]
async fn d12_all_three_are_killed_and_come_back() {
    let cluster = Turn::take().await;
    scenario(async |world| {
        let stage = Stage::new(world, &cluster).await;
        stage.led_by(1).await;
        let load = stage.load(ALL).await;
        tokio::join!(cluster.kill(1), cluster.kill(2), cluster.kill(3));
        let confirmed = load.confirmed();
        tokio::join!(
            cluster.start_again(1),
            cluster.start_again(2),
            cluster.start_again(3)
        );
        let back = stage.goes_on_after(Moment::now()).await;
        stage.more(&load, 500).await;
        assert!(load.confirmed() > confirmed);
        let published = load.stop().await;
        let allowed = Allowed::twice(FOR_EACH_NODE);
        stage.closes(Trial::here(), published, back, allowed).await;
    })
    .await;
}
