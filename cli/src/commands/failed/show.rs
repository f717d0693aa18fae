//! `hookline failed show`: one dead letter with its data.

use clap::Args;
use hookline_common::ids::{EndpointId, EventId};

use super::views::DeadLetterView;
use crate::api::Method;
use crate::commands::at_console::AtConsole;
use crate::commands::fields;
use crate::error::CliError;
use crate::out::Out;
use crate::text::{escape, json_line};

const AFTER_HELP: &str = "\
Examples:
  hookline failed show evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --endpoint ep_crm --company acme
  hookline failed show evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --endpoint ep_crm --company acme --json | jq .data

`hookline deliveries show` has its attempts.";

/// Show what failed for good at an endpoint, with its data.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ShowArgs {
    /// The event.
    #[arg(value_name = "EVENT_ID")]
    event: EventId,
    /// The endpoint that did not get it.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: EndpointId,
    #[command(flatten)]
    at: AtConsole,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ShowArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let path = ["failed", args.event.as_str(), args.endpoint.as_str()];
    let answer = api.answer(api.ask(Method::GET, &args.at.company, &path)).await?;
    let mut out = Out::new();
    if args.json {
        out.line(&json_line(&answer.body))?;
        return Ok(out.flush()?);
    }
    let letter: DeadLetterView = answer.read()?;
    let ending = letter.ending();
    let lines = fields::lines(&[
        ("event", Some(letter.event)),
        ("endpoint", Some(letter.endpoint)),
        ("type", Some(letter.event_type)),
        ("created at", Some(letter.created_at)),
        ("failed at", Some(letter.failed_at)),
        ("reason", Some(letter.reason)),
        ("attempts", Some(letter.attempts.to_string())),
        ("ended in", Some(ending)),
        ("that is", Some(letter.explanation.sentence)),
        ("what to do", Some(letter.explanation.next_step)),
        ("retried at", letter.retried_at),
    ]);
    for line in lines {
        out.line(&line)?;
    }
    if let Some(data) = letter.data {
        out.line("")?;
        for line in data.get().lines() {
            out.line(&escape(line))?;
        }
    }
    Ok(out.flush()?)
}
