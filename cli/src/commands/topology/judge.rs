//! What the management API shows of our queues, judged. Pure.

use hookline_common::settings::BrokerSettings;
use hookline_common::topology::Topology;

use super::trouble::Trouble;
use super::{policies, replicas};
use hookline_common::management::{Alarm, AlarmKind, NodeInfo, QueueInfo};

/// Everything that is wrong with what is there; what is missing is told of by the broker itself.
pub(super) fn judge(
    topology: &Topology,
    queues: &[QueueInfo],
    nodes: &[NodeInfo],
    alarms: &[Alarm],
    replicas: Option<u8>,
    broker: &BrokerSettings,
) -> Vec<Trouble> {
    let wanted = replicas::wanted(replicas, nodes);
    let mut found: Vec<Trouble> = nodes.iter().filter(|node| !node.running).map(down).collect();
    found.extend(alarms.iter().map(alarming));
    let mut ours = Vec::new();
    for spec in &topology.queues {
        if let Some(info) = queues.iter().find(|info| info.name == spec.name) {
            ours.push(info);
            found.extend(policies::troubles(spec, info));
            found.extend(replicas::troubles(spec, info, wanted, nodes, broker));
        }
    }
    found.extend(replicas::leaders(&ours, nodes));
    found
}

fn of_all(problem: &'static str, detail: String) -> Trouble {
    Trouble {
        queue: String::new(),
        problem,
        loses: false,
        detail,
    }
}

fn down(node: &NodeInfo) -> Trouble {
    let name = &node.name;
    let detail = format!(
        "the node {name} does not run; start it, or take it out of the cluster (rabbitmqctl forget_cluster_node {name})"
    );
    of_all("node_down", detail)
}

fn alarming(alarm: &Alarm) -> Trouble {
    let bytes = |bytes: Option<u64>| bytes.map_or("?".to_owned(), |bytes| bytes.to_string());
    let (found, limit) = (bytes(alarm.found), bytes(alarm.limit));
    let (what, setting) = match alarm.kind {
        AlarmKind::Memory => (
            format!("uses {found} bytes of memory, of {limit}"),
            "vm_memory_high_watermark",
        ),
        AlarmKind::Disk => (
            format!("has {found} bytes of disk left, and needs {limit}"),
            "disk_free_limit",
        ),
    };
    let detail = format!(
        "the node {} {what}, so that the broker takes nothing from any publisher; make room, or change {setting}",
        alarm.node
    );
    of_all("alarm", detail)
}
