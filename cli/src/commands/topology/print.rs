//! What the commands of the topology print, for people and as JSON.

use hookline_common::broker::{Discrepancy, DiscrepancyKind};
use hookline_common::topology::{QueueSpec, Topology};
use serde::Serialize;

use super::trouble::Trouble;
use crate::out::{Colour, Out};
use crate::text::{escape, json_line};
use hookline_common::management::QueueInfo;

/// How an object stands after it was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Created,
    Stands,
    /// With so many messages moved.
    Migrated(u64),
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Stands => "stands",
            Self::Migrated(_) => "migrated",
        }
    }
}

/// An exchange or a queue, to be printed.
#[derive(Debug)]
pub(super) enum Object<'a> {
    Exchange(&'a str),
    Queue(&'a QueueSpec),
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    kind: &'static str,
    name: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<u64>,
    arguments: serde_json::Map<String, serde_json::Value>,
}

pub(super) fn objects(topology: &Topology) -> impl Iterator<Item = Object<'_>> {
    let exchange = std::iter::once(Object::Exchange(&topology.events_exchange));
    exchange.chain(topology.queues.iter().map(Object::Queue))
}

impl Object<'_> {
    /// As discrepancies name it.
    pub(super) fn to_name(&self) -> String {
        match self {
            Self::Exchange(name) => format!("exchange {name:?}"),
            Self::Queue(spec) => format!("queue {:?}", spec.name),
        }
    }

    /// Whether it is the queue of this name.
    pub(super) fn is_queue(&self, queue: &str) -> bool {
        matches!(self, Self::Queue(spec) if spec.name == queue)
    }

    pub(super) fn print(&self, state: State, json: bool, out: &Out) -> String {
        let (kind, name, arguments) = match self {
            Self::Exchange(name) => ("exchange", *name, vec![("type", "topic".to_owned())]),
            Self::Queue(spec) => ("queue", spec.name.as_str(), arguments(spec)),
        };
        let messages = match state {
            State::Migrated(messages) => Some(messages),
            State::Created | State::Stands => None,
        };
        if json {
            let arguments = arguments
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.into()))
                .collect();
            return serde_json::to_string(&Row {
                kind,
                name,
                state: state.word(),
                messages,
                arguments,
            })
            .unwrap_or_default();
        }
        let word = format!("{:8}", state.word());
        let word = match state {
            State::Stands => word,
            State::Created | State::Migrated(_) => out.terminal.paint(Colour::Good, &word),
        };
        let moved = messages.map_or(String::new(), |messages| format!("  {messages} messages moved"));
        let arguments: Vec<String> = arguments
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let arguments = out.terminal.paint(Colour::Faint, &arguments.join(" "));
        format!("{word}  {kind:8}  {name}{moved}  {arguments}")
    }
}

fn arguments(spec: &QueueSpec) -> Vec<(&'static str, String)> {
    spec.arguments
        .iter()
        .map(|(name, value)| (*name, value.to_string()))
        .collect()
}

/// An object that AMQP finds as it must be.
pub(super) fn found_line(object: &Object<'_>, json: bool) -> String {
    let (kind, name) = match object {
        Object::Exchange(name) => ("exchange", *name),
        Object::Queue(spec) => ("queue", spec.name.as_str()),
    };
    if json {
        return serde_json::json!({"kind": kind, "name": name, "state": "as_wanted"}).to_string();
    }
    format!("{kind:8}  {name}  as it must be")
}

/// A queue, as the management API shows it. Nodes and policies are called as somebody else has called them.
pub(super) fn queue_line(info: &QueueInfo, widest: usize, json: bool) -> String {
    let policy: Vec<String> = info
        .effective_policy_definition
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let names: Vec<&str> = [&info.policy, &info.operator_policy]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    if json {
        let row = serde_json::json!({
            "kind": "queue", "name": info.name, "type": info.kind, "members": info.members, "online": info.online,
            "leader": info.leader, "policy": info.policy, "operator_policy": info.operator_policy,
            "effective_policy_definition": info.effective_policy_definition,
        });
        return json_line(&row.to_string());
    }
    if !info.is_known() {
        return escape(&format!(
            "{:widest$}  {:6}  the management API knows no more of it: it is new, or its leader is away",
            info.name, info.kind
        ));
    }
    let policy = if names.is_empty() {
        "no policy".to_owned()
    } else {
        format!("policy {} ({})", names.join(" and "), policy.join(", "))
    };
    escape(&format!(
        "{:widest$}  {:6}  {} of {} replicas online  leader {}  {policy}",
        info.name,
        info.kind,
        info.online.len(),
        info.members.len(),
        info.leader.as_deref().unwrap_or("none"),
    ))
}

/// What the management API shows to be wrong.
pub(super) fn trouble_line(trouble: &Trouble, json: bool) -> String {
    let object = if trouble.queue.is_empty() {
        "cluster".to_owned()
    } else {
        format!("queue {:?}", trouble.queue)
    };
    if json {
        let row = serde_json::json!({
            "object": object, "problem": trouble.problem, "loses_messages": trouble.loses, "detail": trouble.detail
        });
        return json_line(&row.to_string());
    }
    escape(&format!("{object}: {}", trouble.detail))
}

#[derive(Debug, Serialize)]
struct DiscrepancyRow<'a> {
    object: &'a str,
    problem: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    argument: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<&'a str>,
    detail: String,
}

/// What AMQP shows to be wrong.
pub(super) fn discrepancy_line(discrepancy: &Discrepancy, json: bool) -> String {
    let detail = discrepancy.to_string();
    if !json {
        return escape(&detail);
    }
    let (problem, argument, found, wanted) = match &discrepancy.kind {
        DiscrepancyKind::Missing => ("missing", None, None, None),
        DiscrepancyKind::Differs {
            argument,
            found,
            wanted,
        } => (
            "differs",
            Some(argument.as_str()),
            found.as_deref(),
            wanted.as_deref(),
        ),
        DiscrepancyKind::Unfinished { .. } => ("unfinished", None, None, None),
        DiscrepancyKind::OutOfReach(_) => ("out_of_reach", None, None, None),
        DiscrepancyKind::Other(_) => ("other", None, None, None),
    };
    let row = DiscrepancyRow {
        object: &discrepancy.object,
        problem,
        argument,
        found,
        wanted,
        detail,
    };
    json_line(&serde_json::to_string(&row).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_discrepancy_is_one_object_with_both_values() {
        let kind = DiscrepancyKind::Differs {
            argument: "x-message-ttl".into(),
            found: Some("1000".into()),
            wanted: Some("2000".into()),
        };
        let discrepancy = Discrepancy {
            object: "queue \"q\"".into(),
            kind,
        };
        let line = discrepancy_line(&discrepancy, true);
        let row: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&row["problem"], &row["found"], &row["wanted"]),
            (&"differs".into(), &"1000".into(), &"2000".into())
        );
        assert!(!line.contains('\n'));
    }

    #[test]
    fn a_queue_is_one_line_with_replicas_leader_and_policy() {
        let info = QueueInfo {
            name: "hookline.failed".into(),
            kind: "quorum".into(),
            messages: Some(0),
            members: vec!["a".into(), "b".into()],
            online: vec!["a".into()],
            leader: Some("a".into()),
            policy: Some("all".into()),
            effective_policy_definition: [("max-length".to_owned(), 7.into())].into(),
            ..QueueInfo::default()
        };
        assert_eq!(
            queue_line(&info, 17, false),
            "hookline.failed    quorum  1 of 2 replicas online  leader a  policy all (max-length=7)"
        );
    }

    #[test]
    fn nothing_that_the_broker_says_reaches_the_terminal() {
        let hostile = "all\u{9b}2J\u{202e}";
        let info = QueueInfo {
            name: "hookline.failed".into(),
            messages: Some(0),
            members: vec![hostile.to_owned()],
            leader: Some(hostile.to_owned()),
            policy: Some(hostile.to_owned()),
            ..QueueInfo::default()
        };
        let unknown = QueueInfo {
            kind: hostile.to_owned(),
            ..QueueInfo::default()
        };
        let trouble = Trouble {
            queue: String::new(),
            problem: "node_down",
            loses: false,
            detail: hostile.to_owned(),
        };
        let discrepancy = Discrepancy {
            object: "queue \"q\"".into(),
            kind: DiscrepancyKind::Other(hostile.to_owned()),
        };
        for json in [false, true] {
            for line in [
                queue_line(&info, 15, json),
                queue_line(&unknown, 15, json),
                trouble_line(&trouble, json),
                discrepancy_line(&discrepancy, json),
            ] {
                assert!(line.is_ascii(), "{line}");
                if json {
                    let row = serde_json::from_str::<serde_json::Value>(&line).unwrap();
                    assert!(row.to_string().contains(hostile), "{line}");
                }
            }
        }
    }
}
