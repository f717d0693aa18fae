//! What is known of the broker at one moment, as people and as programs read it. Pure.

use hookline_common::broker::QueueDepth;
use jiff::Timestamp;
use serde::Serialize;

use crate::commands::times::age;
use crate::management::{Alarm, AlarmKind, NodeInfo};
use crate::out::{Colour, Terminal};
use crate::table::Column;

pub(super) const COLUMNS: [Column; 5] = [
    Column::whole("QUEUE"),
    Column::number("READY"),
    Column::number("IN HAND"),
    Column::number("OLDEST"),
    Column::number("CONSUMERS"),
];

/// What a queue is for, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Dispatchers take messages from it.
    Working,
    /// Messages wait in it for their time.
    Delay,
    /// A person looks after it.
    SetAside,
    /// The log of attempts.
    Log,
    /// Where the log's batches wait while the stream does not confirm.
    Spill,
}

/// One queue.
#[derive(Debug)]
pub(super) struct QueueState {
    pub(super) name: String,
    pub(super) role: Role,
    /// `None` where it is not there; else why it is not known.
    pub(super) depth: Result<Option<QueueDepth>, String>,
    /// Messages that consumers hold, where the management API tells it.
    pub(super) in_hand: Option<u64>,
    /// When its oldest message came to be there.
    pub(super) oldest: Option<Timestamp>,
}

/// What only the management API tells.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    pub(super) nodes: Vec<NodeInfo>,
    pub(super) alarms: Vec<Alarm>,
}

/// All that is known.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) broker: String,
    pub(super) queues: Vec<QueueState>,
    /// `None` where the management API was not named; else why it said nothing.
    pub(super) cluster: Option<Result<Cluster, String>>,
}

impl QueueState {
    /// Whether it is worth a line: a delay in which nothing waits is as it should be.
    fn is_shown(&self) -> bool {
        let is_empty = matches!(&self.depth, Ok(Some(depth)) if depth.ready == 0);
        self.role != Role::Delay || !is_empty || self.in_hand.is_some_and(|in_hand| in_hand > 0)
    }

    pub(super) fn to_cells(&self, now: Timestamp) -> Vec<String> {
        let dash = || "–".to_owned();
        let (ready, consumers) = match &self.depth {
            Ok(Some(depth)) => (depth.ready.to_string(), depth.consumers.to_string()),
            Ok(None) => ("missing".to_owned(), dash()),
            Err(_) => ("no answer".to_owned(), dash()),
        };
        let in_hand = self.in_hand.map_or_else(dash, |in_hand| in_hand.to_string());
        let oldest = self.oldest.map_or_else(dash, |at| age(now, at));
        vec![self.name.clone(), ready, in_hand, oldest, consumers]
    }

    /// What is wrong with it, and what to do.
    fn problem(&self) -> Option<String> {
        let name = &self.name;
        match &self.depth {
            Err(why) => Some(why.clone()),
            // Told for all of them at once.
            Ok(None) => None,
            Ok(Some(depth)) if self.role == Role::Working && depth.ready > 0 && depth.consumers == 0 => {
                Some(format!(
                    "{} in {name}, and nobody consumes it: start a dispatcher, or look why it is not ready (/readyz)",
                    wait(depth.ready)
                ))
            }
            Ok(Some(depth)) if self.role == Role::Spill && depth.ready > 0 => Some(format!(
                "{} batches wait in {name}: the stream of attempts does not confirm; deliveries go on, look which node is away",
                depth.ready
            )),
            Ok(Some(_)) => None,
        }
    }
}

fn wait(messages: u32) -> String {
    if messages == 1 {
        "1 message waits".to_owned()
    } else {
        format!("{messages} messages wait")
    }
}

impl Report {
    /// The queues that are printed to people.
    pub(super) fn shown(&self) -> impl Iterator<Item = &QueueState> {
        self.queues.iter().filter(|queue| queue.is_shown())
    }

    /// The lines below the table.
    pub(super) fn remarks(&self, terminal: Terminal) -> Vec<String> {
        let hidden = self.queues.iter().filter(|queue| !queue.is_shown()).count();
        let mut lines = Vec::new();
        if hidden > 0 {
            lines.push(terminal.paint(
                Colour::Faint,
                &format!("{hidden} queues of delays are empty and not listed"),
            ));
        }
        match &self.cluster {
            None => lines.push(
                "in hand, nodes and alarms: not known over AMQP alone; set HOOKLINE_MANAGEMENT_URL"
                    .to_owned(),
            ),
            Some(Err(_)) => lines.push("in hand, nodes and alarms: not known".to_owned()),
            Some(Ok(cluster)) => {
                let running = cluster.nodes.iter().filter(|node| node.running).count();
                lines.push(format!("nodes: {running} of {} running", cluster.nodes.len()));
                lines.push(match cluster.alarms.len() {
                    0 => format!("alarms: {}", terminal.paint(Colour::Good, "none")),
                    alarms => format!("alarms: {}", terminal.paint(Colour::Bad, &alarms.to_string())),
                });
            }
        }
        lines
    }

    /// Everything that somebody should see to.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.missing().into_iter().collect();
        problems.extend(self.queues.iter().filter_map(QueueState::problem));
        match &self.cluster {
            None => {}
            Some(Err(why)) => problems.push(why.clone()),
            Some(Ok(cluster)) => {
                let down = cluster.nodes.iter().filter(|node| !node.running);
                problems.extend(down.map(|node| format!("node {} is down: bring it back", node.name)));
                problems.extend(cluster.alarms.iter().map(alarm));
            }
        }
        problems
    }

    fn missing(&self) -> Option<String> {
        let missing: Vec<&QueueState> = self
            .queues
            .iter()
            .filter(|queue| matches!(queue.depth, Ok(None)))
            .collect();
        let is_about_delays = missing.iter().any(|queue| queue.role == Role::Delay);
        let names: Vec<&str> = missing.iter().map(|queue| queue.name.as_str()).collect();
        let todo = "a dispatcher makes what is missing when it starts, and so does `hookline topology apply`";
        let schedule = if is_about_delays {
            "; give --retry-schedule as the dispatchers have it"
        } else {
            ""
        };
        match names.as_slice() {
            [] => None,
            [name] => Some(format!("there is no queue {name}: {todo}{schedule}")),
            names => Some(format!(
                "there are no queues {}: {todo}{schedule}",
                names.join(", ")
            )),
        }
    }

    /// One object for each queue and each problem.
    pub(super) fn to_json(&self) -> Vec<String> {
        let queues = self.queues.iter().map(|queue| {
            let depth = queue.depth.as_ref().ok().copied().flatten();
            let row = QueueRow {
                kind: "queue",
                name: &queue.name,
                is_known: queue.depth.is_ok(),
                exists: queue.depth.as_ref().ok().map(Option::is_some),
                ready: depth.map(|depth| depth.ready),
                in_hand: queue.in_hand,
                consumers: depth.map(|depth| depth.consumers),
                oldest_at: queue.oldest.map(|at| format!("{at:.3}")),
            };
            serde_json::to_string(&row).unwrap_or_default()
        });
        let problems = self.problems().into_iter().map(|detail| {
            let row = ProblemRow {
                kind: "problem",
                detail,
            };
            serde_json::to_string(&row).unwrap_or_default()
        });
        queues.chain(problems).collect()
    }
}

fn alarm(alarm: &Alarm) -> String {
    let bytes =
        |bytes: Option<u64>| bytes.map_or_else(|| "an unknown number".to_owned(), |bytes| bytes.to_string());
    let (found, limit) = (bytes(alarm.found), bytes(alarm.limit));
    let node = &alarm.node;
    match alarm.kind {
        AlarmKind::Memory => format!(
            "memory alarm on {node}: {found} bytes used of {limit}; no publisher gets anything through until it has less"
        ),
        AlarmKind::Disk => format!(
            "disk alarm on {node}: {found} bytes free, {limit} wanted; no publisher gets anything through until there are more"
        ),
    }
}

#[derive(Debug, Serialize)]
struct QueueRow<'a> {
    kind: &'static str,
    name: &'a str,
    is_known: bool,
    exists: Option<bool>,
    ready: Option<u32>,
    in_hand: Option<u64>,
    consumers: Option<u32>,
    oldest_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct ProblemRow {
    kind: &'static str,
    detail: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PLAIN: Terminal = Terminal {
        width: None,
        has_colour: false,
    };

    fn queue(role: Role, ready: u32, consumers: u32) -> QueueState {
        QueueState {
            name: "hookline.q".to_owned(),
            role,
            depth: Ok(Some(QueueDepth { ready, consumers })),
            in_hand: None,
            oldest: None,
        }
    }

    fn report(queues: Vec<QueueState>, cluster: Option<Result<Cluster, String>>) -> Report {
        Report {
            broker: "amqp://b".to_owned(),
            queues,
            cluster,
        }
    }

    #[test]
    fn what_waits_for_nobody_is_a_problem_and_what_is_worked_on_is_none() {
        for (queue, is_problem) in [
            (queue(Role::Working, 0, 0), false),
            (queue(Role::Working, 5, 1), false),
            (queue(Role::Working, 5, 0), true),
            (queue(Role::Delay, 5, 0), false),
            (queue(Role::SetAside, 5, 0), false),
            (queue(Role::Log, 5, 0), false),
            (queue(Role::Spill, 5, 0), true),
        ] {
            let problems = report(vec![queue], None).problems();
            assert_eq!(!problems.is_empty(), is_problem, "{problems:?}");
        }
    }

    #[test]
    fn a_queue_that_does_not_answer_has_no_number() {
        let silent = QueueState {
            depth: Err("hookline.q cannot be asked: its leader is down".to_owned()),
            ..queue(Role::SetAside, 0, 0)
        };
        let missing = QueueState {
            depth: Ok(None),
            ..queue(Role::Delay, 0, 0)
        };
        let report = report(vec![silent, missing], None);
        assert_eq!(report.problems().len(), 2);
        let cells: Vec<_> = report
            .shown()
            .map(|queue| queue.to_cells(Timestamp::UNIX_EPOCH))
            .collect();
        assert_eq!(cells[0], ["hookline.q", "no answer", "–", "–", "–"]);
        assert_eq!(cells[1], ["hookline.q", "missing", "–", "–", "–"]);
        let row: serde_json::Value = serde_json::from_str(&report.to_json()[0]).unwrap();
        assert_eq!(
            (&row["is_known"], &row["ready"]),
            (&false.into(), &serde_json::Value::Null)
        );
    }

    #[test]
    fn empty_delays_take_no_lines() {
        let report = report(vec![queue(Role::Delay, 0, 0), queue(Role::Delay, 1, 0)], None);
        assert_eq!(report.shown().count(), 1);
        assert!(report.remarks(PLAIN)[0].starts_with("1 queues of delays"));
    }

    #[test]
    fn alarms_and_nodes_that_are_down_are_problems() {
        let cluster = Cluster {
            nodes: vec![NodeInfo {
                name: "rabbit@b".to_owned(),
                running: false,
                mem_alarm: false,
                disk_free_alarm: false,
                mem_used: None,
                mem_limit: None,
                disk_free: None,
                disk_free_limit: None,
            }],
            alarms: vec![Alarm {
                node: "rabbit@a".to_owned(),
                kind: AlarmKind::Memory,
                found: Some(2),
                limit: Some(1),
            }],
        };
        let problems = report(Vec::new(), Some(Ok(cluster))).problems();
        assert_eq!(problems.len(), 2);
        assert!(problems[0].contains("rabbit@b is down"), "{problems:?}");
        assert!(problems[1].contains("memory alarm on rabbit@a"), "{problems:?}");
        assert_eq!(report(Vec::new(), Some(Err("why".into()))).problems(), ["why"]);
    }
}
