//! `hookline dlq show`: one event's messages in full, with their data.

use clap::Args;
use hookline_common::message::Message;
use hookline_common::settings::BrokerSettings;
use hookline_producer::EventId;

use super::dead_letter::{Content, DeadLetter};
use super::filter::{FilterArgs, IdFilter};
use super::scan::QueueScan;
use crate::error::CliError;
use crate::out::{Colour, Out, Terminal};
use crate::text::{escape, indent};

/// How many lines are shown of a body that cannot be read: enough to recognise it, and no flood of a binary one.
const MAX_LINES: usize = 100;

#[derive(Debug, Args)]
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
    let shown = show(&args, &mut scan).await;
    if scan.close(shown).await? {
        return Ok(());
    }
    let (id, queue) = (&args.id, broker.namespace.queue(kind.queue()));
    Err(CliError::Failed(format!(
        "{id} is not in {queue}; {}",
        kind.elsewhere()
    )))
}

async fn show(args: &ShowArgs, scan: &mut QueueScan) -> Result<bool, CliError> {
    let mut ids = IdFilter::new(vec![args.id.clone()]);
    let mut out = Out::new();
    let mut is_found = false;
    while let Some((letter, held)) = scan.next().await? {
        if !args.filter.matches(&letter) || !ids.accepts(&letter) {
            continue;
        }
        if args.filter.json {
            out.line(&letter.to_json(Some(&held.message.body)))?;
        } else {
            let gap = if is_found { "\n" } else { "" };
            out.line(&format!("{gap}{}", in_full(&letter, &held.message, out.terminal)))?;
        }
        is_found = true;
    }
    out.flush()?;
    Ok(is_found)
}

fn in_full(letter: &DeadLetter, message: &Message, terminal: Terminal) -> String {
    let mut lines = Vec::new();
    for (name, value) in facts(letter) {
        let name = terminal.paint(Colour::Faint, &format!("{name:13}"));
        lines.push(format!("{name}  {}", escape(&value)));
    }
    let others = message
        .headers
        .names()
        .filter(|name| matches!(letter.content, Content::Unreadable(_)) || is_foreign(name));
    for name in others {
        let value = header(message, name);
        lines.push(format!(
            "{}  {} = {}",
            terminal.paint(Colour::Faint, "header       "),
            escape(name),
            escape(&value)
        ));
    }
    let body = String::from_utf8_lossy(&message.body);
    lines.extend(match letter.content {
        Content::Work(_) => indent(&body, usize::MAX),
        Content::Unreadable(_) => body.lines().take(MAX_LINES).map(escape).collect(),
    });
    lines.join("\n")
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
    use super::*;
    use crate::commands::dlq::kind::Kind;

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
