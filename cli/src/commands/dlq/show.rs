//! `hookline dlq show`: one event's messages in full, with their data.

use clap::Args;
use hookline_common::explanation::{Explanation, explain};
use hookline_common::message::Message;
use hookline_common::settings::BrokerSettings;
use hookline_producer::EventId;

use super::dead_letter::{Content, DeadLetter};
use super::filter::{FilterArgs, IdFilter};
use super::history::History;
use super::scan::QueueScan;
use crate::error::CliError;
use crate::out::{Colour, Out, Terminal};
use crate::text::{Bounds, escape, fit, indent};

/// How many lines are shown of a body that cannot be read: enough to recognise it, and no flood of a binary one.
const MAX_LINES: usize = 100;
/// What is shown of data: all of an ordinary event's, and no flood of a hostile one's.
const DATA_BOUNDS: Bounds = Bounds {
    width: 2000,
    ..Bounds::lines(1000)
};

const AFTER_HELP: &str = "\
Examples:
  hookline dlq show evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4
  hookline dlq show evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --endpoint ep_crm
  hookline dlq show evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --json | jq -r .data
  hookline dlq show evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --queue rejected

Each delivery of the event that is in the queue, with what its last attempt means, its attempts, the last error and the receiver's last answer as the log \
of attempts still has them. Data is shown with other whitespace, cut where it is very long or deep; --json has all of it, \
as a text that holds the exact bytes, and the attempts as they were recorded. Exit status: 0 shown, 1 not in the queue, or the queue cannot be asked, 2 usage.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ShowArgs {
    /// The event's id.
    #[arg(value_name = "EVENT_ID")]
    id: EventId,
    #[command(flatten)]
    filter: FilterArgs,
}

pub(crate) async fn run(args: ShowArgs, broker: &BrokerSettings) -> Result<(), CliError> {
    let kind = args.filter.queue;
    let mut scan = QueueScan::open(broker, kind).await?;
    let shown = show(&args, &mut scan, broker).await;
    let (is_shown, unseen) = scan.close(shown).await?;
    if is_shown {
        unseen.tell();
        return Ok(());
    }
    let (id, queue) = (&args.id, broker.namespace.queue(kind.queue()));
    Err(unseen.beside(format!("{id} is not in {queue}; {}", kind.elsewhere())))
}

async fn show(args: &ShowArgs, scan: &mut QueueScan, broker: &BrokerSettings) -> Result<bool, CliError> {
    let mut history: Option<History> = None;
    let mut ids = IdFilter::new(vec![args.id.clone()]);
    let mut out = Out::new();
    let mut is_found = false;
    while let Some((letter, held)) = scan.next().await? {
        if !args.filter.matches(&letter) || !ids.accepts(&letter) {
            continue;
        }
        // One read serves all deliveries of the event; a message that is none has no attempts.
        if let (None, Some(delivery)) = (&history, letter.delivery()) {
            history = Some(History::read(&delivery.event, letter.at, broker).await);
        }
        let history = history.as_ref().filter(|_| letter.delivery().is_some());
        if args.filter.json {
            let attempts = history.map(|history| history.of(&letter).collect());
            out.line(&letter.to_json_with(&held.message.body, attempts))?;
        } else {
            let gap = if is_found { "\n" } else { "" };
            let text = in_full(&letter, &held.message, history, out.terminal);
            out.line(&format!("{gap}{text}"))?;
        }
        is_found = true;
    }
    out.flush()?;
    Ok(is_found)
}

fn in_full(letter: &DeadLetter, message: &Message, history: Option<&History>, terminal: Terminal) -> String {
    let mut lines = Vec::new();
    let fact = |name: &str, value: &str| {
        let name = terminal.paint(Colour::Faint, &format!("{name:13}"));
        format!("{name}  {value}")
    };
    for (name, value) in facts(letter) {
        lines.push(fact(name, &escape(&value)));
    }
    if let Some(Explanation { sentence, next_step }) = in_words(letter, history) {
        lines.push(fact("in words", &sentence));
        lines.push(fact("next step", &next_step));
    }
    if let Some(history) = history {
        for (name, value) in history.facts(letter) {
            lines.push(fact(&name, &escape(&value)));
        }
        for (number, line) in history.answer(letter).iter().enumerate() {
            lines.push(fact(if number == 0 { "last answer" } else { "" }, line));
        }
    }
    let others = message
        .headers
        .names()
        .filter(|name| matches!(letter.content, Content::Unreadable(_)) || is_foreign(name));
    for name in others {
        let value = format!("{} = {}", escape(name), escape(&header(message, name)));
        lines.push(fact("header", &value));
    }
    let body = String::from_utf8_lossy(&message.body);
    lines.extend(match letter.content {
        Content::Work(_) => indent(&body, DATA_BOUNDS),
        Content::Unreadable(_) => {
            let lines = body.lines().take(MAX_LINES);
            lines.map(|line| escape(&fit(line, DATA_BOUNDS.width))).collect()
        }
    });
    lines.join("\n")
}

/// What its last attempt means to the endpoint's owner, if one was made.
fn in_words(letter: &DeadLetter, history: Option<&History>) -> Option<Explanation> {
    let failure = letter.failure.as_ref()?;
    let outcome = failure.last_outcome?;
    let last = history.and_then(|history| history.of(letter).last());
    // The log may have a later attempt than the one that this letter tells of, or an earlier one alone.
    let last = last.filter(|last| last.outcome == outcome && last.status == failure.last_status);
    let error = last.and_then(|last| last.error.as_deref());
    Some(explain(outcome, failure.last_status, error))
}

/// Whether a header is neither among the facts nor set by the broker.
fn is_foreign(name: &str) -> bool {
    const KNOWN: [&str; 17] = [
        "company",
        "created-at",
        "endpoint",
        "attempt",
        "origin",
        "parked",
        "unknown-since",
        "retried-at",
        "failed-at",
        "last-outcome",
        "last-status",
        "reason",
        "rejected-reason",
        "rejected-detail",
        "rejected-at",
        "traceparent",
        "tracestate",
    ];
    !KNOWN.contains(&name) && !name.starts_with("x-")
}

fn header(message: &Message, name: &str) -> String {
    let text = message.headers.text(name).ok().flatten().map(str::to_owned);
    let number = || {
        message
            .headers
            .integer(name)
            .ok()
            .flatten()
            .map(|number| number.to_string())
    };
    text.or_else(number)
        .unwrap_or_else(|| "(neither text nor a whole number)".to_owned())
}

/// The names and values that are shown, in this order.
fn facts(letter: &DeadLetter) -> Vec<(&'static str, String)> {
    let time = |at: jiff::Timestamp| format!("{at:.3}");
    let (event, delivery, failure) = (
        letter.readable_event(),
        letter.delivery(),
        letter.failure.as_ref(),
    );
    let (at, detail) = match &letter.rejected {
        Some((_, detail)) => ("rejected at", Some(detail.clone())),
        None => ("failed at", None),
    };
    let unreadable = match &letter.content {
        Content::Unreadable(rejection) => Some(format!("{}: {rejection}", rejection.name())),
        Content::Work(_) => None,
    };
    let retried_at = delivery.and_then(|delivery| delivery.pass_through.retried_at);
    let facts = [
        ("event", letter.event.clone()),
        ("endpoint", letter.endpoint.clone()),
        ("company", letter.company.clone()),
        ("type", letter.event_type.clone()),
        ("created at", event.map(|event| event.created_at.to_millis_text())),
        ("attempts", delivery.map(|delivery| delivery.attempt.to_string())),
        ("origin", delivery.map(|delivery| delivery.origin.to_string())),
        ("retried at", retried_at.map(time)),
        (at, letter.at.map(time)),
        ("why", Some(letter.why())),
        (
            "reason",
            failure.map(|failure| failure.reason.as_str().to_owned()),
        ),
        ("detail", detail),
        (
            "trace",
            event.and_then(|event| event.trace.trace_id()).map(str::to_owned),
        ),
        ("unreadable", unreadable),
        ("bytes", Some(letter.bytes.to_string())),
    ];
    facts
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .chain(letter.sender.iter().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use hookline_common::delivery::{DeadLetterCause, DeadLetterReason};
    use hookline_common::outcome::Outcome;

    use super::*;
    use crate::commands::dlq::kind::Kind;

    #[test]
    fn a_failure_is_told_in_words() {
        let told = |last_outcome, last_status| {
            let letter = DeadLetter {
                failure: Some(DeadLetterCause {
                    failed_at: jiff::Timestamp::UNIX_EPOCH,
                    reason: DeadLetterReason::RetriesExhausted,
                    last_outcome,
                    last_status,
                }),
                ..DeadLetter::default()
            };
            let terminal = Terminal {
                width: None,
                has_colour: false,
            };
            in_full(&letter, &Message::default(), None, terminal)
        };
        let text = told(Some(Outcome::HttpStatus), Some(410));
        assert!(
            text.contains("in words       The endpoint says that it is gone"),
            "{text}"
        );
        assert!(text.contains("next step      Remove the endpoint"), "{text}");
        // A disabled endpoint's deliveries have had no attempt.
        assert!(!told(None, None).contains("in words"));
    }

    #[test]
    fn a_hostile_message_is_shown_harmlessly() {
        let mut message = Message {
            message_id: Some("evt_\x1b[2J".into()),
            body: b"\x1b[2J\n\xff\xfe".to_vec().into(),
            ..Message::default()
        };
        message.headers.set_text("company", "a\u{9b}b");
        message.headers.set_text("x\x1b", "y\x1b");
        for kind in [Kind::Failed, Kind::Rejected] {
            let letter = DeadLetter::read(kind, &message);
            let text = in_full(
                &letter,
                &message,
                None,
                Terminal {
                    width: None,
                    has_colour: false,
                },
            );
            assert!(!text.contains('\x1b') && !text.contains('\u{9b}'), "{text:?}");
            assert!(text.contains("bad_message_id"), "{text}");
        }
    }
}
