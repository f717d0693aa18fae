//! Whether our queues outlive the loss of a node. Pure.

use hookline_common::settings::BrokerSettings;
use hookline_common::topology::QueueSpec;

use super::trouble::Trouble;
use hookline_common::management::{NodeInfo, QueueInfo};

/// More replicas than this cost more than they save.
const USUAL_REPLICAS: usize = 3;

/// How many replicas a queue must have on a cluster of these nodes.
pub(super) fn wanted(replicas: Option<u8>, nodes: &[NodeInfo]) -> usize {
    replicas.map_or(nodes.len().min(USUAL_REPLICAS), usize::from)
}

/// What is wrong with the replicas of one queue.
pub(super) fn troubles(
    spec: &QueueSpec,
    info: &QueueInfo,
    wanted: usize,
    nodes: &[NodeInfo],
    broker: &BrokerSettings,
) -> Vec<Trouble> {
    let trouble = |problem, detail| Trouble {
        queue: spec.name.clone(),
        problem,
        loses: false,
        detail,
    };
    let mut found = Vec::new();
    let members = info.members.len();
    // None: the API knows nothing of it.
    if (1..wanted).contains(&members) {
        let how = how_to_grow(&[info], nodes, broker);
        let detail = format!(
            "it has {members} of {wanted} replicas ({}), and is away with the last of them; to grow it: {how}",
            info.members.join(", ")
        );
        found.push(trouble("replicas", detail));
    }
    let offline: Vec<&str> = info
        .members
        .iter()
        .filter(|member| !info.online.contains(member))
        .map(String::as_str)
        .collect();
    if !offline.is_empty() {
        let majority = members / 2 + 1;
        let online = members - offline.len();
        let means = if online < majority {
            "it has no majority, and neither takes nor gives a message until one of them is back"
        } else if online == majority {
            "it is quorum critical: with one more it stops, so restart no node now"
        } else {
            "it goes on, with less to lose"
        };
        let detail = format!(
            "{} of its {members} replicas are offline ({}): {means}; start these nodes",
            offline.len(),
            offline.join(", ")
        );
        found.push(trouble("offline", detail));
    }
    found
}

/// Of leaders that are all on one node, each message of each queue goes through that node, and its loss touches all of them.
pub(super) fn leaders(queues: &[&QueueInfo], nodes: &[NodeInfo]) -> Option<Trouble> {
    let running = nodes.iter().filter(|node| node.running).count();
    let replicated: Vec<&&QueueInfo> = queues
        .iter()
        .filter(|queue| queue.kind == "quorum" && queue.online.len() > 1)
        .collect();
    let first = replicated.first()?.leader.as_ref()?;
    let all_there = replicated
        .iter()
        .all(|queue| queue.leader.as_ref() == Some(first));
    if running < 2 || replicated.len() < 2 || !all_there {
        return None;
    }
    Some(Trouble {
        queue: String::new(),
        problem: "leaders",
        loses: false,
        detail: format!(
            "all {} leaders are on {first}; to spread them: rabbitmq-queues rebalance quorum (and set queue_leader_locator = balanced \
             for queues to come)",
            replicated.len()
        ),
    })
}

/// The commands that give these queues a replica on each node that runs and has none.
pub(super) fn how_to_grow(queues: &[&QueueInfo], nodes: &[NodeInfo], broker: &BrokerSettings) -> String {
    let vhost = broker.url.vhost();
    let running: Vec<&str> = nodes
        .iter()
        .filter(|node| node.running)
        .map(|node| node.name.as_str())
        .collect();
    let mut commands: Vec<String> = Vec::new();
    for queue in queues {
        let missing = running
            .iter()
            .filter(|node| !queue.members.iter().any(|member| member == *node));
        for node in missing {
            let command = if queue.kind == "stream" {
                format!(
                    "rabbitmq-streams add_replica --vhost {vhost} {} {node}",
                    queue.name
                )
            } else {
                let pattern = format!("^{}\\.", broker.namespace.to_string().replace('.', "\\."));
                format!("rabbitmq-queues grow {node} all --queue-pattern '{pattern}'")
            };
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
    }
    if commands.is_empty() {
        "start further nodes and let them join first".to_owned()
    } else {
        commands.join("; ")
    }
}

#[cfg(test)]
mod tests;
