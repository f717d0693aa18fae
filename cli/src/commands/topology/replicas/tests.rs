#![allow(clippy::unwrap_used)]

use hookline_common::schedule::RetrySchedule;
use hookline_common::settings::BrokerSettings;
use hookline_common::topology::{Namespace, QueueSpec, Topology};

use super::*;

fn spec(name: &str) -> QueueSpec {
    let topology = Topology::whole(&Namespace::default(), &RetrySchedule::default());
    topology
        .queues
        .into_iter()
        .find(|spec| spec.name == name)
        .unwrap()
}

fn nodes(running: &[&str], down: &[&str]) -> Vec<NodeInfo> {
    let node = |name: &&str, running| NodeInfo {
        name: (*name).to_owned(),
        running,
        mem_alarm: false,
        disk_free_alarm: false,
        mem_used: None,
        mem_limit: None,
        disk_free: None,
        disk_free_limit: None,
    };
    let running = running.iter().map(|name| node(name, true));
    running.chain(down.iter().map(|name| node(name, false))).collect()
}

fn info(name: &str, members: &[&str], online: &[&str], leader: &str) -> QueueInfo {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    QueueInfo {
        name: name.to_owned(),
        kind: if name.ends_with("attempts") {
            "stream"
        } else {
            "quorum"
        }
        .to_owned(),
        members: owned(members),
        online: owned(online),
        leader: Some(leader.to_owned()),
        ..QueueInfo::default()
    }
}

fn broker() -> BrokerSettings {
    BrokerSettings {
        url: hookline_common::broker::BrokerUrl::parse("amqp://h").unwrap(),
        namespace: Namespace::default(),
        ca_pem: None,
    }
}

fn told(name: &str, members: &[&str], online: &[&str], nodes: &[NodeInfo]) -> String {
    let found = troubles(
        &spec(name),
        &info(name, members, online, "a"),
        wanted(None, nodes),
        nodes,
        &broker(),
    );
    let details: Vec<String> = found.into_iter().map(|trouble| trouble.detail).collect();
    details.join(" | ")
}

#[test]
fn as_many_replicas_as_nodes_are_wanted_and_three_at_most() {
    assert_eq!(wanted(None, &nodes(&["a"], &[])), 1);
    assert_eq!(wanted(None, &nodes(&["a"], &["b"])), 2);
    assert_eq!(wanted(None, &nodes(&["a", "b", "c", "d", "e"], &[])), 3);
    assert_eq!(wanted(Some(5), &nodes(&["a"], &[])), 5);
}

#[test]
fn a_queue_that_began_on_one_node_is_told_with_the_commands_that_grow_it() {
    let three = nodes(&["a", "b", "c"], &[]);
    let queue = told("hookline.failed", &["a"], &["a"], &three);
    for part in [
        "1 of 3",
        "rabbitmq-queues grow b all",
        "rabbitmq-queues grow c all",
    ] {
        assert!(queue.contains(part), "{queue}");
    }
    let stream = told("hookline.attempts", &["a"], &["a"], &three);
    assert!(
        stream.contains("rabbitmq-streams add_replica --vhost / hookline.attempts b"),
        "{stream}"
    );
    assert_eq!(told("hookline.failed", &["a"], &["a"], &nodes(&["a"], &[])), "");
}

#[test]
fn what_is_offline_is_told_with_what_it_means() {
    let all = ["a", "b", "c"];
    assert_eq!(told("hookline.failed", &all, &all, &nodes(&all, &[])), "");
    let critical = told("hookline.failed", &all, &["a", "b"], &nodes(&["a", "b"], &["c"]));
    assert!(
        critical.contains("quorum critical") && critical.contains("(c)"),
        "{critical}"
    );
    let gone = told("hookline.failed", &all, &["a"], &nodes(&["a"], &["b", "c"]));
    assert!(gone.contains("no majority"), "{gone}");
    let five = ["a", "b", "c", "d", "e"];
    let more = told(
        "hookline.failed",
        &five,
        &["a", "b", "c", "d"],
        &nodes(&five, &[]),
    );
    assert!(more.contains("less to lose"), "{more}");
}

#[test]
fn leaders_on_one_node_are_told_where_there_are_several() {
    let all = ["a", "b", "c"];
    let one = info("hookline.failed", &all, &all, "a");
    let same = info("hookline.due", &all, &all, "a");
    let other = info("hookline.due", &all, &all, "b");
    let three = nodes(&all, &[]);
    assert!(
        leaders(&[&one, &same], &three)
            .unwrap()
            .detail
            .contains("rebalance")
    );
    assert_eq!(leaders(&[&one, &other], &three), None);
    assert_eq!(leaders(&[&one, &same], &nodes(&["a"], &["b", "c"])), None);
    let alone = info("hookline.failed", &["a"], &["a"], "a");
    assert_eq!(leaders(&[&alone, &alone], &three), None);
}
