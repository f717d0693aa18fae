//! `hookline endpoints show`: one in full, with its secret where that is asked for.

use clap::Args;
use hookline_common::ids::EndpointId;
use serde_json::Value;

use crate::api::{EndpointView, Method, SecretView};
use crate::commands::at_console::AtConsole;
use crate::commands::fields;
use crate::error::CliError;
use crate::out::Out;
use crate::text::json_line;

const AFTER_HELP: &str = "\
Examples:
  hookline endpoints show ep_crm --company acme
  hookline endpoints show ep_crm --company acme --secret
  hookline endpoints show ep_crm --company acme --json | jq .events

Values of headers are not shown to anybody. That a secret was shown, and to whom, is kept in the console's audit.";

/// Show an endpoint.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ShowArgs {
    /// The endpoint.
    #[arg(value_name = "ID")]
    id: EndpointId,
    #[command(flatten)]
    at: AtConsole,
    /// Show its secret too.
    #[arg(long)]
    secret: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ShowArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let (company, id) = (&args.at.company, args.id.as_str());
    let ask = api.ask(Method::GET, company, &["endpoints", id]);
    let answer = api.answer(ask).await?;
    let secret = if args.secret {
        let ask = api.ask(Method::GET, company, &["endpoints", id, "secret"]);
        Some(api.answer(ask).await?.read::<SecretView>()?.secret)
    } else {
        None
    };
    let mut out = Out::new();
    match secret {
        Some(secret) if args.json => {
            let mut whole: Value = answer.read()?;
            if let Some(members) = whole.as_object_mut() {
                members.insert("secret".to_owned(), secret.into());
            }
            out.line(&json_line(&whole.to_string()))?;
        }
        None if args.json => out.line(&json_line(&answer.body))?,
        secret => {
            for line in in_full(answer.read()?, secret) {
                out.line(&line)?;
            }
        }
    }
    Ok(out.flush()?)
}

fn in_full(endpoint: EndpointView, secret: Option<String>) -> Vec<String> {
    let headers: Vec<String> = endpoint
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let state = match (endpoint.disabled, &endpoint.disabled_reason) {
        (false, _) => "active".to_owned(),
        (true, None) => "disabled".to_owned(),
        (true, Some(reason)) => format!("disabled ({reason})"),
    };
    let events = endpoint.events_in_words();
    fields::lines(&[
        ("id", Some(endpoint.id)),
        ("company", Some(endpoint.company)),
        ("url", Some(endpoint.url)),
        ("format", Some(endpoint.format)),
        ("events", Some(events)),
        ("headers", (!headers.is_empty()).then(|| headers.join(", "))),
        ("rate", endpoint.rate),
        ("description", endpoint.description),
        ("state", Some(state)),
        ("health", endpoint.health.in_words()),
        (
            "rotation",
            endpoint
                .overlap_until
                .map(|until| format!("the secret before counts as well until {until}")),
        ),
        ("registered", Some(endpoint.created_at)),
        ("changed", Some(endpoint.updated_at)),
        ("secret", secret),
    ])
}
