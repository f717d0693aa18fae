//! What is known of the broker at one moment, as people and as programs read it. Pure.

use hookline_common::broker::{LogRate, QueueDepth};
use jiff::Timestamp;
use serde::Serialize;

use crate::commands::times::age;
use crate::out::{Colour, Terminal};
use crate::table::Column;
use crate::text::json_line;
use hookline_common::management::{Alarm, AlarmKind, NodeInfo};

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

/// How much of the log of attempts is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogBound {
    /// How fast it grows; `None` where nothing was written lately.
    pub(super) rate: Option<LogRate>,
    /// What it may take on each replica.
    pub(super) max_bytes: u64,
}

/// What is older than this is removed however little it is.
const MAX_AGE_HOURS: u64 = 7 * 24;

impl LogBound {
    /// How many hours are kept at the present rate.
    fn text(&self) -> String {
        let gigabytes = self.max_bytes as f64 / 1e9;
        let Some(rate) = self.rate else {
            return format!("log of attempts: nothing written lately; {gigabytes} GB or 7 days are kept");
        };
        let hours = rate.holds(self.max_bytes).as_secs() / 3600;
        let kept = if hours < MAX_AGE_HOURS {
            format!("{gigabytes} GB hold {hours} h of it")
        } else {
            format!("{gigabytes} GB hold more than the 7 days that are kept")
        };
        format!(
            "log of attempts: {:.1} KB/s at present; {kept}",
            rate.bytes_per_second() / 1e3
        )
    }
}

/// All that is known.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) broker: String,
    pub(super) queues: Vec<QueueState>,
    pub(super) log: LogBound,
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
        lines.push(self.log.text());
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
            [first, ..] if names.len() == self.queues.len() => Some(format!(
                "none of Hookline's queues is there ({first} and {} more): check --namespace; {todo}",
                names.len() - 1
            )),
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
            json_line(&serde_json::to_string(&row).unwrap_or_default())
        });
        let problems = self.problems().into_iter().map(|detail| {
            let row = ProblemRow {
                kind: "problem",
                detail,
            };
            json_line(&serde_json::to_string(&row).unwrap_or_default())
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
mod tests;
