//! `hookline failed discard`: removes dead letters for good.

use clap::Args;
use hookline_common::ids::EventId;
use jiff::Timestamp;
use serde_json::json;

use super::filter::FilterArgs;
use super::views::{Counted, Retried};
use crate::api::{Api, Method};
use crate::commands::at_console::AtConsole;
use crate::commands::consent;
use crate::error::CliError;
use crate::out::Out;

const AFTER_HELP: &str = "\
Examples:
  hookline failed discard evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --endpoint ep_crm --company acme
  hookline failed discard --all --endpoint ep_old --company acme --yes

What is discarded can not be had back. --all asks with a count, and what fails after the question is not in it and stays. \
Without a terminal nobody can be asked, so that --yes is needed.";

const USAGE: &str = "\
hookline failed discard <EVENT_ID> --endpoint <ENDPOINT> --company <COMPANY>
       hookline failed discard --all --company <COMPANY> [OPTIONS]";

/// Remove dead letters for good.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, override_usage = USAGE)]
pub(crate) struct DiscardArgs {
    /// The event.
    #[arg(
        value_name = "EVENT_ID",
        conflicts_with = "all",
        required_unless_present = "all",
        requires = "endpoint"
    )]
    event: Option<EventId>,
    /// Every one that the filters let through.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    at: AtConsole,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// One JSON object that says how many were removed.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &DiscardArgs) -> Result<(), CliError> {
    let company = &args.at.company;
    consent::can_be_had(
        args.yes,
        &format!("this removes dead letters of {company} for good"),
    )?;
    let api = args.at.api()?;
    let mut filter = args.filter.clone();
    if !args.yes {
        // Whoever says yes means what was counted, so what fails while they think stays. Where nobody is asked nothing is
        // counted, and the clock of this machine, which may be wrong, has no say.
        filter = filter.before(Timestamp::now());
        let question = question(args, &filter, &api).await?;
        if !consent::is_given(false, &question).await {
            return Err(CliError::Failed("nothing was removed, as you said".to_owned()));
        }
    }
    let count = match (&args.event, &args.filter.endpoint) {
        (Some(event), Some(endpoint)) => {
            let path = ["failed", event.as_str(), endpoint.as_str()];
            api.answer(api.ask(Method::DELETE, company, &path)).await?;
            1
        }
        _ => {
            let ask = api.ask(Method::POST, company, &["failed", "discard"]);
            let answer = api.answer(ask.json(&filter.body())).await?;
            answer.read::<Counted>()?.count
        }
    };
    let mut out = Out::new();
    out.line(&if args.json {
        json!({"discarded": count, "company": company.as_str()}).to_string()
    } else {
        format!("discarded {count} of {company}")
    })?;
    Ok(out.flush()?)
}

/// Says how many it would be.
async fn question(args: &DiscardArgs, filter: &FilterArgs, api: &Api) -> Result<String, CliError> {
    let company = &args.at.company;
    if let Some(event) = &args.event {
        return Ok(format!("Remove the dead letter {event} of {company} for good?"));
    }
    let mut body = filter.body();
    body.insert("dry_run".to_owned(), true.into());
    body.insert("again".to_owned(), true.into());
    let ask = api.ask(Method::POST, company, &["failed", "retry"]).json(&body);
    let counted: Retried = api.answer(ask).await?.read()?;
    let count = counted.count + counted.skipped;
    Ok(format!("Remove {count} dead letters of {company} for good?"))
}
