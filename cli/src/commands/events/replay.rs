//! `hookline events replay`: an event whose payload was kept goes out again.

use clap::Args;
use hookline_common::ids::{EndpointId, EventId};
use serde_json::json;

use crate::api::Method;
use crate::commands::at_console::AtConsole;
use crate::error::CliError;
use crate::out::Out;
use crate::text::json_line;

const AFTER_HELP: &str = "\
Examples:
  hookline events replay evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --company acme
  hookline events replay evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --company acme --endpoint ep_crm

It keeps its id, its time and its data, and goes to all endpoints that want it now, or to the one that is named. Receivers that \
have taken it get it twice, with the same webhook-id. `hookline deliveries list --company COMPANY --event EVENT_ID` shows what becomes of it. \
Exit status: 0 on its way, 1 not (unknown, or its payload was not kept), 2 usage or settings.";

/// Send an event again.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ReplayArgs {
    /// The event.
    #[arg(value_name = "EVENT_ID")]
    event: EventId,
    #[command(flatten)]
    at: AtConsole,
    /// Only to this endpoint, whatever its filter says.
    #[arg(long, value_name = "ID")]
    endpoint: Option<EndpointId>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ReplayArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let path = ["events", args.event.as_str(), "replay"];
    let body = match &args.endpoint {
        Some(endpoint) => json!({"endpoint": endpoint.as_str()}),
        None => json!({}),
    };
    let answer = api
        .answer(api.ask(Method::POST, &args.at.company, &path).json(&body))
        .await?;
    let mut out = Out::new();
    if args.json {
        out.line(&json_line(&answer.body))?;
    } else {
        out.line(args.event.as_str())?;
    }
    Ok(out.flush()?)
}
