//! What the management API says, as far as it is of use here. Pure.
//!
//! What is missing in an answer is not known: a node that is down knows nothing of its queues.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) page_count: u32,
}

/// A queue or a stream.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct QueueInfo {
    /// Its name, with the namespace.
    pub name: String,
    /// `quorum`, `stream` or `classic`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Messages that nobody holds; up to five seconds old, as all counts.
    #[serde(rename = "messages_ready")]
    pub ready: Option<u64>,
    /// Messages that consumers hold.
    #[serde(rename = "messages_unacknowledged")]
    pub unacked: Option<u64>,
    /// All messages, those included that a dead-letter worker holds.
    pub messages: Option<u64>,
    /// Bytes of the bodies of all messages.
    pub message_bytes: Option<u64>,
    /// Who takes from it.
    pub consumers: Option<u64>,
    /// The nodes that have a replica.
    #[serde(default)]
    pub members: Vec<String>,
    /// Those of them that run.
    #[serde(default)]
    pub online: Vec<String>,
    /// The node that leads it.
    pub leader: Option<String>,
    /// The same, where it is no quorum queue.
    pub node: Option<String>,
    /// The policy in force; only one is at a time.
    #[serde(default, deserialize_with = "name")]
    pub policy: Option<String>,
    /// The operator's policy in force.
    #[serde(default, deserialize_with = "name")]
    pub operator_policy: Option<String>,
    /// What both say together, by key.
    #[serde(default, deserialize_with = "table")]
    pub effective_policy_definition: BTreeMap<String, Value>,
    /// What it was declared with, by name.
    #[serde(default, deserialize_with = "table")]
    pub arguments: BTreeMap<String, Value>,
}

impl QueueInfo {
    /// Whether the API knows more of it than that it was declared: it takes five seconds to, and a queue whose leader is away
    /// stays unknown.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.messages.is_some() && !self.members.is_empty()
    }
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeInfo {
    /// Its name: `rabbit@host`.
    pub name: String,
    /// Is it up?
    #[serde(default)]
    pub running: bool,
    /// Has it used more memory than it may?
    #[serde(default)]
    pub mem_alarm: bool,
    /// Has it less disk left than it needs?
    #[serde(default)]
    pub disk_free_alarm: bool,
    /// Bytes of memory that it uses.
    pub mem_used: Option<u64>,
    /// Bytes of memory that it may use.
    pub mem_limit: Option<u64>,
    /// Bytes of its disk that are left.
    pub disk_free: Option<u64>,
    /// Bytes of its disk that must be.
    pub disk_free_limit: Option<u64>,
}

/// Something that keeps the whole cluster from taking messages from publishers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The node that has run short.
    pub node: String,
    /// Of what.
    pub kind: AlarmKind,
    /// Bytes used (memory) or left (disk).
    pub found: Option<u64>,
    /// The bound that it is beyond, in bytes.
    pub limit: Option<u64>,
}

/// Which of its resources a node has run short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmKind {
    /// It uses more memory than it may.
    Memory,
    /// It has less disk left than it needs.
    Disk,
}

/// What these nodes have run short of.
#[must_use]
pub fn alarms_of(nodes: &[NodeInfo]) -> Vec<Alarm> {
    let of_node = |node: &NodeInfo| {
        let memory = (AlarmKind::Memory, node.mem_alarm, node.mem_used, node.mem_limit);
        let disk = (
            AlarmKind::Disk,
            node.disk_free_alarm,
            node.disk_free,
            node.disk_free_limit,
        );
        let name = node.name.clone();
        [memory, disk]
            .into_iter()
            .filter(|(_, is_on, _, _)| *is_on)
            .map(move |(kind, _, found, limit)| Alarm {
                node: name.clone(),
                kind,
                found,
                limit,
            })
    };
    nodes.iter().flat_map(of_node).collect()
}

/// Some versions say "" where there is no policy.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    Ok(name.filter(|name| !name.is_empty()))
}

/// Some versions write an empty table as an empty list, or as nothing.
fn table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Value>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Object(entries) => entries.into_iter().collect(),
        _ => BTreeMap::new(),
    })
}
