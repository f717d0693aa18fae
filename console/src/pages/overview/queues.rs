//! What the broker holds, for the operator. Queues that say the same of different delays are one line.

use maud::{Markup, html};

use super::super::parts::badge;
use super::super::words::{count, grouped, time};
use crate::queue_depths::{Known, Queue};

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    name: &'static str,
    meaning: &'static str,
    ready: u64,
    consumers: Option<u64>,
    /// Whether somebody must take from it all the time.
    is_working: bool,
    /// Whether what stands there waits for a person.
    is_for_people: bool,
    fault: Option<String>,
}

/// Name or beginning of the name, what it holds, whether it is worked on, and whether it waits for a person.
const MEANINGS: [(&str, &str, bool, bool); 9] = [
    (
        "events",
        "events that are not routed to endpoints yet",
        true,
        false,
    ),
    ("deliveries", "deliveries before their first attempt", true, false),
    ("due", "deliveries whose next attempt is due", true, false),
    (
        "quarantine",
        "messages that came back several times, handled one at a time",
        false,
        false,
    ),
    (
        "retry",
        "failed deliveries, until their next attempt",
        false,
        false,
    ),
    (
        "park",
        "deliveries set aside while their endpoint is busy",
        false,
        false,
    ),
    (
        "failed",
        "what failed for good, until it is filed here",
        true,
        false,
    ),
    (
        "rejected",
        "messages that cannot be understood: hookline dlq list --queue rejected",
        false,
        true,
    ),
    (
        "attempts.spill",
        "records of attempts that the log did not take in time",
        false,
        false,
    ),
];

/// What waits on the broker for a first attempt, and whether nobody takes it.
pub(super) fn waiting(known: Option<&Known>) -> (u64, bool) {
    let lines = known
        .and_then(|known| known.queues.as_ref().ok())
        .map(|queues| lines(queues));
    let lines = lines.unwrap_or_default();
    let first = lines
        .iter()
        .filter(|line| matches!(line.name, "events" | "deliveries"));
    let ready = first.clone().map(|line| line.ready).sum();
    let has_no_consumer = lines
        .iter()
        .any(|line| line.name == "events" && line.consumers == Some(0));
    (ready, has_no_consumer)
}

/// The table, or why there is none.
pub(super) fn table(known: Option<&Known>) -> Markup {
    html! {
        section {
            h2 { "What the broker holds" }
            @match known {
                None => p.notice.warn { "The broker was asked how deep its queues are, and has not answered yet. " span.needs-script { "This page shows it in a moment." } span.without-scripts { "Load the page again in a moment." } },
                Some(Known { queues: Err(why), .. }) => p.notice.warn {
                    "How deep its queues are is not known: " (why) ". The console's log says more. All else on this page comes from the database."
                },
                Some(Known { queues: Ok(queues), at, .. }) => {
                    div.table-frame tabindex="0" role="region" aria-label="What the broker holds" {
                        table.dense.stacks {
                            thead { tr {
                                th scope="col" { "Queue" }
                                th.number scope="col" { "Messages" }
                                th scope="col" { "Consumers" }
                                th scope="col" { "What stands there" }
                            } }
                            tbody { @for line in &lines(queues) { (row(line)) } }
                        }
                    }
                    p.hint { "Asked " (time(*at)) "." }
                }
            }
        }
    }
}

fn row(line: &Line) -> Markup {
    html! {
        tr {
            th scope="row" { code { (line.name) } }
            td.number data-label="Messages" { @if line.fault.is_some() && line.ready == 0 { "?" } @else { (grouped(line.ready)) } }
            td data-label="Consumers" {
                @if let Some(fault) = &line.fault {
                    (badge("bad", "does not answer")) span.sub { (fault) }
                } @else if line.is_working && line.consumers == Some(0) {
                    (badge("bad", "none"))
                } @else if let (true, Some(consumers)) = (line.is_working, line.consumers) {
                    (badge("good", &grouped(consumers)))
                } @else if line.is_for_people && line.ready > 0 {
                    (badge("warn", &format!("{} to look at", count(line.ready, "message"))))
                } @else {
                    span.hint { "–" }
                }
            }
            td.wide { (line.meaning) }
        }
    }
}

fn lines(queues: &[Queue]) -> Vec<Line> {
    MEANINGS
        .into_iter()
        .filter_map(|(name, meaning, is_working, is_for_people)| {
            let of = |queue: &&Queue| {
                queue.name == name
                    || queue
                        .name
                        .strip_prefix(name)
                        .is_some_and(|rest| rest.starts_with('.'))
            };
            let mut found = queues.iter().filter(of).peekable();
            found.peek()?;
            let mut line = Line {
                name,
                meaning,
                ready: 0,
                consumers: None,
                is_working,
                is_for_people,
                fault: None,
            };
            for queue in found {
                match &queue.depth {
                    Ok(depth) => {
                        line.ready += u64::from(depth.ready);
                        line.consumers =
                            Some(line.consumers.unwrap_or_default() + u64::from(depth.consumers));
                    }
                    Err(why) => line.fault = Some(why.clone()),
                }
            }
            Some(line)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use hookline_common::broker::QueueDepth;
    use jiff::Timestamp;

    use super::*;

    fn queue(name: &str, ready: u32, consumers: u32) -> Queue {
        Queue {
            name: name.to_owned(),
            depth: Ok(QueueDepth { ready, consumers }),
        }
    }

    fn known(queues: Vec<Queue>) -> Known {
        Known {
            at: Timestamp::UNIX_EPOCH,
            queues: Ok(queues),
            nodes: None,
        }
    }

    #[test]
    fn delays_are_one_line_and_the_order_is_that_of_the_flow() {
        let queues = [
            queue("retry.60s", 3, 0),
            queue("retry.300s", 4, 0),
            queue("attempts.spill", 1, 0),
            queue("events", 5, 2),
            queue("unknown", 9, 9),
        ];
        let told: Vec<_> = lines(&queues)
            .into_iter()
            .map(|line| (line.name, line.ready, line.consumers))
            .collect();
        assert_eq!(
            told,
            [
                ("events", 5, Some(2)),
                ("retry", 7, Some(0)),
                ("attempts.spill", 1, Some(0))
            ]
        );
    }

    #[test]
    fn events_that_nobody_takes_are_told_of_and_what_is_not_known_is_not() {
        let depths = known(vec![
            queue("events", 5, 0),
            queue("deliveries", 2, 0),
            queue("due", 9, 0),
        ]);
        assert_eq!(waiting(Some(&depths)), (7, true));
        assert_eq!(waiting(Some(&known(vec![queue("events", 0, 1)]))), (0, false));
        let away = Known {
            at: Timestamp::UNIX_EPOCH,
            queues: Err("the broker cannot be reached".to_owned()),
            nodes: None,
        };
        assert_eq!((waiting(None), waiting(Some(&away))), ((0, false), (0, false)));
        assert!(
            table(Some(&away))
                .into_string()
                .contains("the broker cannot be reached")
        );
        assert!(table(Some(&depths)).into_string().contains("badge bad"));
    }

    #[test]
    fn a_queue_that_does_not_answer_does_not_count_as_empty() {
        let mut silent = queue("deliveries", 0, 0);
        silent.depth = Err("its leader is down".to_owned());
        let html = table(Some(&known(vec![silent]))).into_string();
        assert!(
            html.contains("its leader is down") && html.contains('?'),
            "{html}"
        );
    }
}
