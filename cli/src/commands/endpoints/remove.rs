//! `hookline endpoints remove`: takes an endpoint away for good.

use clap::Args;
use hookline_common::ids::EndpointId;
use serde_json::json;

use crate::api::{EndpointView, Method};
use crate::commands::at_console::AtConsole;
use crate::commands::consent;
use crate::error::CliError;
use crate::out::Out;
use crate::text::escape;

const AFTER_HELP: &str = "\
Examples:
  hookline endpoints remove ep_crm --company acme
  hookline endpoints remove ep_crm --company acme --yes

Its secret goes with it, and what is still on its way to it is discarded. `hookline endpoints pause` keeps both. Without a \
terminal nobody can be asked, so that --yes is needed.";

/// Remove an endpoint for good.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RemoveArgs {
    /// The endpoint.
    #[arg(value_name = "ID")]
    id: EndpointId,
    #[command(flatten)]
    at: AtConsole,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// One JSON object that names what was removed.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &RemoveArgs) -> Result<(), CliError> {
    let (company, id) = (&args.at.company, args.id.as_str());
    consent::can_be_had(args.yes, &format!("this removes {id} of {company} for good"))?;
    let api = args.at.api()?;
    let path = ["endpoints", id];
    if !args.yes {
        let found = api.answer(api.ask(Method::GET, company, &path)).await?;
        let url = found.read::<EndpointView>()?.url;
        let question = format!("Remove {id} of {company}, {}, for good?", escape(&url));
        if !consent::is_given(false, &question).await {
            return Err(CliError::Failed("nothing was removed, as you said".to_owned()));
        }
    }
    api.answer(api.ask(Method::DELETE, company, &path)).await?;
    let mut out = Out::new();
    out.line(&if args.json {
        json!({ "removed": id, "company": company.as_str() }).to_string()
    } else {
        format!("removed {id} of {company}")
    })?;
    Ok(out.flush()?)
}
