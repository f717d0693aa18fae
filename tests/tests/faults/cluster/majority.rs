//! Two of three nodes die, or all: nothing can be stored, which is told, and what was stored comes back with them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hookline_common::topology::Queue;
use hookline_tests::cli::why;
use hookline_tests::cluster::Turn;
use hookline_tests::console::{Console, database_scenario, setup, start};
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::load::{Published, numbered, publish_each};
use hookline_tests::moment::Moment;
use hookline_tests::{World, eventually, scenario};
use tokio::time::sleep;

use super::stage::{FOR_EACH_NODE, Stage};
use super::{ALL, LONG, hookline};
use crate::broker::post;

/// Events that are published to the node that is left.
const ALONE: usize = 300;
/// Events that a console is asked to take at once, and how long until it is asked again.
const POSTS: usize = 10;
const BETWEEN_POSTS: Duration = Duration::from_millis(250);

#[tokio::test]
async fn d12_two_of_three_are_killed_and_come_back() {
    let cluster = Turn::take_alone().await;
    let trial = Trial::here();
    database_scenario(async |world, database| {
        let stage = Stage::new(world, &cluster).await;
        stage.dispatchers(ALL).await;
        let console = setup(world, database).set("HOOKLINE_AMQP_URL", cluster.urls());
        let console = start(console).await;
        let load = stage.load(ALL).await;
        // The one that is left knows nothing of what it does not lead.
        cluster.leads(2, world.namespace()).await;
        tokio::join!(cluster.kill(2), cluster.kill(3));
        // For as long as publishers wait for an answer.
        let alone = stage.producer(&[1]).await;
        let events = (0..ALONE).map(|number| numbered("acme", number)).collect();
        let has_majority = AtomicBool::new(false);
        let (during, over_http) = tokio::join!(
            async {
                let (during, ()) = tokio::join!(publish_each(&alone, events), the_cause_is_told(&stage));
                has_majority.store(true, Ordering::Relaxed);
                tokio::join!(cluster.start_again(2), cluster.start_again(3));
                during
            },
            the_api_promises_nothing(&console, &has_majority),
        );
        assert_eq!(during.accepted.len(), 0, "a minority stores nothing");
        let back = stage.goes_on_after(Moment::now()).await;
        stage.more(&load, 500).await;
        let mut published = load.stop().await;
        published.accepted.extend(over_http.accepted);
        published.in_doubt.extend(during.in_doubt);
        published.in_doubt.extend(over_http.in_doubt);
        let allowed = Allowed::twice(FOR_EACH_NODE + ALONE);
        stage.closes(trial, published, back, allowed).await;
    })
    .await;
}

/// Asks the API to take events until there is a majority again, and once more: before, each is answered 503, or later.
async fn the_api_promises_nothing(console: &Console, has_majority: &AtomicBool) -> Published {
    let mut answered = Published::default();
    let (mut refused, mut number) = (0, 1_000_000);
    loop {
        let is_last = has_majority.load(Ordering::Relaxed);
        let posts = (number..number + POSTS).map(async |number| {
            let event = numbered("acme", number);
            let status = post(console.admin(), &event).await;
            (event, status, has_majority.load(Ordering::Relaxed))
        });
        for (event, status, is_later) in join_all(posts).await {
            match status {
                503 => answered.in_doubt.push(event),
                202 if is_later => answered.accepted.push(event),
                _ => panic!(
                    "answered with {status}, while there is no majority: {}",
                    !is_later
                ),
            }
            refused += usize::from(status == 503 && !is_later);
        }
        if is_last {
            break;
        }
        number += POSTS;
        sleep(BETWEEN_POSTS).await;
    }
    assert!(refused > 0, "somebody was told");
    eventually(LONG, "the API takes events again", async || {
        number += POSTS;
        let event = numbered("acme", number);
        let status = post(console.admin(), &event).await;
        match status {
            202 => answered.accepted.push(event),
            503 => answered.in_doubt.push(event),
            _ => panic!("answered with {status}"),
        }
        (status == 202).then_some(())
    })
    .await;
    answered
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
    let trial = Trial::here();
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
        stage.closes(trial, published, back, allowed).await;
    })
    .await;
}
