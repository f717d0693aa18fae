//! `hookline deliveries show`: one with its attempts and its payload.

use clap::Args;
use hookline_common::ids::{EndpointId, EventId};

use crate::api::{AttemptView, DeliveryInFull, Method, ending, is_success};
use crate::commands::at_console::AtConsole;
use crate::commands::fields;
use crate::error::CliError;
use crate::out::Out;
use crate::text::{Bounds, indent, json_line};

/// What is shown of data: all of an ordinary event's, and no flood of a hostile one's.
const DATA_BOUNDS: Bounds = Bounds {
    width: 2000,
    ..Bounds::lines(1000)
};

const AFTER_HELP: &str = "\
Examples:
  hookline deliveries show evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 ep_crm --company acme
  hookline deliveries show evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 ep_crm --company acme --json | jq '.attempts[-1].response'

What the last attempt means, each attempt with what came back, and the data as far as it was kept: shown with other whitespace, \
cut where it is very long or deep. --json has all of it, headers of requests and responses too. \
Exit status: 0 shown, 1 not in the log, 2 usage or settings.";

/// Show what became of an event at an endpoint.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ShowArgs {
    /// The event.
    #[arg(value_name = "EVENT_ID")]
    event: EventId,
    /// The endpoint.
    #[arg(value_name = "ENDPOINT_ID")]
    endpoint: EndpointId,
    #[command(flatten)]
    at: AtConsole,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ShowArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let path = ["deliveries", args.event.as_str(), args.endpoint.as_str()];
    let answer = api.answer(api.ask(Method::GET, &args.at.company, &path)).await?;
    let mut out = Out::new();
    if args.json {
        out.line(&json_line(&answer.body))?;
    } else {
        for line in in_full(answer.read()?) {
            out.line(&line)?;
        }
    }
    Ok(out.flush()?)
}

fn in_full(delivery: DeliveryInFull) -> Vec<String> {
    let has_failed = delivery.status != "delivered";
    let mut lines = fields::lines(&[
        ("event", Some(delivery.event)),
        ("endpoint", Some(delivery.endpoint)),
        ("type", Some(delivery.event_type)),
        ("origin", Some(delivery.origin)),
        ("status", Some(delivery.status)),
        ("begun", Some(delivery.created_at)),
        ("next attempt", delivery.next_attempt_at),
        ("in words", Some(delivery.explanation.sentence)),
        ("next step", has_failed.then_some(delivery.explanation.next_step)),
        ("attempts", Some(delivery.attempt_count.to_string())),
    ]);
    for attempt in delivery.attempts {
        lines.push(String::new());
        lines.extend(of_attempt(attempt));
    }
    lines.push(String::new());
    match (delivery.data, delivery.data_missing) {
        (Some(data), _) => lines.extend(indent(data.get(), DATA_BOUNDS)),
        (None, why) => lines.extend(fields::lines(&[("no data", why)])),
    }
    lines
}

fn of_attempt(attempt: AttemptView) -> Vec<String> {
    let ended = ending(Some(&attempt.outcome), attempt.status);
    let ended = if is_success(&attempt.outcome) {
        format!("{ended}, delivered")
    } else {
        ended
    };
    fields::lines(&[
        ("attempt", Some(attempt.attempt.to_string())),
        ("to", Some(attempt.url).filter(|url| !url.is_empty())),
        ("at", Some(attempt.started_at)),
        ("ended", Some(format!("{ended} after {} ms", attempt.duration_ms))),
        ("error", attempt.error),
        ("answer", attempt.response.filter(|text| !text.is_empty())),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_delivery_in_full_tells_its_attempts_and_why_there_is_no_data() {
        let view = serde_json::json!({
            "event": "evt_1", "endpoint": "ep_1", "type": "a.b", "origin": "event", "status": "failed",
            "explanation": {"sentence": "It failed.", "next_step": "Mend it."}, "created_at": "t1",
            "next_attempt_at": null, "attempt_count": 1, "data": null, "data_missing": "Not kept.",
            "attempts": [{"attempt": 1, "url": "https://a.example.com/", "started_at": "t1", "duration_ms": 7,
                "outcome": "http_status", "status": 500, "error": null, "response": "\u{1b}[31mno"}]
        });
        let lines = in_full(serde_json::from_value(view).unwrap()).join("\n");
        for part in [
            "next step  Mend it.",
            "500 after 7 ms",
            "answer   \\u{1b}[31mno",
            "no data  Not kept.",
        ] {
            assert!(lines.contains(part), "{part}: {lines}");
        }
        assert!(
            !lines.contains('\u{1b}') && !lines.contains("next attempt"),
            "{lines}"
        );
    }
}
