//! `hookline endpoints test`: sends a sample of an event, and tells what became of it.

use std::time::Duration;

use clap::Args;
use hookline_common::duration;
use hookline_common::explanation::explain;
use hookline_common::ids::EndpointId;
use hookline_common::outcome::Outcome;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Method;
use crate::commands::at_console::AtConsole;
use crate::commands::fields;
use crate::error::CliError;
use crate::out::Out;
use crate::text::{escape, json_line};

const AFTER_HELP: &str = "\
Examples:
  hookline endpoints test ep_crm --company acme --type booking.created
  hookline endpoints test ep_crm --company acme --type booking.created --wait 10s
  hookline endpoints test ep_crm --company acme --type booking.created --wait 10s --json | jq .response

The sample of this type (`hookline event-types show TYPE`) is sent once, whatever the endpoint's filter says and even while it \
is paused; no retry follows. Without --wait the event's id is printed; `hookline tail` shows the attempt. With it the attempt is \
printed. Exit status: 0 sent on its way, with --wait delivered; 1 not; 2 usage or settings.";

/// Send an endpoint a sample of an event.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct TestArgs {
    /// The endpoint.
    #[arg(value_name = "ID")]
    id: EndpointId,
    #[command(flatten)]
    at: AtConsole,
    /// The type of event, by its own name or by that of any format.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: String,
    /// Wait so long for the attempt, and print it.
    #[arg(long, value_name = "DURATION", value_parser = wait)]
    wait: Option<Wait>,
    /// One JSON object: the event's id, or the attempt.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone)]
struct Wait {
    text: String,
    length: Duration,
}

fn wait(text: &str) -> Result<Wait, &'static str> {
    let length = duration::parse(text).ok_or("must be a duration, like 10s")?;
    let text = text.to_owned();
    Ok(Wait { text, length })
}

#[derive(Deserialize)]
struct Accepted {
    event: String,
}

/// What matters of an attempt's record.
#[derive(Debug, Deserialize)]
struct Attempt {
    event: Option<String>,
    outcome: Outcome,
    status: Option<u16>,
    duration_ms: Option<u64>,
    error: Option<String>,
    response: Option<String>,
}

pub(super) async fn run(args: &TestArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let (company, id) = (&args.at.company, args.id.as_str());
    let mut ask = api.ask(Method::POST, company, &["endpoints", id, "test"]);
    if let Some(wait) = &args.wait {
        ask = ask.query("wait", &wait.text).waiting(wait.length);
    }
    let answer = api.answer(ask.json(&json!({ "type": args.event_type }))).await?;
    let mut out = Out::new();
    if args.json {
        out.line(&json_line(&answer.body))?;
    }
    if answer.status != 200 {
        let Accepted { event } = answer.read()?;
        if !args.json {
            out.line(&escape(&event))?;
        }
        out.flush()?;
        return match &args.wait {
            None => Ok(()),
            Some(wait) => Err(CliError::Failed(format!(
                "there was no attempt of {event} within {}; check that a dispatcher runs (`hookline status`), and look for it \
                 with `hookline tail --company {company}`",
                wait.text
            ))),
        };
    }
    let whole: Value = answer.read()?;
    let record = whole.get("attempt").filter(|attempt| attempt.is_object());
    let attempt: Result<Attempt, _> = serde_json::from_value(record.unwrap_or(&whole).clone());
    let attempt = attempt.map_err(|error| api.unreadable(error.to_string()))?;
    if !args.json {
        for line in in_words(&attempt) {
            out.line(&line)?;
        }
    }
    out.flush()?;
    verdict(&attempt, id)
}

fn in_words(attempt: &Attempt) -> Vec<String> {
    fields::lines(&[
        ("event", attempt.event.clone()),
        ("outcome", Some(attempt.outcome.to_string())),
        ("status", attempt.status.map(|status| status.to_string())),
        ("took", attempt.duration_ms.map(|took| format!("{took} ms"))),
        ("error", attempt.error.clone()),
        (
            "response",
            attempt.response.clone().filter(|text| !text.is_empty()),
        ),
    ])
}

fn verdict(attempt: &Attempt, id: &str) -> Result<(), CliError> {
    if attempt.outcome == Outcome::Delivered {
        return Ok(());
    }
    let told = explain(attempt.outcome, attempt.status, attempt.error.as_deref());
    let (what, next_step) = (
        told.sentence.trim_end_matches('.'),
        told.next_step.trim_end_matches('.'),
    );
    Err(CliError::Failed(format!(
        "the test event was not delivered to {id} ({}): {what}. {next_step}; then send another",
        attempt.outcome
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_was_delivered_is_a_success() {
        let record = |outcome: &str, status: Option<u16>| -> Attempt {
            serde_json::from_value(json!({
                "event": "evt_1", "outcome": outcome, "status": status, "duration_ms": 12, "attempt": 1, "response": "no\x1b"
            }))
            .unwrap()
        };
        assert!(verdict(&record("delivered", Some(204)), "ep_1").is_ok());
        let failed = record("http_status", Some(500));
        assert!(in_words(&failed).contains(&"response  no\\u{1b}".to_owned()));
        let told = verdict(&failed, "ep_1").unwrap_err().to_string();
        assert!(told.contains("ep_1") && told.contains("http_status"), "{told}");
    }
}
