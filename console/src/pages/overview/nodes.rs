//! The broker's nodes, for the operator: which ones are up, and what keeps them from taking messages.

use hookline_common::management::{Alarm, AlarmKind, NodeInfo, alarms_of};
use maud::{Markup, html};

use super::super::parts::badge;
use super::super::words::visible;
use crate::queue_depths::Known;

/// The table, or why there is none; nothing where the broker said nothing at all, which the queues' table tells.
pub(super) fn table(known: Option<&Known>) -> Markup {
    html! {
        @match known.map(|known| &known.nodes) {
            None => {},
            Some(None) => p.hint {
                "Nodes and alarms of the broker are shown here where " code { "HOOKLINE_MANAGEMENT_URL" } " names its management API."
            },
            Some(Some(Err(why))) => section {
                h2 { "The broker's nodes" }
                p.notice.warn { "How they fare is not known: " (visible(why)) "." }
            },
            Some(Some(Ok(nodes))) => section {
                h2 { "The broker's nodes" }
                @for alarm in alarms_of(nodes) { (told(&alarm)) }
                div.table-frame tabindex="0" role="region" aria-label="The broker's nodes" {
                    table.dense.stacks {
                        thead { tr {
                            th scope="col" { "Node" }
                            th scope="col" { "State" }
                            th.number scope="col" { "Memory used" }
                            th.number scope="col" { "Disk left" }
                        } }
                        tbody { @for node in nodes { (row(node)) } }
                    }
                }
            },
        }
    }
}

fn row(node: &NodeInfo) -> Markup {
    html! {
        tr {
            th scope="row" { code { (visible(&node.name)) } }
            td data-label="State" {
                @if !node.running {
                    (badge("bad", "down"))
                } @else if node.mem_alarm || node.disk_free_alarm {
                    (badge("bad", "alarm"))
                } @else {
                    (badge("good", "running"))
                }
            }
            td.number data-label="Memory used" { (of(node.mem_used, " of", node.mem_limit)) }
            td.number data-label="Disk left" { (of(node.disk_free, ", alarm below", node.disk_free_limit)) }
        }
    }
}

/// Why nothing is taken in, and what ends that.
fn told(alarm: &Alarm) -> Markup {
    let (what, bound, mend) = match alarm.kind {
        AlarmKind::Memory => (
            "has used more memory than it may",
            " of",
            "It ends as soon as queues are emptied, or the node has more memory.",
        ),
        AlarmKind::Disk => (
            "has less disk left than it needs",
            ", alarm below",
            "It ends as soon as there is room on its disk.",
        ),
    };
    html! {
        p.notice.bad {
            strong { (visible(&alarm.node)) " " (what) }
            " (" (of(alarm.found, bound, alarm.limit)) "): no node of the broker takes messages from publishers. " (mend)
        }
    }
}

/// `120 MB of 1.2 GB`, `56 GB, alarm below 50 MB`.
fn of(found: Option<u64>, word: &str, limit: Option<u64>) -> String {
    match (found, limit) {
        (Some(found), Some(limit)) => format!("{}{word} {}", size(found), size(limit)),
        (Some(found), None) => size(found),
        (None, _) => "–".to_owned(),
    }
}

/// Bytes, with two digits at least.
fn size(bytes: u64) -> String {
    let units = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
    ];
    let found = units.into_iter().find(|(unit, _)| bytes >= *unit);
    let (unit, name) = found.unwrap_or((1_000, "kB"));
    let tenths = bytes.saturating_mul(10) / unit;
    match (tenths / 10, tenths % 10) {
        (whole @ 0..10, tenth @ 1..) => format!("{whole}.{tenth} {name}"),
        (whole, _) => format!("{whole} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn node(name: &str) -> NodeInfo {
        NodeInfo {
            name: name.to_owned(),
            running: true,
            mem_alarm: false,
            disk_free_alarm: false,
            mem_used: Some(150_000_000),
            mem_limit: Some(1_250_000_000),
            disk_free: Some(20_000),
            disk_free_limit: None,
        }
    }

    fn shown(nodes: Option<Result<Vec<NodeInfo>, String>>) -> String {
        let known = Known {
            at: Timestamp::UNIX_EPOCH,
            queues: Ok(Vec::new()),
            nodes,
        };
        table(Some(&known)).into_string()
    }

    #[test]
    fn who_is_down_and_who_has_an_alarm_is_told_with_what_it_is_short_of() {
        let (mut down, mut short) = (node("rabbit@b"), node("rabbit@c"));
        (down.running, down.mem_used) = (false, None);
        short.mem_alarm = true;
        short.disk_free_limit = Some(50_000_000);
        short.disk_free = Some(56_000_000_000);
        let html = shown(Some(Ok(vec![node("rabbit@a"), down, short])));
        for part in [
            "badge good",
            ">down<",
            ">alarm<",
            ">–</td>",
            "<strong>rabbit@c has used more memory than it may</strong> (150 MB of 1.2 GB)",
            "20 kB",
            ">56 GB, alarm below 50 MB</td>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert_eq!(html.matches("notice").count(), 1, "{html}");
    }

    #[test]
    fn what_is_not_known_is_told_with_the_reason_or_how_to_come_to_know_it() {
        assert!(shown(Some(Err("it answers <401>".to_owned()))).contains("it answers &lt;401&gt;"));
        assert!(shown(None).contains("HOOKLINE_MANAGEMENT_URL"));
        assert!(table(None).into_string().is_empty());
    }
}
