//! `hookline endpoints pause` and `resume`: whether anything is sent to an endpoint.

use clap::Args;
use hookline_common::ids::EndpointId;
use serde_json::json;

use crate::api::{Api, Method};
use crate::commands::at_console::AtConsole;
use crate::error::CliError;
use crate::out::Out;
use crate::text::json_line;

const AFTER_PAUSE_HELP: &str = "\
Example:
  hookline endpoints pause ep_crm --company acme

Within two seconds nothing is sent to it any more, test events excepted: what it would get is kept with the dead letters, for \
the reason endpoint_disabled. An endpoint that is paused already stays so.";

const AFTER_RESUME_HELP: &str = "\
Example:
  hookline endpoints resume ep_crm --company acme

New events are sent to it within two seconds. What was kept with the dead letters meanwhile is sent by \
`hookline failed retry --all --company COMPANY --endpoint ID`.";

/// Send nothing to an endpoint for now.
#[derive(Debug, Args)]
#[command(after_help = AFTER_PAUSE_HELP)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    endpoint: EndpointArgs,
}

/// Send to a paused endpoint again.
#[derive(Debug, Args)]
#[command(after_help = AFTER_RESUME_HELP)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    endpoint: EndpointArgs,
}

/// What both commands are told: whose endpoint it is, and how the answer is printed.
#[derive(Debug, Args)]
struct EndpointArgs {
    /// The endpoint.
    #[arg(value_name = "ID")]
    id: EndpointId,
    #[command(flatten)]
    at: AtConsole,
    /// One JSON object: the endpoint as it is now.
    #[arg(long)]
    json: bool,
}

pub(super) async fn pause(args: &PauseArgs) -> Result<(), CliError> {
    let EndpointArgs { id, at, .. } = &args.endpoint;
    let told = format!(
        "{id} of {} is paused: what it would get is kept with the dead letters",
        at.company
    );
    change(&args.endpoint, true, &told).await
}

pub(super) async fn resume(args: &ResumeArgs) -> Result<(), CliError> {
    let EndpointArgs { id, at, .. } = &args.endpoint;
    let told = format!("{id} of {} is active", at.company);
    change(&args.endpoint, false, &told).await
}

async fn change(endpoint: &EndpointArgs, disabled: bool, told: &str) -> Result<(), CliError> {
    let api: Api = endpoint.at.api()?;
    let ask = api.ask(
        Method::PATCH,
        &endpoint.at.company,
        &["endpoints", endpoint.id.as_str()],
    );
    let answer = api.answer(ask.json(&json!({ "disabled": disabled }))).await?;
    let mut out = Out::new();
    if endpoint.json {
        out.line(&json_line(&answer.body))?;
    } else {
        out.line(told)?;
    }
    Ok(out.flush()?)
}
