//! A queue whose leader is down is not an empty queue, and nobody is told that it is.

use std::process::Output;

use futures_util::future::join_all;
use hookline_common::topology::Queue;
use hookline_tests::broker::Broker;
use hookline_tests::cli::{command, out, why};
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::{World, eventually, scenario};
use lapin::BasicProperties;
use tokio::time::timeout;

use crate::SOON;

/// The leader of a queue's replicas, as every version of the broker knows it.
fn leader(queue: &str) -> String {
    format!(
        "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), \
         {{Leader, _}} = amqqueue:get_pid(Q), "
    )
}

async fn hookline(world: &World, broker: &PrivateBroker, arguments: &[&str]) -> Output {
    let mut command = command(world, arguments);
    command.env("HOOKLINE_AMQP_URL", broker.url());
    let output = timeout(2 * SOON, command.output()).await;
    output.expect("it ends").expect("it starts")
}

async fn none_of_them_says_zero(world: &World, broker: &PrivateBroker) {
    let queue = world.queue(Queue::Failed);
    let commands: [&[&str]; 6] = [
        &["dlq", "list"],
        &["dlq", "list", "--json"],
        &["dlq", "list", "--summary"],
        &["dlq", "show", "evt_1"],
        &["dlq", "purge", "--yes"],
        &["dlq", "retry", "--all"],
    ];
    let asked = commands.map(|arguments| hookline(world, broker, arguments));
    for (output, arguments) in join_all(asked).await.iter().zip(commands) {
        let why = why(output, 1);
        assert!(
            why.contains(&format!("{queue} cannot be asked: its leader is down")),
            "{arguments:?}: {why}"
        );
        assert_eq!(out(output), "", "{arguments:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("0 dead letters"), "{arguments:?}: {stderr}");
    }
    let status = hookline(world, broker, &["status"]).await;
    let why = why(&status, 1);
    assert!(why.contains(&format!("{queue} cannot be asked")), "{why}");
    let table = out(&status);
    let row = table.lines().find(|line| line.starts_with(&queue)).unwrap();
    assert!(row.contains("no answer"), "{table}");
    // Another queue answers for itself.
    let rejected = hookline(world, broker, &["dlq", "list", "--queue", "rejected"]).await;
    assert!(rejected.status.success(), "{rejected:?}");
}

#[tokio::test]
async fn a_queue_whose_leader_does_not_answer_is_never_called_empty() {
    scenario(async |world| {
        let broker = PrivateBroker::start().await;
        let queue = world.queue(Queue::Failed);
        let (leader, failed) = (leader(&queue), ["dlq", "list", "--json"]);
        assert!(
            hookline(world, &broker, &["topology", "apply"])
                .await
                .status
                .success()
        );
        let empty = hookline(world, &broker, &["dlq", "list"]).await;
        let told = String::from_utf8_lossy(&empty.stderr).into_owned();
        assert!(
            empty.status.success() && told.contains("0 dead letters"),
            "{told}"
        );

        // Frozen: alive, and silent.
        broker.evaluate(&format!("{leader}sys:suspend(Leader).")).await;
        none_of_them_says_zero(world, &broker).await;
        broker.evaluate(&format!("{leader}sys:resume(Leader).")).await;
        assert!(hookline(world, &broker, &failed).await.status.success());

        // Gone, as with its node: a declare is answered for it at once.
        broker
            .evaluate(&format!(
                "{leader}ra:stop_server(quorum_queues, {{Leader, node()}})."
            ))
            .await;
        none_of_them_says_zero(world, &broker).await;
        broker
            .evaluate(&format!(
                "{leader}ra:restart_server(quorum_queues, {{Leader, node()}})."
            ))
            .await;
        eventually(SOON, "a leader again", async || {
            hookline(world, &broker, &failed)
                .await
                .status
                .success()
                .then_some(())
        })
        .await;

        // And with messages in it, which are all there afterwards, in their order.
        let stranger = Broker::connect(&broker.url()).await;
        for id in ["evt_1", "evt_2", "evt_3"] {
            let properties = BasicProperties::default().with_message_id(id.into());
            stranger.publish("", &queue, properties, b"{}").await;
        }
        let listed = hookline(world, &broker, &failed).await;
        assert_eq!(out(&listed).lines().count(), 3);
        broker.evaluate(&format!("{leader}sys:suspend(Leader).")).await;
        none_of_them_says_zero(world, &broker).await;
        broker.evaluate(&format!("{leader}sys:resume(Leader).")).await;
        let listed = out(&hookline(world, &broker, &failed).await);
        let ids: Vec<String> = listed
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].to_string())
            .collect();
        assert_eq!(ids, ["\"evt_1\"", "\"evt_2\"", "\"evt_3\""]);
    })
    .await;
}
