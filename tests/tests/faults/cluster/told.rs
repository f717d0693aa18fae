//! How many replicas queues begin with, and what the tools say of a cluster of which something is away.

use std::process::Stdio;

use hookline_common::topology::Queue;
use hookline_tests::broker::Broker;
use hookline_tests::cli::{out, why};
use hookline_tests::cluster::{Cluster, Turn};
use hookline_tests::{World, eventually, scenario};
use lapin::BasicProperties;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{ALL, LONG, hookline};

/// What a command finds, one object a line, and its exit status.
async fn rows(world: &World, cluster: &Cluster, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = hookline(world, cluster, ALL, arguments).output().await.unwrap();
    let rows = out(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (output.status.code(), rows)
}

/// The first row of a problem, if there is one.
fn problem<'a>(rows: &'a [Value], problem: &str) -> Option<&'a str> {
    rows.iter().find(|row| row["problem"] == problem)?["detail"].as_str()
}

async fn check(world: &World, cluster: &Cluster) -> (Option<i32>, Vec<Value>) {
    rows(world, cluster, &["topology", "check", "--json"]).await
}

#[tokio::test]
async fn queues_begin_with_three_replicas_and_what_is_away_is_told() {
    let cluster = Turn::take().await;
    scenario(async |world| {
        apply_waits_for_the_third_node(world, &cluster).await;
        leaders_on_one_node_are_told(world, &cluster).await;
        a_queue_with_one_replica_is_away_with_its_node(world, &cluster).await;
        an_alarm_is_told(world, &cluster).await;
    })
    .await;
}

async fn apply_waits_for_the_third_node(world: &World, cluster: &Cluster) {
    cluster.kill(3).await;
    let mut apply = hookline(world, cluster, ALL, &["topology", "apply", "--replicas", "3"]);
    apply.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut apply = apply.spawn().unwrap();
    let mut lines = BufReader::new(apply.stderr.take().unwrap()).lines();
    let waits = lines.next_line().await.unwrap().unwrap();
    assert!(
        waits.contains("2 of 3 nodes run") && waits.contains("waiting for the others"),
        "{waits}"
    );
    let broker = Broker::connect(&cluster.url(1)).await;
    assert_eq!(
        broker.ready(&world.queue(Queue::Events)).await,
        None,
        "nothing is declared"
    );
    let status = hookline(world, cluster, ALL, &["status"]).output().await.unwrap();
    let (told, table) = (why(&status, 1), out(&status));
    assert!(told.contains("hookline-3@localhost"), "{told}");
    assert!(table.contains("nodes: 2 of 3 running"), "{table}");

    cluster.start_again(3).await;
    assert!(apply.wait().await.unwrap().success());
    let (_, rows) = check(world, cluster).await;
    let queues: Vec<_> = rows.iter().filter(|row| row["kind"] == "queue").collect();
    assert!(queues.len() > 10, "{rows:#?}");
    for queue in queues {
        assert_eq!(queue["members"].as_array().unwrap().len(), 3, "{queue}");
    }
}

async fn leaders_on_one_node_are_told(world: &World, cluster: &Cluster) {
    let (code, rows) = check(world, cluster).await;
    let told = problem(&rows, "leaders").unwrap_or_else(|| panic!("{rows:#?}"));
    assert!(code == Some(1) && told.contains("rebalance"), "{told}");
    // Of these alone: among those of others there may be as many on each other node as there are of these on the first.
    let rebalance = format!(
        "rabbit_amqqueue:rebalance(quorum, \".*\", \"{}\\\\..*\").",
        world.namespace()
    );
    eventually(LONG, "leaders are spread", async || {
        // A node that was away leads nothing before it has all that it missed, and nobody asks it again by himself.
        cluster.evaluate(1, &rebalance).await;
        let (code, rows) = check(world, cluster).await;
        (code == Some(0) && problem(&rows, "leaders").is_none()).then_some(())
    })
    .await;
}

async fn a_queue_with_one_replica_is_away_with_its_node(world: &World, cluster: &Cluster) {
    let (failed, events) = (world.queue(Queue::Failed), world.queue(Queue::Events));
    let broker = Broker::connect(&cluster.url(1)).await;
    broker.delete(std::slice::from_ref(&failed), &[]).await;
    cluster.declare_on(2, world.namespace(), Queue::Failed).await;
    let letter = BasicProperties::default().with_message_id("evt_1".into());
    Broker::connect(&cluster.url(3))
        .await
        .publish("", &failed, letter, b"{}")
        .await;
    eventually(LONG, "one of three replicas is told", async || {
        let (code, rows) = check(world, cluster).await;
        let told = problem(&rows, "replicas").filter(|_| code == Some(1))?;
        (told.contains("1 of 3 replicas") && told.contains("hookline-2@localhost")).then_some(())
    })
    .await;

    cluster.kill(2).await;
    let ask = async |arguments: &[&str]| {
        hookline(world, cluster, &[1, 3], arguments)
            .output()
            .await
            .unwrap()
    };
    let (list, show, purge, retry, status) = tokio::join!(
        ask(&["dlq", "list", "--json"]),
        ask(&["dlq", "show", "evt_1"]),
        ask(&["dlq", "purge", "--yes"]),
        ask(&["dlq", "retry", "--all"]),
        ask(&["status"]),
    );
    for output in [&list, &show, &purge, &retry] {
        let told = why(output, 1);
        assert!(
            told.contains(&format!("{failed} cannot be asked: its leader is down")),
            "{told}"
        );
        assert_eq!(out(output), "");
    }
    let told = why(&status, 1);
    assert!(
        told.contains(&format!("{failed} cannot be asked")) && told.contains("hookline-2@localhost"),
        "{told}"
    );
    // The management API learns of it by and by.
    let of_events = format!("queue {events:?}");
    let checked = eventually(LONG, "the queue's offline replica is told", async || {
        let (_, checked) = check(world, cluster).await;
        let row = checked.iter().find(|row| row["object"] == of_events.as_str())?;
        let is_told = row["detail"].as_str().unwrap().contains("quorum critical");
        is_told.then_some(checked)
    })
    .await;
    assert!(
        problem(&checked, "node_down")
            .unwrap()
            .contains("hookline-2@localhost")
    );

    cluster.start_again(2).await;
    eventually(LONG, "it is there again with what it held", async || {
        let listed = ask(&["dlq", "list", "--json"]).await;
        (listed.status.success() && out(&listed).lines().count() == 1).then_some(())
    })
    .await;
}

async fn an_alarm_is_told(world: &World, cluster: &Cluster) {
    let status = async || hookline(world, cluster, ALL, &["status"]).output().await.unwrap();
    cluster
        .control(1, &["set_vm_memory_high_watermark", "0.0000001"])
        .await;
    eventually(LONG, "the alarm is told", async || {
        let output = status().await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_told =
            told.contains("memory alarm on hookline-1@localhost") && out(&output).contains("alarms: 1");
        (output.status.code() == Some(1) && is_told).then_some(())
    })
    .await;
    let (code, rows) = check(world, cluster).await;
    let told = problem(&rows, "alarm").unwrap_or_else(|| panic!("{rows:#?}"));
    assert!(
        code == Some(1) && told.contains("vm_memory_high_watermark"),
        "{told}"
    );
    cluster
        .control(1, &["set_vm_memory_high_watermark", "absolute", "3GB"])
        .await;
    eventually(LONG, "it is over", async || {
        out(&status().await).contains("alarms: none").then_some(())
    })
    .await;
}
